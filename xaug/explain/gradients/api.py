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
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.kinds import is_number, is_whole
from xaug.core.types import Array, Arrays
from xaug.explain.attribution import Attribution
from xaug.explain.checkpoint import Checkpoint, Resumable, StoredArrays
from xaug.explain.disk_arrays import zeros_in_memory
from xaug.explain.gradients.conventions import PADDING, PaddingLike
from xaug.explain.gradients.drawn import OnBlock, draw_integral, pays
from xaug.explain.gradients.integration import IntegrationJob, TargetLike
from xaug.explain.gradients.pairs import Pairs
from xaug.explain.gradients.samples import BaselineLike
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    import keras

__all__ = ["PRECISION", "attribute", "attribute_drawn", "integrated_gradients"]

PRECISION = 0.02
"""Error that drawing may add by default, relative to the largest feature."""


def integrated_gradients(
    model: keras.Model,
    inputs: Arrays | Sequence[Array],
    baseline: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    tolerance: float = 1e-3,
    *,
    classes: Sequence[str] = CLASSES,
    precision: float | None = PRECISION,
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
    precision : float, optional
        error that may be added by drawing, relative to the mean absolute attribution of the largest feature: of each
        feature both the standard error (root mean square over events) and what noise adds to its mean absolute
        attribution. With many events and more than 8 baselines networks are then evaluated at as many drawn places of
        paths as that needs, which is faster by one to two orders of magnitude; the attributions come with their
        standard error and add up to f(x) - f(x'), see `settings` for `precision_reached`. None or 0: always integrate
        every pair of an event and a baseline to the tolerance
    baselines_per_event : int, optional
        number of baselines that are drawn for each event, by their weights, instead of taking all; each pair is
        integrated, and the attributions come with their standard error
    max_nodes : int
        largest number of nodes; 10 are enough for smooth networks, while the error of piecewise linear ones (ReLU) only
        falls as 1 / nodes
    seed : int
        seed of all drawing
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
        if not is_whole(baselines_per_event) or baselines_per_event < 2:
            raise ConfigurationError(
                f"baselines_per_event {baselines_per_event!r}: a whole number, at least 2, gives a standard error"
            )
        drawn = np.random.default_rng(seed).choice(
            len(job.sample), (len(job), baselines_per_event), p=job.sample.weights
        )
        job.settings |= {"baselines_per_event": baselines_per_event, "seed": seed}
        return attribute(job, drawn, on_events=on_events)
    found = attribute_drawn(job, precision, seed, on_events=on_events)
    return attribute(job, on_events=on_events) if found is None else found


def attribute_drawn(
    job: IntegrationJob,
    precision: float | None,
    seed: int,
    on_block: OnBlock = lambda block: None,
    on_events: Callable[[int], None] = lambda n: None,
    checkpoint: Checkpoint | None = None,
    kept: Mapping[str, Resumable] | None = None,
) -> Attribution | None:
    """Attributions from drawn places of paths; None where the full product is asked for, possible, or better.

    Parameters
    ----------
    job : IntegrationJob
        the integration
    precision : float, optional
        see `integrated_gradients`
    seed : int
        seed of the drawing
    on_block : callable, optional
        called with the attributions at all places, block by block
    on_events : callable, optional
        called with the number of events done, block by block
    checkpoint : Checkpoint, optional
        where sums are kept, so that another process can go on
    kept : dict of Resumable, optional
        what it keeps of the caller: the sums of `on_block`

    Returns
    -------
    Attribution or None
    """
    if precision is not None and not (is_number(precision) and 0 <= precision < np.inf):
        raise ConfigurationError(f"precision {precision!r}: must be positive, or 0 for all pairs")
    if not precision or not pays(job):
        return None
    drawn = draw_integral(job, precision, seed, on_block, on_events, checkpoint, kept)
    if drawn is None:
        return None
    settings = {key: value for key, value in job.settings.items() if key != "tolerance"} | drawn.settings
    if drawn.settings["precision_reached"] > precision:
        warnings.warn(
            f"the attributions have a precision of {drawn.settings['precision_reached']:.3g} after "
            f"{drawn.settings['places_per_event']} places for each event, not of {precision:g}: see standard_error; "
            "choose precision=None for all pairs",
            UserWarning,
            stacklevel=3,
        )
    found = Attribution(
        drawn.relevance, drawn.logit, job.variables, settings,
        reference=drawn.reference, standard_error=drawn.standard_error,
    )  # fmt: skip
    _warn_of_lost(found)
    return found


def _warn_of_lost(found: Attribution) -> None:
    """Warn of events whose attributions are no finite numbers."""
    if found.lost:
        warnings.warn(
            f"{found.lost} of {len(found)} events are lost: f is no finite number at the event, at one of its "
            "baselines, or on the way. Their relevance is not finite, and summaries leave them out (see "
            "Attribution.is_lost)",
            UserWarning,
            stacklevel=4,
        )


def attribute(
    job: IntegrationJob,
    drawn: Array | None = None,
    on_pairs: Callable[[Pairs], None] = lambda pairs: None,
    on_events: Callable[[int], None] = lambda n: None,
    checkpoint: Checkpoint | None = None,
    kept: Mapping[str, Resumable] | None = None,
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
    checkpoint : Checkpoint, optional
        where sums are kept, so that another process can go on
    kept : dict of Resumable, optional
        what it keeps of the caller: the sums of `on_pairs`

    Returns
    -------
    Attribution
    """
    n, weights = len(job), job.sample.weights
    zeros = zeros_in_memory if checkpoint is None else checkpoint.zeros
    sums = {name: zeros(values.shape) for name, values in job.inputs.items()}
    squares = {name: zeros(values.shape) for name, values in job.inputs.items()} if drawn is not None else {}
    logit, reference, within = np.zeros(n), np.zeros(n), np.zeros(n)
    own = {"logit": logit, "reference": reference, "within": within}
    own |= {f"{kind}/{name}": v for kind, named in (("sum", sums), ("square", squares)) for name, v in named.items()}
    holders: dict[str, Resumable] = {"own": StoredArrays(own), "tally": job, **(kept or {})}
    place = checkpoint.begin("pairs", holders) if checkpoint is not None else None
    blocks, finished = place or (0, 0)
    on_events(finished)
    for pairs in job.pairs(drawn, blocks):
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
        blocks, finished = blocks + 1, rows.stop
        if checkpoint is not None:
            checkpoint.offer(blocks, finished)
    errors = None
    if drawn is not None:
        errors = {
            name: np.sqrt(np.maximum(square - sums[name] ** 2, 0) / (drawn.shape[1] - 1)).astype(np.float32)
            for name, square in squares.items()
        }
    relevance = {name: zeros(values.shape, np.float32) for name, values in sums.items()}
    for name, values in sums.items():
        relevance[name][...] = values
    found = Attribution(
        relevance, logit, job.variables, job.report(),
        reference=reference, within_tolerance=within.round(12), standard_error=errors,
    )  # fmt: skip
    _warn_of_lost(found)
    return found


def weighted(w: Array, values: Array) -> Array:
    """Sum over baselines of w (events, baselines) times values (events, baselines, ...)."""
    flat = values.reshape(*values.shape[:2], -1)
    summed: Array = np.einsum("eb,ebf->ef", w.astype(values.dtype), flat)
    return summed.reshape(len(values), *values.shape[2:])
