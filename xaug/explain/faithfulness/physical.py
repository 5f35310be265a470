"""Physical changes of jets, and how far an attribution follows them.

A jet that is turned, boosted along the beam or smeared by the resolution is almost the same jet. An attribution should
change about as little as the output of the network does. A change is one function of unscaled arrays, registered with
the columns that it needs; it is made where the inputs of a network have these columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, Arrays

__all__ = ["CHANGES", "JetArrays", "PhysicalChange", "Sensitivity", "possible_changes", "sensitivity"]

ANGLE = 0.05
"""Angle [rad] of a small rotation about the jet axis, and of a turn about the beam."""
BOOST = 0.05
"""Change of the pseudorapidity by a small boost along the beam."""
RESOLUTION = 0.02
"""Relative resolution of momenta."""
SAMPLES = 200
"""Bootstrap samples of the events."""


@dataclass(frozen=True, eq=False)
class JetArrays:
    """Unscaled jets whose columns are found by name.

    Attributes
    ----------
    arrays : dict of arrays
        `xaug` (n, columns), `list` (n, particles, columns), `mask` (n, particles), `image` (n, ...), as far as they
        are there
    names : dict of list of str
        names of the columns of each block
    """

    arrays: Arrays
    names: Mapping[str, Sequence[str]]

    def copy(self) -> JetArrays:
        """The same jets in arrays that may be changed."""
        return JetArrays({name: values.copy() for name, values in self.arrays.items()}, self.names)

    def has(self, block: str, column: str) -> bool:
        """Whether there is such a column."""
        return block in self.arrays and column in self.names.get(block, ())

    def column(self, block: str, name: str) -> Array:
        """A view of one column."""
        view: Array = self.arrays[block][..., list(self.names[block]).index(name)]
        return view

    def add(self, block: str, name: str, values: Array | float, present: Array | None = None) -> None:
        """Add to a column, if it is there; of a list only where a particle is present."""
        if self.has(block, name):
            column = self.column(block, name)
            column += values if present is None else np.where(present, values, 0.0)

    @property
    def present(self) -> Array:
        """Whether a step of the list holds a particle (n, particles)."""
        if "mask" in self.arrays:
            return np.asarray(self.arrays["mask"] > 0)
        return np.ones(self.arrays["list"].shape[:2], bool)


Change = Callable[[JetArrays, np.random.Generator], JetArrays]


@dataclass(frozen=True)
class PhysicalChange:
    """One small change of jets.

    Attributes
    ----------
    name : str
    words : str
        what is done, as a table says it
    needs : tuple of (block, column)
        the change is made if at least one of these is among the inputs; a column "" stands for the block itself
    change : callable
        changes a copy of the jets
    """

    name: str
    words: str
    needs: tuple[tuple[str, str], ...]
    change: Change

    def possible(self, columns: Mapping[str, Iterable[str]]) -> bool:
        """Whether a network with these columns by block sees the change."""
        return any(block in columns and (not name or name in columns[block]) for block, name in self.needs)


CHANGES: dict[str, PhysicalChange] = {}
"""All changes by name."""


def _register(name: str, words: str, *needs: tuple[str, str]) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        CHANGES[name] = PhysicalChange(name, words, needs, change)
        return change

    return register


def possible_changes(columns: Mapping[str, Iterable[str]]) -> list[PhysicalChange]:
    """The changes that a network with these columns by block sees."""
    own = {block: list(names) for block, names in columns.items()}
    return [change for change in CHANGES.values() if change.possible(own)]


@_register("turn", f"turned by {ANGLE:g} about the beam", ("xaug", "phi"))
def turn(jets: JetArrays, rng: np.random.Generator) -> JetArrays:
    """Turn jets about the beam; the azimuth stays between -pi and pi."""
    phi = jets.column("xaug", "phi")
    phi[...] = np.mod(phi + ANGLE + np.pi, 2 * np.pi) - np.pi
    return jets


@_register(
    "boost", f"boosted along the beam by {BOOST:g} in η", ("xaug", "eta"), ("list", "abs_eta"), ("list", "log_energy")
)
def boost(jets: JetArrays, rng: np.random.Generator) -> JetArrays:
    """Boost massless particles along the beam: pT stays, and pseudorapidities grow by the same number."""
    if jets.has("list", "abs_eta"):
        before = jets.column("list", "abs_eta")
        side = np.sign(jets.column("xaug", "eta"))[:, None] if jets.has("xaug", "eta") else 1.0
        after = np.abs(before + side * BOOST)
        energy = np.log(np.cosh(after) / np.cosh(before))
        jets.add("list", "log_energy", energy, jets.present)
        before[...] = np.where(jets.present, after, before)
    jets.add("xaug", "eta", BOOST)
    return jets


@_register("rotation", f"rotated by {ANGLE:g} about the axis of the jet", ("list", "delta_eta"), ("list", "delta_phi"))
def rotation(jets: JetArrays, rng: np.random.Generator) -> JetArrays:
    """Rotate particles about the jet axis. The image does not change: its convention fixes its orientation."""
    if jets.has("list", "delta_eta") and jets.has("list", "delta_phi"):
        eta, phi = jets.column("list", "delta_eta"), jets.column("list", "delta_phi")
        turned = (
            eta * np.cos(ANGLE) - phi * np.sin(ANGLE),
            eta * np.sin(ANGLE) + phi * np.cos(ANGLE),
        )
        eta[...], phi[...] = (np.where(jets.present, new, old) for new, old in zip(turned, (eta, phi), strict=True))
    return jets


@_register(
    "smearing", f"momenta smeared by {100 * RESOLUTION:g}%", ("list", "log_pt"), ("list", "log_pt_rel"), ("xaug", "pt")
)
def smearing(jets: JetArrays, rng: np.random.Generator) -> JetArrays:
    """Scale the momenta of particles, or of the whole jet where there is no list, by log-normal factors."""
    n = len(next(iter(jets.arrays.values())))
    of_jet = RESOLUTION * rng.normal(size=n)
    if "list" in jets.arrays:
        factor = RESOLUTION * rng.normal(size=jets.arrays["list"].shape[:2])
        for column in ("log_pt", "log_pt_rel", "log_energy"):
            jets.add("list", column, factor, jets.present)
    for column in ("pt", "mass", "softdrop_mass"):
        if jets.has("xaug", column):
            jets.column("xaug", column)[...] *= np.exp(of_jet)
    return jets


@_register("soft", "without the softest particle of the list", ("list", ""))
def soft(jets: JetArrays, rng: np.random.Generator) -> JetArrays:
    """Drop the softest particle of each list that has more than one, as a padded step."""
    present = jets.present
    last = present.sum(axis=1) - 1
    rows = np.flatnonzero(last > 0)
    jets.arrays["list"][rows, last[rows]] = 0.0
    if "mask" in jets.arrays:
        jets.arrays["mask"][rows, last[rows]] = 0
    return jets


@_register("permutation", "with the particles of the list in another order", ("list", ""))
def permutation(jets: JetArrays, rng: np.random.Generator) -> JetArrays:
    """Exchange the particles of each list at random; padded steps stay where they are."""
    present = jets.present
    keys = np.where(present, rng.random(present.shape), 2.0 + np.arange(present.shape[1]))
    order = np.argsort(keys, axis=1, kind="stable")
    jets.arrays["list"][...] = np.take_along_axis(jets.arrays["list"], order[:, :, None], axis=1)
    return jets


@dataclass(frozen=True)
class Sensitivity:
    """How far attributions and outputs follow a change of the events.

    Attributes
    ----------
    attribution, attribution_error : float
        size of the change of the attribution of features, relative to the attribution itself (root of summed squares
        over features and events), and its error (bootstrap over events)
    output, output_error : float
        the same of the explained output, relative to its standard deviation over events
    """

    attribution: float
    attribution_error: float
    output: float
    output_error: float


def sensitivity(before: Array, after: Array, output_before: Array, output_after: Array, seed: int = 0) -> Sensitivity:
    """Compare attributions and outputs of the same events before and after a change.

    Parameters
    ----------
    before, after : (n, features) arrays
        attribution of each feature in each event, in units of the explained output
    output_before, output_after : (n,) arrays
        the explained output
    seed : int
        seed of the bootstrap
    """
    changed, size = ((after - before) ** 2).sum(axis=1), (before**2).sum(axis=1)
    moved, spread = (output_after - output_before) ** 2, (output_before - output_before.mean()) ** 2

    def values(weight: Array) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(weight @ changed / (weight @ size)), np.sqrt(weight @ moved / (weight @ spread))

    own = values(np.ones(len(before)))
    counts = np.random.default_rng(seed).poisson(1.0, (SAMPLES, len(before))).astype(np.float64)
    errors = [float(sample_deviation(one[np.isfinite(one)])) for one in values(counts)]
    return Sensitivity(float(own[0]), errors[0], float(own[1]), errors[1])
