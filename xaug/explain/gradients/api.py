"""Integrated Gradients, for one baseline or averaged over a sample of them.

The attribution of feature i of event x is (x_i - x'_i) times the integral of df/dx_i along the straight path from
the baseline x' to x; over all features it adds up to f(x) - f(x') (completeness). Over several baselines the
attributions are averaged, never the baselines.

References
----------
M. Sundararajan, A. Taly, Q. Yan, ICML 2017, arXiv:1703.01365 (method); J. Bardhan, C. Neeraj, M. Rawat, S. Mitra,
"Constructing sensible baselines for Integrated Gradients", equations 1 and 2 (averaged baselines).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.explain.attribution import Attribution
from xaug.explain.gradients.event_baseline_pairs import REACHED, Pairs, sweep
from xaug.explain.gradients.integrator import MAX_NODES, OUTPUTS, Integrator, integrator
from xaug.explain.gradients.samples import Baseline, Sample, sample_of
from xaug.explain.targets import Target, logits_of, named_inputs

__all__ = ["IntegrationJob", "attribute", "integrated_gradients"]


class IntegrationJob:
    """What is common to attributions of events and of classes: checked arguments, and a tally of all pairs.

    Parameters are those of `integrated_gradients`.
    """

    def __init__(self, model, inputs, baseline, target, output, tolerance, max_nodes, *, fast=True, variables=None):
        if output not in OUTPUTS:
            raise unknown_name("output", str(output), OUTPUTS)
        if not tolerance > 0:
            raise ConfigurationError(f"tolerance {tolerance}: must be positive")
        if not 1 <= max_nodes <= MAX_NODES:
            raise ConfigurationError(f"max_nodes {max_nodes}: must be between 1 and {MAX_NODES}")
        logits = logits_of(model)
        self.path: Integrator = integrator(model, logits, output, fast)
        self.target = Target.choose(target, logits.units)
        self.inputs = named_inputs(model, inputs)
        self.sample: Sample = sample_of(baseline, model, self.inputs, variables)
        self.tolerance, self.max_nodes = tolerance, max_nodes
        self.variables = {name: list((variables or {}).get(name, [])) for name in self.inputs}
        self.settings = {
            "method": "integrated_gradients", "target": target, "output": output, "tolerance": tolerance,
            "baseline": self.sample.provenance,
            "effective_baselines": round(self.sample.effective, 3),
            "linear_front": list(self.path.front.linear),
        }  # fmt: skip
        self._pairs, self._within, self._nodes = 0, 0, {}
        self.worst = 0.0

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def sweep(self, drawn: np.ndarray | None = None):
        """Blocks of pairs, tallied."""
        for pairs in sweep(
            self.path, self.inputs, self.sample.arrays, self.target, self.tolerance, self.max_nodes, drawn
        ):
            self._tally(pairs)
            yield pairs

    def _tally(self, pairs: Pairs) -> None:
        self._pairs += pairs.error.size
        self._within += int(np.sum(np.abs(pairs.error) <= self.tolerance))
        self.worst = max(self.worst, float(np.abs(pairs.error).max()))
        for nodes, count in zip(*np.unique(pairs.nodes, return_counts=True), strict=True):
            self._nodes[int(nodes)] = self._nodes.get(int(nodes), 0) + int(count)

    def report(self) -> dict:
        """Settings, and what was reached; warns if the tolerance was not."""
        share = self._within / self._pairs if self._pairs else 1.0
        if share < REACHED:
            warnings.warn(
                f"only {100 * share:.1f}% of the (event, baseline) pairs are within the tolerance {self.tolerance:g} "
                f"with at most {self.max_nodes} nodes (largest error {self.worst:.2g}): see within_tolerance of each "
                "event; raise max_nodes or tolerance",
                UserWarning,
                stacklevel=3,
            )
        return {
            **self.settings, "pairs": self._pairs, "pairs_within_tolerance": round(share, 6),
            "tolerance_reached": share >= REACHED, "largest_error": self.worst,
            "nodes": {str(nodes): count for nodes, count in sorted(self._nodes.items())},
        }  # fmt: skip


def integrated_gradients(
    model,
    inputs,
    baseline: Baseline | Sample | dict,
    target: str | int = "signal",
    output: str = "logit",
    tolerance: float = 1e-3,
    *,
    baselines_per_event: int | None = None,
    max_nodes: int = 128,
    seed: int = 1,
    fast: bool = True,
    variables: dict[str, list[str]] | None = None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Attribution of every input element for the explained output, by Integrated Gradients.

    Parameters
    ----------
    model : keras.Model
        functional, ending in softmax or sigmoid
    inputs
        scaled inputs: a dict by input name, or a list in the model's order
    baseline
        a baseline object (`xaug.explain.gradients.baselines`), or a dict of scaled arrays by input name: of one event,
        or of a sample over which attributions are averaged with equal weights
    target
        "predicted" (the likelier class of each event), "signal", "background" or an index
    output
        "logit": the log-odds ln(p / (1 - p)) of the target, which is the difference of the two logits of a softmax
        of two; "probability": p
    tolerance
        of |sum of attributions - (f(x) - f(x'))|, in units of the explained output, for 95% of all pairs of an event
        and a baseline; the number of nodes of the quadrature follows from it
    baselines_per_event
        so many baselines are drawn for each event, by their weights, instead of taking all; the attributions then
        come with their standard error
    max_nodes
        nodes at most; 10 are enough for smooth networks, while the error of piecewise linear ones (ReLU) only falls as
        1 / nodes
    seed
        of the drawing
    fast
        False: never use that the first layer is linear along a path
    variables
        names of the columns of each input, carried along
    on_events
        called with the number of events done, block by block

    Returns
    -------
    Attribution
        `relevance` is averaged over baselines with their weights, and so is `residual`; `settings` has the baselines'
        provenance, their effective number, the nodes used and the share of pairs within the tolerance, which
        `within_tolerance` has for each event

    Warns
    -----
    UserWarning
        if the tolerance is not reached for 95% of the pairs
    """
    job = IntegrationJob(model, inputs, baseline, target, output, tolerance, max_nodes, fast=fast, variables=variables)
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
    drawn: np.ndarray | None = None,
    also: Callable[[Pairs], None] = lambda pairs: None,
    on_events: Callable[[int], None] = lambda n: None,
) -> Attribution:
    """Attributions averaged over baselines, in one pass over all pairs.

    Parameters
    ----------
    drawn : (events, k) int, optional
        the baselines of each event, drawn by their weights
    also
        called with every block of pairs
    """
    n, weights = len(job), job.sample.weights
    sums = {name: np.zeros(values.shape) for name, values in job.inputs.items()}
    squares = {name: np.zeros(values.shape) for name, values in job.inputs.items()} if drawn is not None else {}
    logit, reference, within = np.zeros(n), np.zeros(n), np.zeros(n)
    finished = 0
    for pairs in job.sweep(drawn):
        rows = pairs.rows
        w = weights[pairs.columns] if drawn is None else np.full(pairs.columns.shape, 1 / drawn.shape[1])
        for name, values in pairs.attribution.items():
            sums[name][rows] += weighted(w, values)
            if drawn is not None:
                squares[name][rows] += weighted(w, values.astype(np.float64) ** 2)
        logit[rows] = pairs.logit
        reference[rows] += (w * pairs.reference).sum(axis=1)
        within[rows] += (w * (np.abs(pairs.error) <= job.tolerance)).sum(axis=1)
        also(pairs)
        on_events(rows.stop - finished)
        finished = rows.stop
    errors = None
    if drawn is not None:
        errors = {
            name: np.sqrt(np.maximum(square - sums[name] ** 2, 0) / (drawn.shape[1] - 1)).astype(np.float32)
            for name, square in squares.items()
        }
    relevance = {name: values.astype(np.float32) for name, values in sums.items()}
    return Attribution(
        relevance, logit, job.variables, job.report(),
        reference=reference, within_tolerance=within.round(12), standard_error=errors,
    )  # fmt: skip


def weighted(w: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum over baselines of w (events, baselines) times values (events, baselines, ...)."""
    flat = values.reshape(*values.shape[:2], -1)
    return np.einsum("eb,ebf->ef", w.astype(values.dtype), flat).reshape(len(values), *values.shape[2:])
