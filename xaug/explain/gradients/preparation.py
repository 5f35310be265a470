"""Facts about a network that are found before it is integrated: layers without gradient, its linear stem, its size."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.explain.gradients.linear_stem import LinearStem, cut_behind_linear_stem, without_linear_stem
from xaug.explain.gradients.paths import Paths
from xaug.explain.gradients.samples import Shapes
from xaug.explain.keras_models import ModelOutput
from xaug.explain.propagation.composites import COMPOSITES
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.graph import make_graph
from xaug.explain.propagation.layers.recurrence import Recurrent
from xaug.networks.keras_versions import GET_ITEM, calls_of, config_of, inner_layers, kind_of

__all__ = [
    "check_inputs", "check_layers", "cut_model", "largest_floats", "may_jump", "normalises", "unrolled_model",
]  # fmt: skip


def check_inputs(network: ModelOutput, paths: Paths) -> None:
    """Refuse inputs of integers that are not frozen: there is no path between integers."""
    for name, tensor in zip(paths.shapes, network.model.inputs, strict=True):
        dtype = tf.as_dtype(tensor.dtype)
        if not dtype.is_floating and not paths.is_frozen(name):
            remedy = f"freeze it, with frozen=[{name!r}]"
            if not dtype.is_bool:
                remedy += (
                    "; or, where its numbers are measurements, as pixels of 8 bits, explain a copy with "
                    f"a float32 input: copy = keras.models.clone_model(model, keras.Input(shape, name={name!r}))"
                    "; copy.set_weights(model.get_weights())"
                )
            between = "true and false" if dtype.is_bool else "integers"
            raise ModelError(
                f"input {name!r} is of type {dtype.name}, and not only embeddings read it: there is no path between "
                f"{between}. Remedy: {remedy}"
            )


MOVING = ("Reshape", "Permute", "Flatten", "Concatenate", "Masking", "Dropout", "RepeatVector", *GET_ITEM)
"""Layers whose output is made of elements of their inputs as they are."""


def check_layers(network: ModelOutput, shapes: Shapes) -> None:
    """Refuse layers that have no gradient.

    Comparisons and indices, whose results are no real numbers, are let through, and so are layers without gradient that
    read inputs of the model as they are: they make masks. Where a mask changes along a path, the output jumps, which is
    found on the path itself. So are those whose sources have a gradient on another way to the output: constants of the
    shape of a signal, and rounded numbers that training passes straight through.
    """
    model = network.model
    calls = calls_of(model)
    tensors = {id(t): t for call in calls for t in (*call.inputs, *call.outputs)}
    inside = keras.Model(model.inputs, list(tensors.values()))
    x = [tf.ones((1, *shape), t.dtype) for shape, t in zip(shapes.values(), model.inputs, strict=True)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([tensor for tensor in x if tensor.dtype.is_floating])
        values = dict(zip(tensors, inside(x if len(x) > 1 else x[0], training=False), strict=True))
    ends = [values[id(t)] for t in model.outputs if id(t) in values]
    read_by = {id(t): [id(source) for source in call.inputs] for call in calls for t in call.outputs}

    def before(names: list[int], stop: set[int]) -> set[int]:
        """The tensors and all that they are made of, but those of a set."""
        found: set[int] = set()
        waiting = [name for name in names if name not in stop]
        while waiting:
            name = waiting.pop()
            found.add(name)
            waiting += [one for one in read_by.get(name, []) if one not in stop and one not in found]
        return found

    def reached(name: int) -> bool:
        """Whether the outputs have a gradient with respect to a tensor."""
        return values[name].dtype.is_floating and any(g is not None for g in tape.gradient(ends, [values[name]]))

    connected = {id(t) for t in model.inputs if tf.as_dtype(t.dtype).is_floating}
    raw = set(connected)
    for call in calls:
        sources = [id(t) for t in call.inputs]
        outputs = [id(t) for t in call.outputs]
        watched = [values[i] for i in sources if i in connected]
        floating = [values[i] for i in outputs if values[i].dtype.is_floating]
        if not watched or not floating:
            continue
        if all(g is not None for g in tape.gradient(floating, watched)):
            connected |= {i for i in outputs if values[i].dtype.is_floating}
            if call.kind in MOVING and raw.issuperset(sources):
                raw |= set(outputs)
        elif not (raw.issuperset(sources) or any(reached(i) for i in before(sources, raw))):
            raise ModelError(
                f"layer {call.layer.name!r} ({call.kind}) has no gradient: Integrated Gradients cannot "
                f"go through it. Explain the network before it, as keras.Model(model.inputs, model.get_layer("
                f"{call.layer.name!r}).input) with output='value', or use a layer that can be differentiated"
            )


def cut_model(network: ModelOutput) -> LinearStem | None:
    """The model cut behind its linear stem; None if it has none, or LRP does not know all of its layers."""
    if network.kind == "value":
        return None
    try:
        graph = make_graph(network.model)
        if not all(node.layer.is_keras and node.mask is None for node in graph.nodes):
            return None
        return cut_behind_linear_stem(graph)
    except (ModelError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError):
        return None  # the general way is always open


def unrolled_model(network: ModelOutput, shapes: Shapes) -> LinearStem | None:
    """The model as the engine of LRP computes it, if it has recurrent layers; None where it has none, or is not known.

    The engine unrolls the steps, whose gradient takes a fraction of the time of that of a loop of Keras. Nothing is cut
    off: the time that a linear stem could save is small beside that of the steps.
    """
    if not all(tf.as_dtype(tensor.dtype).is_floating for tensor in network.model.inputs):
        return None
    try:
        graph = make_graph(network.model, value=network.kind == "value", shapes=dict(shapes))
        if not any(isinstance(node.layer, Recurrent) for node in graph.nodes):
            return None
        engine = Propagator(graph, COMPOSITES["epsilon"])
    except (ModelError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError):
        return None  # the general way is always open

    def numbers(x: list[tf.Tensor]) -> tf.Tensor:
        return engine.forward(dict(zip(shapes, x, strict=True))).values[graph.output.name]

    rng = np.random.default_rng(0)
    x = [tf.constant(rng.normal(size=(16, *shape)), tf.float32) for shape in shapes.values()]
    found, expected = numbers(x).numpy(), network.function(x).numpy()
    if not np.abs(found - expected).max() < 1e-4 * (1 + np.abs(expected).max()):
        return None
    return without_linear_stem(numbers, list(shapes), largest_floats(network, shapes))


def largest_floats(network: ModelOutput, shapes: Shapes) -> int:
    """Number of floats that a forward pass of one event computes."""
    longest = max((size for shape in shapes.values() for size in shape), default=1)
    tensors = [*network.model.inputs, *(tensor for call in calls_of(network.model) for tensor in call.outputs)]
    return sum(int(np.prod([longest if size is None else size for size in tensor.shape[1:]])) for tensor in tensors)


JUMPING = ("Masking", "Lambda", "TFOpLambda", "Operation", "ThresholdedReLU", "Discretization", "Hashing",
           "CategoryEncoding")  # fmt: skip
"""Layers of Keras that can make the output jump; layers of anyone else can, too."""


def may_jump(model: keras.Model) -> bool:
    """Whether the output of a model can jump where its inputs change little."""
    return any(
        kind_of(layer) in JUMPING
        or not type(layer).__module__.startswith("keras.")
        or getattr(layer, "mask_zero", False)
        or getattr(layer, "normalize", False)  # the cosine of a Dot
        or _jumps(getattr(layer, "activation", None))
        for layer in inner_layers(model)
    )


def _jumps(activation: object) -> bool:
    """Whether an activation may jump: one of Keras that does, and any that does not come from Keras or TensorFlow."""
    module = str(getattr(activation, "__module__", "keras")).partition(".")[0]
    return getattr(activation, "__name__", "") == "hard_shrink" or module not in ("keras", "tensorflow")


NORMALISING = ("LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization")
"""Layers that divide by the spread or the length of an event's own numbers."""


def normalises(model: keras.Model) -> bool:
    """Whether a model has layers that divide by the spread or the length of numbers of the event.

    Where these are all equal, as in a blank event, a small change of them changes the output much.
    """
    return any(
        kind_of(layer) in NORMALISING
        or getattr(layer, "normalize", False)
        or "l2_normalize" in str(config_of(layer).get("function", ""))
        for layer in inner_layers(model)
    )
