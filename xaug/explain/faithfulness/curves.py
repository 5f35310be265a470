"""Deletion and insertion: how the output of a network follows when inputs go, or come, in the order of an attribution.

The inputs of each event are divided into groups and ordered by their attribution towards the class that the network
predicts, the largest first. *Deletion* replaces the k first groups, *insertion* replaces all but the k first. With a
good attribution the output falls fast under deletion, and rises fast under insertion. Both areas depend on the network
and on what replaces; their difference, the *gain*, is zero on average for an attribution that knows nothing, whatever
the network, because to delete a random half is to insert the other half.

References
----------
W. Samek et al., IEEE Trans. Neural Netw. Learn. Syst. 28 (2017) 2660, arXiv:1509.06321 (deletion in the order of
relevance); V. Petsiuk et al., arXiv:1806.07421 (both areas); S. Bluecher et al., arXiv:2401.06654 (their difference,
there the symmetric relevance gain).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, Arrays
from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness.replacements import Replacement, check_fits, make_replacement
from xaug.explain.faithfulness.scoring import WatchedOutput
from xaug.explain.groups import FeatureGroups, GroupsLike, read_groups

if TYPE_CHECKING:
    import keras

__all__ = ["POINTS", "PerturbationCurves", "UnchangedOutputError", "deletion_curves"]

POINTS = 20
"""Points of a curve beside that of the whole event."""
CHUNK = 2048
"""Events whose curves are computed at a time."""
SAMPLES = 200
"""Bootstrap samples of the events."""


class UnchangedOutputError(ConfigurationError):
    """Raised where events that are replaced altogether are predicted as well as they are: curves have no height."""


@dataclass(frozen=True, eq=False)
class PerturbationCurves:
    """Deletion and insertion curves of n events.

    Attributes
    ----------
    fraction : (points,) array
        fraction of the groups that is deleted, or inserted, from 0 to 1
    deletion, insertion : (n, points) arrays
        explained output of each event towards the predicted class, in units of the output
    replacement : str
        name of what replaces
    """

    fraction: Array
    deletion: Array
    insertion: Array
    replacement: str

    @property
    def height(self) -> float:
        """Mean output of the whole events less that of events which are replaced altogether."""
        return float((self.deletion[:, 0] - self.deletion[:, -1]).mean())

    def normalised(self, curve: Array) -> Array:
        """The mean (points,) of curves (n, points): 1 for whole events, 0 for events replaced altogether."""
        mean: Array = (curve.mean(axis=0) - self.deletion[:, -1].mean()) / self.height
        return mean

    @property
    def areas(self) -> Array:
        """Areas (n, 2) below the deletion and insertion curve of each event, in units of the output."""
        width = np.diff(self.fraction)
        both = np.stack([self.deletion, self.insertion], axis=1)
        area: Array = 0.5 * ((both[..., 1:] + both[..., :-1]) * width).sum(axis=-1) - self.deletion[:, -1:]
        return area

    @property
    def deletion_area(self) -> float:
        """Area below the normalised deletion curve; smaller is better."""
        return float(self.areas[:, 0].mean() / self.height)

    @property
    def insertion_area(self) -> float:
        """Area below the normalised insertion curve; larger is better."""
        return float(self.areas[:, 1].mean() / self.height)

    @property
    def gain(self) -> float:
        """Insertion area less deletion area; 0 for an attribution that knows nothing, larger is better."""
        return self.insertion_area - self.deletion_area

    def replicas(self, samples: int = SAMPLES, seed: int = 0) -> Array:
        """Deletion area, insertion area and gain (samples, 3) of samples of the events.

        Curves of the same events draw the same samples for the same seed, so that differences of their replicas have
        the error of a paired comparison.
        """
        rng = np.random.default_rng(seed)
        count = rng.poisson(1.0, (samples, len(self.deletion))).astype(np.float64)
        height = count @ (self.deletion[:, 0] - self.deletion[:, -1])
        own = count @ self.areas / height[:, None]
        found: Array = np.column_stack([own, own[:, 1] - own[:, 0]])
        return found

    @property
    def errors(self) -> Array:
        """Statistical errors (3,) of deletion area, insertion area and gain from the finite number of events."""
        return sample_deviation(self.replicas())


def deletion_curves(
    model: keras.Model,
    x: object,
    attribution: Attribution,
    background: Mapping[str, Array],
    *,
    weights: Array | None = None,
    replacement: str = "background",
    groups: FeatureGroups | GroupsLike = "features",
    points: int = POINTS,
    seed: int = 0,
    on_events: Callable[[int], None] = lambda n: None,
) -> PerturbationCurves:
    """Measure how the output of a network follows when inputs go, and come, in the order of an attribution.

    Parameters
    ----------
    model : keras.Model
        the explained model
    x : dict, list or array
        the scaled inputs that were explained, each (n, ...)
    attribution : Attribution
        their relevance, by any method
    background : dict of arrays
        scaled background events by input name, of which the replacements are made
    weights : (b,) array, optional
        weights of the background events; default: equal ones
    replacement : {"background", "nearest", "mean", "blank"}
        what stands in for deleted values: those of a background event that is drawn for each event, those of one that
        is near in what is left, the mean of the background, or zero of the scaled inputs
    groups : FeatureGroups, str or dict of lists of str
        what is deleted together: "elements" (each number alone), or as `xaug.explain.groups.read_groups` takes it
    points : int
        largest number of points of a curve beside that of the whole event
    seed : int
        seed of the draws
    on_events : callable, optional
        called with the number of events done since the last call

    Returns
    -------
    PerturbationCurves
        Outputs of every event at every point; the areas, and their errors.

    Raises
    ------
    ConfigurationError
        if the attribution is not of this model and these inputs, groups do not fit, or the replacement does not change
        the output
    """
    if points < 1:
        raise ConfigurationError(f"{points} points: a curve needs at least one")
    output = WatchedOutput.of(model, x, attribution)
    shapes = {name: values.shape[1:] for name, values in output.x.items()}
    divided = divide(groups, shapes, attribution.variables)
    check_fits(divided, output.x, "the model")
    check_fits(divided, attribution.relevance, "the attribution")
    lost = attribution.lost
    if lost:
        raise ConfigurationError(f"{lost} events have a relevance that is not finite; leave them out")
    using = make_replacement(replacement, divided, background, weights)
    order = ordered(divided.gathered(attribution.relevance) * output.sign[:, None], seed)
    steps = np.unique(np.linspace(0, len(divided), min(points, len(divided)) + 1).round().astype(int))
    draw = np.random.default_rng(seed).random(len(output))
    found = np.empty((2, len(output), len(steps)))
    for start in range(0, len(output), CHUNK):
        rows = slice(start, start + CHUNK)
        own = {name: values[rows] for name, values in output.x.items()}
        found[:, rows] = _curves(output, own, rows, order[rows], steps, using, draw[rows])
        on_events(len(order[rows]))
    curves = PerturbationCurves(steps / len(divided), found[0], found[1], replacement)
    if not curves.height > 0:
        raise UnchangedOutputError(
            f"replaced altogether (by {using.words}), events are predicted as well as they are: the output falls by "
            f"{curves.height:.3g} on average of {len(output)} events. Choose another replacement, or more events"
        )
    return curves


def divide(
    groups: FeatureGroups | GroupsLike, shapes: Mapping[str, tuple[int, ...]], variables: Mapping[str, Sequence[str]]
) -> FeatureGroups:
    """The groups that a user means, see `deletion_curves`."""
    if isinstance(groups, FeatureGroups):
        return groups
    if groups != "elements":
        return read_groups(groups, dict(shapes), variables)
    member: Arrays = {}
    names: list[str] = []
    for name, shape in shapes.items():
        member[name] = len(names) + np.arange(int(np.prod(shape))).reshape(shape)
        names += [f"{name}[{','.join(map(str, place))}]" for place in np.ndindex(*shape)]
    return FeatureGroups(tuple(names), member)


def ordered(relevance: Array, seed: int) -> Array:
    """The place (n, groups) of each group of an event, 0 for the largest relevance; equal ones in random order."""
    rng = np.random.default_rng([seed, 1])
    keys = np.lexsort((rng.random(relevance.shape), -relevance), axis=1)
    place: Array = np.empty_like(keys)
    np.put_along_axis(place, keys, np.broadcast_to(np.arange(keys.shape[1]), keys.shape), axis=1)
    return place


def _curves(
    output: WatchedOutput, x: Arrays, rows: slice, place: Array, steps: Array, using: Replacement, draw: Array
) -> Array:
    """Outputs (2, n, points) under deletion and insertion."""
    found = np.empty((2, len(place), len(steps)))
    found[0, :, 0] = output.values[rows]
    for i, k in enumerate(steps[1:], start=1):
        found[0, :, i] = output(using.replaced(x, place >= k, draw), rows)
    found[1, :, 0], found[1, :, -1] = found[0, :, -1], found[0, :, 0]
    for i, k in enumerate(steps[1:-1], start=1):
        found[1, :, i] = output(using.replaced(x, place < k, draw), rows)
    return found
