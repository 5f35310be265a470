"""Layers that models often have and that LRP has no rule for: the reason, and what works on a trained model."""

from __future__ import annotations

from xaug.explain.propagation.layers.base import GRADIENTS, refuse

__all__: list[str] = []

refuse("Functional", "Sequential", reason="is a model inside the model, which iNNvestigate does not take apart")
refuse("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", reason="is a recurrence of convolutions, which has no rule")
refuse(
    "Hashing",
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
    "Discretization",
    reason="turns values into categories, through which no relevance passes",
    remedy=f"{GRADIENTS}, or apply it before and explain the model behind it, from keras.Input(...) on",
)
