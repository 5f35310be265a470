"""Integrated Gradients, for one baseline or averaged over a sample of baselines.

The attribution of feature i of event x is (x_i - x'_i) times the integral of df/dx_i along the straight path from
the baseline x' to x. The attributions of all features add up to f(x) - f(x') (completeness). For several baselines the
attributions are averaged, never the baselines.

References
----------
M. Sundararajan, A. Taly, Q. Yan, ICML 2017, arXiv:1703.01365 (method); J. Bardhan, C. Neeraj, M. Rawat, S. Mitra,
"Constructing sensible baselines for Integrated Gradients", equations 1 and 2 (averaged baselines).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.feature_names import named_columns
from xaug.explain.attribution import Attribution
from xaug.explain.gradients.conventions import PADDING, PaddingLike, frozen_elements
from xaug.explain.gradients.integrator import MAX_NODES
from xaug.explain.gradients.jumps import PathChoice
from xaug.explain.gradients.pairs import REACHED, Pairs, event_baseline_pairs
from xaug.explain.gradients.readout import Readout
from xaug.explain.gradients.samples import BaselineLike, sample_of
from xaug.explain.gradients.tokens import token_inputs
from xaug.explain.keras_models import read_output
from xaug.explain.model_inputs import named_inputs
from xaug.explain.targets import CLASSES, Target, described, functional

if TYPE_CHECKING:
    import keras

__all__ = ["IntegrationJob", "TargetLike", "attribute", "integrated_gradients"]

TargetLike = str | int | Sequence[str] | Sequence[int] | Array
"""All that functions take for a target: a name, an index, a difference, or a name or index for each event."""


class IntegrationJob:
    """Arguments of an integration, checked, and a tally of all its pairs.

    Attributions of events and of classes share it. The parameters are those of `integrated_gradients`.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Arrays | Sequence[Array],
        baseline: BaselineLike,
        target: TargetLike,
        output: str,
        tolerance: float,
        max_nodes: int,
        *,
        classes: Sequence[str] = CLASSES,
        frozen: Sequence[str] = (),
        padding: PaddingLike = PADDING,
        fast: bool = True,
        variables: Mapping[str, Sequence[str]] | None = None,
    ):
        if not tolerance > 0:
            raise ConfigurationError(f"tolerance {tolerance}: must be positive")
        if not 1 <= max_nodes <= MAX_NODES:
            raise ConfigurationError(f"max_nodes {max_nodes}: must be between 1 and {MAX_NODES}")
        network = read_output(model, output)
        source = functional(network.source)
        self.inputs = named_inputs(source, inputs)
        self.target = Target.choose(target, network.units, classes, len(self))
        readout = Readout.of(network, self.target)
        self.variables = named_columns(self.inputs, variables)
        shapes = {name: values.shape[1:] for name, values in self.inputs.items()}
        fixed = frozen_elements(frozen, shapes, self.variables) if len(frozen) else {}
        whole = [name for name, elements in fixed.items() if elements.all()]
        self.sample, self.shapes = sample_of(baseline, source, self.inputs, variables, whole), shapes
        self.tokens = token_inputs(source, whole)
        self.moved = self.tokens.packed(self.inputs), self.tokens.packed(self.sample.arrays)
        if self.tokens.layers:
            network = read_output(self.tokens.model, output)
            fixed = self.tokens.frozen(fixed, shapes, self.moved[0])
        choice = PathChoice(*self.moved, self.target, fixed, tolerance)
        self.integrator, path_settings = choice.integrator(network, readout, padding, fast)
        self.tolerance, self.max_nodes = tolerance, max_nodes
        self.settings: JsonObject = {
            "method": "integrated_gradients", "target": described(target), "output": output, "head": network.head,
            "tolerance": tolerance,
            "baseline": self.sample.provenance,
            "effective_baselines": round(self.sample.effective, 3),
            "linear_stem": list(self.integrator.stem.linear),
            **({"frozen": list(frozen)} if len(frozen) else {}), **path_settings,
        }  # fmt: skip
        self._pairs, self._within = 0, 0
        self._nodes: dict[int, int] = {}
        self.worst, self.agreement, self.is_stuck = 0.0, 1.0, False

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def pairs(self, drawn: Array | None = None) -> Iterator[Pairs]:
        """Integrate all pairs (or the drawn ones) and count them; see `event_baseline_pairs`."""
        for pairs in event_baseline_pairs(
            self.integrator, *self.moved, self.target, self.tolerance, self.max_nodes, drawn
        ):
            self._tally(pairs)
            yield replace(pairs, attribution=self.tokens.by_token(pairs.attribution))

    def _tally(self, pairs: Pairs) -> None:
        """Count the pairs of a block, those within the tolerance, and their nodes."""
        self._pairs += pairs.error.size
        self.agreement = min(self.agreement, pairs.agreement)
        self.is_stuck |= pairs.is_stuck
        self._within += int(np.sum(pairs.within))
        self.worst = max(self.worst, float(np.nanmax(np.abs(pairs.error), initial=0.0)))
        for nodes, count in zip(*np.unique(pairs.nodes, return_counts=True), strict=True):
            self._nodes[int(nodes)] = self._nodes.get(int(nodes), 0) + int(count)

    def _masks(self) -> str:
        """A hint at inputs of zeros and ones that move, through which networks change abruptly."""
        found = [
            name for name, values in self.inputs.items()
            if not self.integrator.paths.is_frozen(name) and np.isin(values, (0, 1)).all()
        ]  # fmt: skip
        return f", or freeze the mask: frozen={found!r}" if found else ""

    def report(self) -> JsonObject:
        """The settings and the accuracy that was reached; warns if the tolerance was not reached."""
        share = self._within / self._pairs if self._pairs else 1.0
        least = min(share, self.agreement)
        reached = least >= REACHED
        if not reached:
            remedy = (
                "more nodes change nothing, since f jumps on the way: a mask or threshold of the network changes "
                "there. Freeze what it reads (frozen=[...]), or choose baselines with the mask of the events"
                if self.is_stuck
                else "raise max_nodes or tolerance" + self._masks()
            )
            warnings.warn(
                f"only {100 * least:.1f}% of the (event, baseline) pairs are within the tolerance {self.tolerance:g} "
                f"with at most {self.max_nodes} nodes (largest error {self.worst:.2g}): see within_tolerance of each "
                f"event; {remedy}",
                UserWarning,
                stacklevel=3,
            )
        return {
            **self.settings, "pairs": self._pairs, "pairs_within_tolerance": round(share, 6),
            "sample_within_tolerance": round(self.agreement, 6), "tolerance_reached": reached,
            "largest_error": self.worst,
            "nodes": {str(nodes): count for nodes, count in sorted(self._nodes.items())},
        }  # fmt: skip


