"""Layers that models often have and that LRP has no rule for: the reason, and what works on a trained model."""

from __future__ import annotations

from xaug.explain.propagation.layers.base import GRADIENTS, refuse
from xaug.explain.propagation.rules import Role

__all__: list[str] = []

PIECES = (
    "call the layers of the inner model one by one on the tensors, h = layer(h) for layer in inner.layers, and make a "
    "keras.Model of the result: it keeps the trained weights"
)

refuse("Lambda", reason="hides what it computes: LRP needs to know the operation")
refuse(
    "TFOpLambda",
    "SlicingOpLambda",
    reason="is an operation on tensors, which has no rule",
    remedy=f"{GRADIENTS}, or use the layers Add, Concatenate, Reshape, Permute, Activation and several named inputs",
)
refuse(
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    reason="has no rule: of the convolutions Conv1D and Conv2D have one",
    role=Role.CONVOLUTION,
)
refuse(
    "LSTM",
    "SimpleRNN",
    "Bidirectional",
    reason="has no rule: of the recurrent layers GRU has one",
    innvestigate="iNNvestigate has no rule for recurrent layers: it would give the plain gradient",
)
refuse(
    "LayerNormalization",
    reason="is not linear at inference and has no rule",
    remedy=f"{GRADIENTS}, or train with BatchNormalization",
)
refuse(
    "LeakyReLU",
    "PReLU",
    "ELU",
    "ThresholdedReLU",
    reason="has no rule",
    remedy=f"{GRADIENTS}, or train with ReLU or swish",
)
refuse("Softmax", reason="stands inside the network, where it has no rule")
refuse("Functional", "Sequential", reason="is a model inside the model, which is not taken apart", remedy=PIECES)
refuse(
    "Multiply",
    "Dot",
    reason="is a product, which has no unique shares",
    remedy=f"{GRADIENTS}, or train with Add or Concatenate",
)
refuse(
    "Subtract", "Average", "Maximum", "Minimum", reason="has no rule: of the merging layers Add and Concatenate have"
)
refuse(
    "ZeroPadding1D",
    "ZeroPadding2D",
    reason="has no rule",
    remedy=f"{GRADIENTS}, or use padding='same' of the convolution",
)
