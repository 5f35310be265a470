"""Masks of padded steps that Keras 2 and Keras 3 hand differently to the layers of one model.

Masks are no part of a model file: each version makes its own from the layers, by rules that differ in a few places. The
masks of both are followed here through a model as expressions, so that a difference is found without any events.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from xaug.core.errors import ModelError
from xaug.networks.keras_versions import GraphCall, calls_of, is_graph, is_keras_3, is_keras_tensor, kind_of

__all__ = [
    "HANDING_ON",
    "JOINING",
    "MAKING",
    "READING",
    "RECURRENT",
    "MaskConflict",
    "Masks",
    "conflict_of_masks",
    "masks_of",
    "refuse_other_masks",
]

JOINING = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
"""Layers whose mask is made of those of several inputs: see `_joined`."""
MAKING = ("Masking", "Embedding")
"""Layers that make a mask."""
RECURRENT = ("Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "RNN", "SimpleRNN")
"""Layers that read the mask, and hand it on if they return a sequence."""
READING = (
    *RECURRENT, "AdditiveAttention", "Attention", "GlobalAveragePooling1D", "GlobalAvgPool1D", "GroupQueryAttention",
    "MultiHeadAttention", "Softmax", "TimeDistributed",
)  # fmt: skip
"""Layers whose output depends on the mask."""
LEAVING_OUT = ("Maximum", "Minimum", "Multiply")
"""Layers that leave padded steps out of their result in Keras 3, and do not in Keras 2."""
HANDING_ON = {
    **dict.fromkeys((
        "Activation", "ActivityRegularization", "AdditiveAttention", "AlphaDropout", "Attention", "BatchNormalization",
        "Dense", "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "GroupNormalization", "GroupQueryAttention",
        "LayerNormalization", "LeakyReLU", "MultiHeadAttention", "PReLU", "ReLU", "Softmax", "SpatialDropout1D",
        "SpatialDropout2D", "SpatialDropout3D", "ThresholdedReLU", "TimeDistributed", "UnitNormalization",
    ), (2, 3)),
    **dict.fromkeys(("Identity", "Normalization", "Rescaling"), (3,)),
}  # fmt: skip
"""Kind of layer -> versions of Keras in which its output has the mask of its first input; all others drop it."""
OTHER_RULES = "it reads the mask of padded steps, and Keras 2 and Keras 3 have different rules for that behind {}"


class Masks(NamedTuple):
    """The mask of a tensor in each version, None or an expression, and the layer where the two began to differ."""

    keras2: Any = None
    keras3: Any = None
    parted: str = ""

    @property
    def differ(self) -> bool:
        return bool(self.keras2 != self.keras3)

    def since(self, call: GraphCall, *inputs: Masks) -> Masks:
        """With the layer where they began to differ: an earlier one, or that of this call."""
        earlier = next((each.parted for each in inputs if each.differ), "")
        return self._replace(parted=(earlier or _named(call.layer)) if self.differ else "")


class MaskConflict(NamedTuple):
    """A layer that reads another mask in Keras 2 than in Keras 3, and why, as a sentence."""

    reader: str
    reason: str


def conflict_of_masks(model: Any) -> MaskConflict | None:
    """The first layer of a functional or Sequential model that reads another mask in Keras 2 than in Keras 3."""
    return next(_conflicts(model, [Masks()] * len(model.inputs), {}), None)


def masks_of(model: Any) -> dict[int, Masks]:
    """Masks of the tensors of a functional or Sequential model, by the identity of the tensor."""
    made: dict[int, Masks] = {}
    list(_conflicts(model, [Masks()] * len(model.inputs), made))
    return made


def refuse_other_masks(model: Any, path: str) -> None:
    """Refuse a model from a file of the other version if its layers read other masks here.

    Raises
    ------
    ModelError
        the message names the layer that reads the mask, where the masks begin to differ, and a remedy
    """
    found = conflict_of_masks(model)
    if found is None:
        return
    import keras

    written, other = (2, "2.14") if is_keras_3() else (3, "2.16 or later")
    raise ModelError(
        f"{path}: layer {found.reader} would give other outputs than in the model that was saved: {found.reason}. The "
        f"file was written by Keras {written}, and this is Keras {keras.__version__}: run xaug with TensorFlow {other}"
    )


def _named(layer: Any) -> str:
    return f"{layer.name!r} ({kind_of(layer)})"


def _conflicts(model: Any, given: Sequence[Masks], made: dict[int, Masks]) -> Iterator[MaskConflict]:
    """All conflicts in a model whose inputs have masks; the masks of its tensors are put into `made`, by identity."""
    made.update({id(tensor): masks for tensor, masks in zip(model.inputs, given, strict=True)})
    for call in calls_of(model):
        arguments = _arguments(call)
        explicit = arguments.pop("mask", None)
        inputs = [made.get(id(tensor), Masks()) for tensor in _tensors(list(arguments.values()))]
        firsts = [made.get(id(tensor), Masks()) for tensor in _tensors(list(arguments.values())[:1])]
        if explicit is not None:
            own = [_given(mask) for mask in (explicit if isinstance(explicit, (list, tuple)) else [explicit])]
            inputs = firsts = own if len(own) == len(firsts) else own[:1] * len(firsts)
        if is_graph(call.layer):
            inside: dict[int, Masks] = {}
            yield from _conflicts(call.layer, (inputs * len(call.layer.inputs))[: len(call.layer.inputs)], inside)
            results = [inside.get(id(tensor), Masks()) for tensor in call.layer.outputs]
        else:
            read = inputs
            if call.kind in RECURRENT and len(inputs) > 1 and explicit is None:  # with initial states
                read = [inputs[0]._replace(keras3=None, parted=f"{_named(call.layer)}, which is given initial states,")]
            if call.kind == "TimeDistributed":
                yield from _of_one_step(call, inputs)
            yield from (
                MaskConflict(_named(call.layer), OTHER_RULES.format(each.parted))
                for each in read
                if call.kind in READING and call.kind != "TimeDistributed" and each.differ
            )
            if call.kind in LEAVING_OUT and any(each.keras3 is not None for each in inputs):
                yield MaskConflict(_named(call.layer), "Keras 3 leaves padded steps out there, and Keras 2 does not")
            results = [_result(call, firsts)] + [Masks()] * (len(call.outputs) - 1)
        made.update({id(tensor): masks for tensor, masks in zip(call.outputs, results, strict=False)})


def _given(mask: Any) -> Masks:
    """The masks of a tensor whose mask the call names."""
    own = None if mask is None else id(mask)
    return Masks(own, own)


def _arguments(call: GraphCall) -> dict[str, Any]:
    """Arguments of a call by name."""
    order = tuple(inspect.signature(call.layer.call).parameters)
    return {**dict(zip(order, call.arguments, strict=False)), **call.options}


def _tensors(value: Any) -> list[Any]:
    import tensorflow as tf

    return [each for each in tf.nest.flatten(value) if is_keras_tensor(each)]


def _result(call: GraphCall, inputs: Sequence[Masks]) -> Masks:
    """Masks of the first output of a layer, from those of its first argument."""
    kind, layer = call.kind, call.layer
    if kind in MAKING:
        made = None if kind == "Embedding" and not layer.mask_zero else (id(layer), id(call.outputs[0]))
        return Masks(made, made)
    if not inputs:
        return Masks()
    if kind in JOINING:
        axis = layer.axis % len(call.outputs[0].shape) if kind == "Concatenate" else None
        along = axis if axis != len(call.outputs[0].shape) - 1 else None
        twos, threes = [each.keras2 for each in inputs], [each.keras3 for each in inputs]
        joined = (_joined(own, version, axis is not None, along) for version, own in ((2, twos), (3, threes)))
        return Masks(*joined).since(call, *inputs)
    if kind == "TimeDistributed":
        two = inputs[0].keras2
        if _made_inside(layer.layer):  # Keras 2 asks the layer inside
            two = (id(layer), two)
        return inputs[0]._replace(keras2=two).since(call, *inputs)
    if kind in RECURRENT:
        inner = getattr(layer, "forward_layer", layer)
        return inputs[0] if inner.return_sequences else Masks()
    versions = HANDING_ON.get(kind, ())
    kept = Masks(inputs[0].keras2 if 2 in versions else None, inputs[0].keras3 if 3 in versions else None)
    return kept.since(call, *inputs)


def _joined(masks: Sequence[Any], version: int, side_by_side: bool, along: int | None) -> Any:
    """The mask of what a layer makes of inputs with these masks.

    In Keras 2 a step is real if it is real in all inputs with a mask, in Keras 3 if it is real in one of them and all
    have a mask. Side by side, all steps of an input without a mask are real; along an axis of steps, masks follow each
    other, and an input without one is an error in Keras 2.
    """
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    if along is not None:
        return ("along", along, tuple(masks), version if len(known) < len(masks) else 0)
    if len(known) < len(masks) and version == 3:
        return "all" if side_by_side else None
    return known[0] if len(set(known)) == 1 else (version, frozenset(known))


def _made_inside(layer: Any) -> bool:
    """Whether a layer, or one inside it, makes a mask."""
    if is_graph(layer):
        return any(_made_inside(call.layer) for call in calls_of(layer))
    return kind_of(layer) == "Masking" or bool(getattr(layer, "mask_zero", False))


def _reads_inside(layer: Any) -> bool:
    """Whether a layer, or one inside it, reads a mask."""
    if is_graph(layer):
        return any(_reads_inside(call.layer) for call in calls_of(layer))
    return kind_of(layer) in READING


def _of_one_step(call: GraphCall, inputs: Sequence[Masks]) -> Iterator[MaskConflict]:
    """Conflicts inside a TimeDistributed layer, which hands a mask to the layer inside."""
    inner = call.layer.layer
    if is_graph(inner):
        yield from _conflicts(inner, [Masks()] * len(inner.inputs), {})
    if _reads_inside(inner) and any(each.keras2 is not None or each.keras3 is not None for each in inputs):
        yield MaskConflict(_named(call.layer), "Keras 2 and Keras 3 hand other masks to the layer inside")