def integrated_gradients(
    model: keras.Model,
    inputs: Arrays | Sequence[Array],
    baseline: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    tolerance: float = 1e-3,
    *,
    classes: Sequence[str] = CLASSES,
    baselines_per_event: int | None = None,
    max_nodes: int = 128,
    seed: int = 1,
    frozen: Sequence[str] = (),
    padding: PaddingLike = PADDING,
    fast: bool = True,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Attribution of every input element to the explained output, by Integrated Gradients.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model of any precision; of inputs of tokens (integers) each token has the sum of the
        attributions of its vector
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    baseline : Baseline, Sample, dict or list of arrays, or array
        a baseline object (`Blank`, `Event`, `Averaged`, `Mean`, `Sample`), or scaled arrays, by input name or in the
        model's order: of one event, or of a sample over which attributions are averaged with equal weights
    target : str, int or sequence
        "predicted" (the likeliest class of each event), "signal", "background", another name in `classes`, or an index;
        "A-B", the difference of two of them; or a name or index for each event
    output : str
        "logit": the log-odds ln(p / (1 - p)) of the target, which is the difference of the two logits for a softmax of
        two, and ln(p_A / p_B) for a target "A-B"; "probability": p, and p_A - p_B; "value": the output of the model as
        it is, as for a regression. For a model with several outputs the name of one, or `name:kind`
    tolerance : float
        allowed difference between the sum of attributions and f(x) - f(x'), and allowed error of each attribution, for
        95% of all pairs of an event and a baseline: relative to the absolute value of f(x) - f(x') where that is above
        1, and else in units of the explained output; for an output that is neither a log-odds nor a probability,
        relative to its root mean square difference. It decides the number of nodes of the quadrature. The sum is
        compared in all pairs; each feature is compared with the result of many more nodes in a sample of the pairs, or
        in all of them if they are few
    classes : sequence of str, optional
        names of the outputs, in their order; for a single output, the names of -logit and +logit
    baselines_per_event : int, optional
        number of baselines that are drawn for each event, by their weights, instead of taking all; the attributions
        then come with their standard error
    max_nodes : int
        largest number of nodes; 10 are enough for smooth networks, while the error of piecewise linear ones (ReLU) only
        falls as 1 / nodes
    seed : int
        seed of the drawing of baselines
    frozen : sequence of str, optional
        inputs and columns that have the values of the event all along the path, so that nothing is attributed to them:
        names of inputs (as a mask), names of columns, `input.column`, or `input[i]`. A baseline may lack frozen inputs
    padding : str or dict, optional
        "event": steps of a list that a Masking layer finds padded in the event stay so on the path, and those that only
        the event has begin as blank particles (zero in all columns), which exist; `reference` is f of such baselines.
        A dict says the value of padded steps of an input, for networks that make their mask otherwise. "free": straight
        lines between all values
    fast : bool
        False: do not make use of the first layers being linear along a path
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    Attribution
        `relevance` and `residual` are averaged over baselines with their weights. `settings` holds the provenance of
        the baselines, their effective number, the numbers of nodes, and the share of pairs within the tolerance;
        `within_tolerance` holds this share for each event.

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, or the inputs or the baseline do not fit the model
    ModelError
        if the model has no gradient, cannot be evaluated, or has an end that is not understood

    Warns
    -----
    UserWarning
        if the tolerance is not reached for 95% of the pairs

    References
    ----------
    M. Sundararajan, A. Taly, Q. Yan, ICML 2017, arXiv:1703.01365, equation 1; J. Bardhan, C. Neeraj, M. Rawat,
    S. Mitra, "Constructing sensible baselines for Integrated Gradients", equation 2 (averaged baselines).
    """
    job = IntegrationJob(
        model, inputs, baseline, target, output, tolerance, max_nodes,
        classes=classes, frozen=frozen, padding=padding, fast=fast, variables=variables,
    )  # fmt: skip
    drawn = None
    if baselines_per_event is not None:
        if baselines_per_event < 2:
            raise ConfigurationError(f"baselines_per_event {baselines_per_event}: at least 2 give a standard error")
        drawn = np.random.default_rng(seed).choice(
            len(job.sample), (len(job), baselines_per_event), p=job.sample.weights
        )
        job.settings |= {"baselines_per_event": baselines_per_event, "seed": seed}
    return attribute(job, drawn, on_events=on_events)


def attribute(
    job: IntegrationJob,
    drawn: Array | None = None,
    on_pairs: Callable[[Pairs], None] = lambda pairs: None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Attributions averaged over baselines, in one pass over all pairs.

    Parameters
    ----------
    job : IntegrationJob
        the integration
    drawn : (events, k) array of int, optional
        rows of the baselines of each event, drawn by their weights
    on_pairs : callable, optional
        called with every block of pairs
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    Attribution
    """
    n, weights = len(job), job.sample.weights
    sums = {name: np.zeros(values.shape) for name, values in job.inputs.items()}
    squares = {name: np.zeros(values.shape) for name, values in job.inputs.items()} if drawn is not None else {}
    logit, reference, within = np.zeros(n), np.zeros(n), np.zeros(n)
    finished = 0
    for pairs in job.pairs(drawn):
        rows = pairs.rows
        w = weights[pairs.columns] if drawn is None else np.full(pairs.columns.shape, 1 / drawn.shape[1])
        for name, values in pairs.attribution.items():
            sums[name][rows] += weighted(w, values)
            if drawn is not None:
                squares[name][rows] += weighted(w, values.astype(np.float64) ** 2)
        logit[rows] = pairs.logit
        reference[rows] += (w * pairs.reference).sum(axis=1)
        within[rows] += (w * pairs.within).sum(axis=1)
        on_pairs(pairs)
        on_events(rows.stop - finished)
        finished = rows.stop
    errors = None
    if drawn is not None:
        errors = {
            name: np.sqrt(np.maximum(square - sums[name] ** 2, 0) / (drawn.shape[1] - 1)).astype(np.float32)
            for name, square in squares.items()
        }
    relevance = {name: values.astype(np.float32) for name, values in sums.items()}
    found = Attribution(
        relevance, logit, job.variables, job.report(),
        reference=reference, within_tolerance=within.round(12), standard_error=errors,
    )  # fmt: skip
    if found.lost:
        warnings.warn(
            f"{found.lost} of {n} events are lost: f is no finite number at the event, at one of its baselines, or on "
            "the way. Their relevance is not finite, and summaries leave them out (see Attribution.is_lost)",
            UserWarning,
            stacklevel=3,
        )
    return found


def weighted(w: Array, values: Array) -> Array:
    """Sum over baselines of w (events, baselines) times values (events, baselines, ...)."""
    flat = values.reshape(*values.shape[:2], -1)
    summed: Array = np.einsum("eb,ebf->ef", w.astype(values.dtype), flat)
    return summed.reshape(len(values), *values.shape[2:])
