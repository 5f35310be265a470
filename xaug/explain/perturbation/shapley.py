"""Shapley values of groups of inputs: the only shares that are efficient, symmetric and additive.

Let v(S) be f(x with all groups but those of S from x'), averaged over baselines x'. The Shapley value of group g is its
mean contribution v(S + g) - v(S) over all orders in which groups may be added, S being those before it. All values add
up to f(x) - f(x').

With G groups, v is computed for all 2^G sets where that is possible. Otherwise orders are drawn, each together with its
reverse, whose errors tend to cancel. Any number of orders adds up exactly.

References
----------
L. Shapley, in Contributions to the Theory of Games II (1953) 307; S. Lundberg, S.-I. Lee, arXiv:1705.07874;
J. Castro et al., Computers & Operations Research 36 (2009) 1726 (sampling); R. Mitchell et al., arXiv:2104.12199
(reverse orders).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import standard_error
from xaug.core.types import Array
from xaug.explain.attribution import Attribution
from xaug.explain.draws import DRAWS, draw_baselines, generator_of
from xaug.explain.estimate import announced, unfollowed
from xaug.explain.gradients.samples import BaselineLike, Sample, sample_of
from xaug.explain.groups import GroupsLike, read_groups
from xaug.explain.output_function import OutputFunction
from xaug.explain.perturbation.changed_events import ChangedEvents
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    import keras

    from xaug.explain.gradients.integration import TargetLike

__all__ = ["EXACT", "shapley_values"]

EXACT = 10
"""Number of groups up to which all sets of groups are evaluated."""
LARGEST = 16
"""Number of groups up to which that can be asked for."""


def shapley_values(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    baseline: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    groups: GroupsLike = "features",
    exact: bool | None = None,
    draws: int = DRAWS,
    seed: int = 1,
    classes: Sequence[str] = CLASSES,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = unfollowed,
) -> Attribution:
    """Shapley value of each group of inputs.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    baseline : Baseline, Sample, dict or list of arrays, or array
        what groups that are not in a set are replaced by, see `xaug.explain.integrated_gradients`
    target : str, int or sequence
        class that is explained, see there
    output : str
        output that is explained, see there
    groups : str or dict of lists of str
        "features", "inputs", "columns", "particles", or names of inputs and columns by group, see
        `xaug.explain.groups`
    exact : bool, optional
        True: all sets of at most 16 groups, for each of the drawn baselines; False: orders are drawn; None: all sets of
        up to 10 groups, and orders of more
    draws : int
        baselines that are drawn for each event, if there are more. Where orders are drawn, this is the number of pairs
        of orders, each with a baseline of its own
    seed : int
        seed of the drawing
    classes : sequence of str
        names of the outputs, in their order
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done, block by block

    Returns
    -------
    Attribution
        `relevance` by input name, where the elements of a group have equal parts of its value, in units of the
        explained output; they add up to f(x) less `reference`, the mean output of the baselines that were taken.
        `standard_error` where baselines or orders were drawn

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, groups overlap or leave inputs out, there are too many for an exact result, or
        the inputs or the baseline do not fit the model
    ModelError
        if the model cannot be evaluated

    References
    ----------
    L. Shapley (1953); S. Lundberg, S.-I. Lee, arXiv:1705.07874, equation 4 and section 4 (features as independent).
    """
    f = OutputFunction(model, inputs, target, output, classes, variables)
    sample = sample_of(baseline, f.network.source, f.inputs, f.variables)
    read = read_groups(groups, {name: v.shape[1:] for name, v in f.inputs.items()}, f.variables)
    if exact and len(read) > LARGEST:
        raise ConfigurationError(
            f"exact Shapley values of {len(read)} groups need 2^{len(read)} evaluations of each event; form at most "
            f"{LARGEST} groups, or leave exact out to draw orders"
        )
    by_sets = len(read) <= EXACT if exact is None else exact
    replaced, rng = ChangedEvents(f, read, sample.arrays), generator_of(seed, f.inputs)
    compute = _by_sets if by_sets else _by_orders
    on_events = announced("Shapley values", len(f), on_events)
    values, errors, reference, drawn = compute(replaced, sample, draws, rng, on_events)
    settings = f.settings(
        "shapley", **read.settings(groups), exact=by_sets, baseline=sample.provenance,
        effective_baselines=round(sample.effective, 3), **drawn, seed=seed,
    )  # fmt: skip
    relevance, error = ({n: a.astype(np.float32) for n, a in read.spread(v).items()} for v in (values, errors))
    has_error = not (by_sets and drawn["all_baselines"])
    return Attribution(
        relevance, f.logit, f.variables, settings, reference=reference, standard_error=error if has_error else None
    )


Result = tuple[Array, Array, Array, dict[str, object]]
"""Values and their errors (n, groups), mean output of the baselines (n,), and settings."""


def _by_sets(
    replaced: ChangedEvents, sample: Sample, draws: int, rng: np.random.Generator, on_events: Callable[[int], None]
) -> Result:
    """All sets of groups, for each baseline of an event."""
    f, count = replaced.f, len(replaced.groups)
    drawn = draw_baselines(sample, len(f), draws, rng)
    kept = (np.arange(2**count)[:, None] >> np.arange(count)) % 2 == 1
    factors, k = _factors(kept), drawn.rows.shape[1]
    values, errors, reference = np.zeros((len(f), count)), np.zeros((len(f), count)), np.zeros(len(f))
    for events in replaced.blocks(k * len(kept)):
        m = len(events)
        of_event, of_baseline = np.repeat(events, k * len(kept)), np.repeat(drawn.rows[events], len(kept))
        v = replaced.values(of_event, of_baseline, np.tile(kept, (m * k, 1))).reshape(m, k, len(kept))
        each = v @ factors
        values[events], reference[events] = drawn.mean(each), drawn.mean(v[..., 0])
        error = drawn.error(each)
        errors[events] = 0.0 if error is None else error
        on_events(m)
    return values, errors, reference, drawn.settings


def _factors(kept: Array) -> Array:
    """Factors (sets, groups) of v(S) in each Shapley value: s! (G - s - 1)! / G!, of sets of s other groups."""
    count, size = kept.shape[1], kept.sum(axis=1)
    weight = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    of_kept, of_others = weight[np.maximum(size - 1, 0)], -weight[np.minimum(size, count - 1)]
    found: Array = np.where(kept, of_kept[:, None], of_others[:, None])
    return found


def _by_orders(
    replaced: ChangedEvents, sample: Sample, draws: int, rng: np.random.Generator, on_events: Callable[[int], None]
) -> Result:
    """Drawn orders and their reverses, each pair with a drawn baseline."""
    if draws < 2:
        raise ConfigurationError(f"draws {draws}: at least 2 pairs of orders give a standard error")
    f, count = replaced.f, len(replaced.groups)
    values, errors, reference = np.zeros((len(f), count)), np.zeros((len(f), count)), np.zeros(len(f))
    for events in replaced.blocks(2 * draws * (count + 1)):
        m = len(events)
        baselines = rng.choice(len(sample), (m, draws), p=sample.weights)
        place = rng.permuted(np.broadcast_to(np.arange(count), (m, draws, count)), axis=2)  # of each group in the order
        places = np.stack([place, count - 1 - place], axis=2)  # (m, draws, 2, groups)
        kept = places[..., None, :] < np.arange(count + 1)[:, None]  # (m, draws, 2, steps, groups)
        shape = kept.shape[:-1]
        of_event = np.broadcast_to(events[:, None, None, None], shape).ravel()
        of_baseline = np.broadcast_to(baselines[:, :, None, None], shape).ravel()
        v = replaced.values(of_event, of_baseline, kept.reshape(-1, count)).reshape(shape)
        each = np.take_along_axis(np.diff(v, axis=-1), places, axis=-1).mean(axis=2)  # (m, draws, groups)
        values[events], errors[events] = each.mean(axis=1), standard_error(each, axis=1)
        reference[events] = v[..., 0].mean(axis=(1, 2))
        on_events(m)
    return values, errors, reference, {"draws": draws, "all_baselines": False}
