"""The function `rescale`: attributions by the rescale rule (DeepLIFT) from reference events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import Array, Arrays
from xaug.data.feature_names import named_columns
from xaug.explain.attribution import Attribution
from xaug.explain.estimate import announced, unfollowed
from xaug.explain.gradients.conventions import PADDING, PaddingLike, frozen_elements, read_padding
from xaug.explain.gradients.integration import TargetLike
from xaug.explain.gradients.paths import Paths, list_padding, masked_padding
from xaug.explain.gradients.readout import Readout
from xaug.explain.gradients.samples import BaselineLike, sample_of
from xaug.explain.keras_models import ModelOutput, read_output
from xaug.explain.model_inputs import named_inputs
from xaug.explain.propagation.api import DTYPES
from xaug.explain.propagation.graph import make_graph
from xaug.explain.propagation.guard import Guard, Reference
from xaug.explain.propagation.rescaler import Rescaler, check_sums
from xaug.explain.single_events import check_single_events
from xaug.explain.targets import CLASSES, Target, described, functional
from xaug.networks.keras_versions import input_names

__all__ = ["rescale"]

KEPT = 8
"""Compiled models kept; the one not used for longest goes first."""
_kept: OrderedDict[tuple[object, ...], tuple[Reference, Rescaler]] = OrderedDict()


def rescale(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    reference: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    classes: Sequence[str] = CLASSES,
    frozen: Sequence[str] = (),
    padding: PaddingLike = PADDING,
    dtype: str = "float32",
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = unfollowed,
) -> Attribution:
    """Attribution of every input element by the rescale rule of DeepLIFT, averaged over reference events.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model of layers that LRP knows
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    reference : Baseline, Sample, dict or list of arrays, or array
        events at which inputs get nothing: a baseline object (`Blank`, `Event`, `Averaged`, `Mean`, `Sample`), or
        scaled arrays of one event or of several, over which attributions are averaged
    target : str, int or sequence
        class that is explained, see `xaug.explain.integrated_gradients`
    output : str
        output that is explained, see there
    classes : sequence of str
        names of the outputs, in their order
    frozen : sequence of str
        inputs and columns in which references have the values of the event, see there
    padding : str or dict of float
        "event": padded steps are those of the event, see there
    dtype : str
        "float32" or "float64"
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    Attribution
        `relevance` and `reference` (the output at the references) are averaged over references with their weights;
        `residual` is what is missing of completeness; `standard_error` is that of the choice of the references, as if
        they were drawn by their weights (None for one reference)

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, or the inputs or the reference do not fit the model
    ModelError
        if a layer is not known, the graph gives other numbers than the model, or the shares of a pair do not add up to
        f(x) - f(x')

    References
    ----------
    A. Shrikumar, P. Greenside, A. Kundaje, ICML (2017), arXiv:1704.02685.
    """
    if dtype not in DTYPES:
        raise unknown_name("dtype", str(dtype), DTYPES)
    network = read_output(model, output)
    source = functional(network.source)
    x = named_inputs(source, inputs)
    check_single_events(network, x)
    n = len(next(iter(x.values())))
    choice = Target.choose(target, network.units, classes, n)
    names, shapes = named_columns(x, variables), {name: values.shape[1:] for name, values in x.items()}
    fixed = frozen_elements(frozen, shapes, names) if len(frozen) else {}
    whole = [name for name, elements in fixed.items() if elements.all()]
    sample = sample_of(reference, source, x, names, whole)
    given = read_padding(padding, shapes)
    paddings = masked_padding(network.model, shapes) if given is None else list_padding(given, shapes)
    _refuse_numbers(network, fixed)
    readout = Readout.of(network, choice)
    keras_model, engine = _rescaler(network, readout, Paths(shapes, fixed, paddings), dtype)

    relevance = {name: np.zeros(values.shape, dtype) for name, values in x.items()}
    squares = {name: np.zeros(values.shape) for name, values in x.items()}
    logit, begun = np.zeros(n), np.zeros(n)
    numbers, guard = engine.numbers(x), Guard(keras_model, x)
    for start in range(0, n, engine.pairs):
        guard.see(start, numbers[start : start + engine.pairs])
    guard.finish()
    directions = readout.directions(choice, numbers)
    blocks = [slice(i, i + engine.pairs) for i in range(0, len(sample), engine.pairs)]
    references = [engine.prepared({name: values[rows] for name, values in sample.arrays.items()}) for rows in blocks]
    size, on_events = max(1, engine.pairs // len(sample)), announced("rescale rule", n, on_events)
    for start in range(0, n, size):
        rows = slice(start, start + size)
        some = {name: values[rows] for name, values in x.items()}
        for block, one in zip(blocks, references, strict=True):
            weights = sample.weights[block]
            found = engine.explain(some, one, directions[rows], weights)
            check_sums(found, network.name)
            for name, values in found.relevance.items():
                relevance[name][rows] += values
                squares[name][rows] += found.squares[name]
            logit[rows] = found.logit
            begun[rows] += found.reference @ weights
        on_events(len(directions[rows]))
    settings = {
        "method": "rescale", "target": described(target), "output": output, "dtype": dtype,
        "baseline": sample.provenance, "effective_baselines": round(sample.effective, 3),
        **({"frozen": list(frozen)} if len(frozen) else {}), **({"padding": "event"} if paddings else {}),
    }  # fmt: skip
    errors = _of_references(relevance, squares, sample.effective)
    return Attribution(relevance, logit, names, settings, reference=begun, standard_error=errors)


def _of_references(mean: Arrays, squares: Arrays, effective: float) -> Arrays | None:
    """Standard errors of weighted means over references, from the means of the squares; None for one reference."""
    if effective < 1 + 1e-9:
        return None
    variance = {name: np.maximum(values - mean[name].astype(np.float64) ** 2, 0) for name, values in squares.items()}
    return {name: np.sqrt(values / (effective - 1)).astype(np.float32) for name, values in variance.items()}


def _refuse_numbers(network: ModelOutput, frozen: Mapping[str, Array]) -> None:
    """Refuse inputs of whole numbers that are not frozen: nothing lies between two of them."""
    for name, tensor in zip(input_names(network.model), network.model.inputs, strict=True):
        dtype = tf.as_dtype(tensor.dtype)
        if not dtype.is_floating and not (name in frozen and frozen[name].all()):
            raise ConfigurationError(
                f"input {name!r} is of type {dtype.name}, and the rescale rule needs numbers with others "
                f"between them; freeze it, with frozen=[{name!r}], or explain by occlusion or shapley_values"
            )


def _rescaler(network: ModelOutput, readout: Readout, paths: Paths, dtype: str) -> tuple[Reference, Rescaler]:
    """The Keras model and its compiled multipliers, made at first use."""
    key = (network.identity, readout, tuple(paths.shapes.items()), paths.key, dtype)
    if key not in _kept:
        graph = make_graph(network.model, value=network.kind == "value", shapes=dict(paths.shapes))
        _kept[key] = Reference(network), Rescaler(graph, readout, paths, dtype)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]
