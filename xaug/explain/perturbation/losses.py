"""Occlusion and permutation: what the output loses when a group of inputs is replaced.

The share of a group in f(x) is f(x) - f(x with this group from x'), averaged over baselines x'. Where x' is blank this
is occlusion; where x' are other events of the same sample, it is permutation. Shares of the groups do not add up to
anything: of two copies of a variable each can be replaced at no loss, and neither gets a share.

References
----------
M. Zeiler, R. Fergus, arXiv:1311.2901 (occlusion); L. Breiman, Machine Learning 45 (2001) 5 (permutation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.explain.attribution import Attribution
from xaug.explain.checkpoint import Checkpoint, StoredArrays
from xaug.explain.disk_arrays import Zeros, blocks_of, zeros_in_memory
from xaug.explain.draws import DRAWS, Draws, draw_baselines, generator_of
from xaug.explain.estimate import announced, unfollowed
from xaug.explain.gradients.samples import BaselineLike, sample_of
from xaug.explain.groups import FeatureGroups, GroupsLike, read_groups
from xaug.explain.output_function import OutputFunction
from xaug.explain.perturbation.changed_events import ChangedEvents
from xaug.explain.targets import CLASSES

if TYPE_CHECKING:
    import keras

    from xaug.explain.gradients.integration import TargetLike

__all__ = ["occlusion", "permutation"]


def occlusion(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    baseline: BaselineLike,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    groups: GroupsLike = "features",
    draws: int = DRAWS,
    seed: int = 1,
    classes: Sequence[str] = CLASSES,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = unfollowed,
) -> Attribution:
    """Loss of the explained output when one group of inputs at a time is that of a baseline.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    baseline : Baseline, Sample, dict or list of arrays, or array
        what groups are replaced by, see `xaug.explain.integrated_gradients`
    target : str, int or sequence
        class that is explained, see there
    output : str
        output that is explained, see there
    groups : str or dict of lists of str
        "features", "inputs", "columns", "particles", or names of inputs and columns by group, see
        `xaug.explain.groups`
    draws : int
        baselines that are drawn for each event, if there are more
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
        `relevance` by input name, where the elements of a group have equal parts of its share, in units of the
        explained output; `standard_error` where baselines were drawn. Shares need not add up

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, groups overlap or leave inputs out, or the inputs or the baseline do not fit
        the model
    ModelError
        if the model cannot be evaluated

    References
    ----------
    M. Zeiler, R. Fergus, arXiv:1311.2901.
    """
    f = OutputFunction(model, inputs, target, output, classes, variables)
    sample = sample_of(baseline, f.network.source, f.inputs, f.variables)
    drawn = draw_baselines(sample, len(f), draws, generator_of(seed, f.inputs))
    settings = {
        "baseline": sample.provenance, "effective_baselines": round(sample.effective, 3), **drawn.settings,
        "seed": seed,
    }  # fmt: skip
    return _losses("occlusion", f, groups, sample.arrays, drawn, settings, on_events)


def permutation(
    model: keras.Model,
    inputs: Mapping[str, Array] | Sequence[Array] | Array,
    target: TargetLike = "signal",
    output: str = "logit",
    *,
    groups: GroupsLike = "features",
    draws: int = DRAWS,
    seed: int = 1,
    classes: Sequence[str] = CLASSES,
    variables: Mapping[str, Sequence[str]] | None = None,
    on_events: Callable[[int], None] = unfollowed,
    checkpoint: Checkpoint | None = None,
) -> Attribution:
    """Loss of the explained output when one group of inputs at a time is that of other events of the sample.

    Parameters
    ----------
    model : keras.Model
        functional or Sequential model
    inputs : dict or list of arrays
        scaled inputs, each (n, ...): a dict by input name, or a list in the model's order
    target : str, int or sequence
        class that is explained, see `xaug.explain.integrated_gradients`
    output : str
        output that is explained, see there
    groups : str or dict of lists of str
        groups that are replaced together, see `occlusion`
    draws : int
        other events that are drawn for each event
    seed : int
        seed of the drawing
    classes : sequence of str
        names of the outputs, in their order
    variables : dict of list of str, optional
        names of the columns of each input, which the attribution keeps
    on_events : callable, optional
        called with the number of events done, block by block
    checkpoint : Checkpoint, optional
        where the shares are kept, block by block, so that another process can go on

    Returns
    -------
    Attribution
        as of `occlusion`

    Raises
    ------
    ConfigurationError
        if an argument has a wrong value, groups overlap or leave inputs out, the inputs do not fit the model, or there
        are fewer than two events or draws
    ModelError
        if the model cannot be evaluated

    References
    ----------
    L. Breiman, Machine Learning 45 (2001) 5, which measures the loss of accuracy; here it is that of the output.
    """
    f = OutputFunction(model, inputs, target, output, classes, variables)
    n = len(f)
    if n < 2:
        raise ConfigurationError(f"permutation of {n} event: there is no other one to take inputs from; give several")
    if draws < 2:
        raise ConfigurationError(f"draws {draws}: at least 2 give a standard error")
    others = generator_of(seed, f.inputs).integers(1, n, (n, draws))
    drawn = Draws((np.arange(n)[:, None] + others) % n, np.full(draws, 1 / draws), False)
    settings: JsonObject = {**drawn.settings, "seed": seed}
    return _losses("permutation", f, groups, f.inputs, drawn, settings, on_events, checkpoint)


def _losses(
    method: str, f: OutputFunction, groups: GroupsLike, baselines: Arrays, drawn: Draws, settings: JsonObject,
    on_events: Callable[[int], None], checkpoint: Checkpoint | None = None,
) -> Attribution:  # fmt: skip
    """The loss of each group, averaged over the drawn baselines of each event."""
    read = read_groups(groups, {name: v.shape[1:] for name, v in f.inputs.items()}, f.variables)
    replaced, count, k = ChangedEvents(f, read, baselines), len(read), drawn.rows.shape[1]
    zeros = zeros_in_memory if checkpoint is None else checkpoint.zeros
    shares, errors = zeros((len(f), count)), zeros((len(f), count))
    on_events = announced(method, len(f), on_events)
    kept = ~np.eye(count, dtype=bool)
    holders = {"own": StoredArrays({"shares": shares, "errors": errors})}
    (done,) = (checkpoint.begin(method, holders) if checkpoint is not None else None) or (0,)
    on_events(done)
    for events in replaced.blocks(k * count, done):
        m = len(events)
        of_event, of_baseline = np.repeat(events, k * count), np.repeat(drawn.rows[events], count)
        values = replaced.values(of_event, of_baseline, np.tile(kept, (m * k, 1))).reshape(m, k, count)
        loss = f.logit[events, None, None] - values
        shares[events] = drawn.mean(loss)
        error = drawn.error(loss)
        errors[events] = 0.0 if error is None else error
        on_events(m)
        if checkpoint is not None:
            checkpoint.offer(int(events[-1]) + 1)
    return Attribution(
        _spread(read, shares, zeros), f.logit, f.variables,
        f.settings(method, **read.settings(groups), **settings),
        standard_error=None if drawn.is_complete else _spread(read, errors, zeros),
    )  # fmt: skip


def _spread(groups: FeatureGroups, shares: Array, zeros: Zeros) -> Arrays:
    """Shares (n, groups) as float32 arrays by input name."""
    n = len(shares)
    found = {name: zeros((n, *own.shape), np.float32) for name, own in groups.member.items()}
    for rows in blocks_of(n):
        for name, values in groups.spread(shares[rows]).items():
            found[name][rows] = values
    return found
