"""Jumps of the explained output along paths, and the choice of paths that have none.

A mask, a threshold or a sentinel value can make f jump where a path leaves the baseline or reaches the event. The sum
of the attributions then lacks the jump, however many nodes there are. A jump is found by comparing f at an end of a
path with its limit there, extrapolated from two points nearby.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.explain.gradients.conventions import FREE, PADDING, PaddingLike, read_padding
from xaug.explain.gradients.integrator import Integrator, integrator_of
from xaug.explain.gradients.paths import Padding, Paths, list_padding, masked_padding
from xaug.explain.gradients.preparation import may_jump, normalises
from xaug.explain.keras_models import plain_errors

if TYPE_CHECKING:
    from xaug.explain.gradients.readout import Readout
    from xaug.explain.keras_models import ModelOutput
    from xaug.explain.targets import Target

__all__ = ["Jumps", "PathChoice"]

SAMPLE = 64
"""Number of paths on which jumps are looked for."""
NEAR = 1e-5
"""Distance of the first point from the end of a path, as a share of it."""
MANY = 0.05
"""Share of the paths with a jump that is too large for the tolerance to hold for 95%."""
ENDS = {"baseline": "leave the baseline", "event": "reach the event"}


@dataclass(frozen=True, eq=False)
class Jumps:
    """Jumps on a sample of paths.

    Attributes
    ----------
    size : dict of (pairs,) arrays
        by end of the path ("baseline", "event"), |limit of f - f there| where it is too large, else 0; infinite where f
        is no number at the baseline
    """

    size: Arrays

    @property
    def share(self) -> float:
        """Share of the paths with a jump."""
        some: Array = np.any([size > 0 for size in self.size.values()], axis=0)
        return float(some.mean()) if some.size else 0.0

    @property
    def worst_end(self) -> str:
        """The end where most paths jump."""
        return max(self.size, key=lambda end: float((self.size[end] > 0).mean()))


class PathChoice:
    """The choice of paths without jumps, for the events and baselines of one integration.

    Parameters
    ----------
    inputs, baselines : dict of arrays
        scaled inputs by input name, of the events and of the baselines
    target : Target
    frozen : dict of arrays of bool
        frozen elements by input name, from `frozen_elements`
    tolerance : float
        allowed error of an attribution
    """

    def __init__(self, inputs: Arrays, baselines: Arrays, target: Target, frozen: Arrays, tolerance: float):
        self.shapes = {name: values.shape[1:] for name, values in inputs.items()}
        self.frozen, self.tolerance = frozen, tolerance
        n, m = (len(next(iter(arrays.values()))) for arrays in (inputs, baselines))
        pairs = np.arange(n * m) if n * m <= SAMPLE else np.random.default_rng(0).integers(n * m, size=SAMPLE)
        rows, columns = pairs // m, pairs % m
        self.x = {name: values[rows] for name, values in inputs.items()}
        self.b = {name: baselines[name][columns] for name in inputs}
        self.target = target.at(rows, len(rows))

    def integrator(
        self, network: ModelOutput, readout: Readout, padding: PaddingLike, fast: bool
    ) -> tuple[Integrator, JsonObject]:
        """The integrator on paths without jumps, and what the settings say about these.

        Raises
        ------
        ModelError
            if f jumps on more than 5% of the paths, unless straight paths are asked for

        Warns
        -----
        UserWarning
            if f jumps and straight paths are asked for
        """
        given = read_padding(padding, self.shapes)
        with plain_errors(network.name):
            paddings = masked_padding(network.model, self.shapes) if given is None else list_padding(given, self.shapes)

        def made(paddings: tuple[Padding, ...]) -> Integrator:
            return integrator_of(network, readout, Paths(self.shapes, self.frozen, paddings), fast)

        found = made(paddings)
        jumps = self.jumps(found)
        values = {name: padding.value for padding in paddings for name in padding.elements}
        if jumps.share > MANY and given is None and not paddings:
            guessed = self._guessed()
            other = made(list_padding(guessed, self.shapes)) if guessed else found
            if guessed and self.jumps(other).share <= MANY:
                found, values, jumps = other, guessed, Jumps({})
        if jumps.share > MANY:
            text = self._text(found, jumps)
            if padding != FREE:
                raise ModelError(text)
            warnings.warn(text, UserWarning, stacklevel=5)
        convention = PADDING if values else FREE
        return found, {"padding": convention, "padding_values": values} if values or padding == FREE else {}

    def jumps(self, integrator: Integrator, moving: str | None = None, end: str | None = None) -> Jumps:
        """Jumps of f at the ends of the sample's paths; of an end alone, where no input but `moving` moves."""
        if not len(next(iter(self.x.values()))) or not may_jump(integrator.network.model):
            return Jumps({})
        x, b = self.x, self.b
        if moving is not None:
            still = x if end == "event" else b
            x, b = ({name: ends[name] if name == moving else still[name] for name in x} for ends in (x, b))
        events, baselines = integrator.table(x), integrator.table(b)
        directions = tf.constant(integrator.directions(self.target, integrator.table(self.x)[-1].numpy()))
        first, last = (values.astype(np.float64) for values in integrator.ends(events, baselines, directions))
        near = integrator.along(events, baselines, directions, [NEAR, 2 * NEAR, 1 - NEAR, 1 - 2 * NEAR])
        near = near.astype(np.float64)
        with np.errstate(invalid="ignore"):
            unit = 1.0 if integrator.readout.has_unit else max(float(np.nanstd(near)), 1e-30)
            allowed = self.tolerance * np.fmax(np.fmax(np.abs(last - first), unit), 0)
            allowed = np.fmax(3 * allowed, 1e-5 * np.fmax(np.abs(first), np.abs(last)))
            size = {
                "baseline": np.abs(2 * near[0] - near[1] - first),
                "event": np.abs(2 * near[2] - near[3] - last),
            }
            size = {name: np.where(values > allowed, values, 0.0) for name, values in size.items()}
        size["baseline"] = np.where(~np.isfinite(first) & np.isfinite(near[0]), np.inf, size["baseline"])
        return Jumps(size if end is None else {end: size[end]})

    def _guessed(self) -> dict[str, float]:
        """By input, the value that fills whole steps most often; inputs without such steps are left out."""
        found = {}
        for name, shape in self.shapes.items():
            if len(shape) < 2 or name in self.frozen or self.x[name].dtype.kind != "f":
                continue
            steps = np.concatenate([self.x[name], self.b[name]]).reshape(-1, shape[-1])
            filled = steps[(steps == steps[:, :1]).all(axis=1), 0]
            if len(filled):
                values, counts = np.unique(filled, return_counts=True)
                found[name] = float(values[counts.argmax()])
        return found

    def _text(self, integrator: Integrator, jumps: Jumps) -> str:
        """A text on the inputs that make the jumps, and on what can be done."""
        end = jumps.worst_end
        size = jumps.size[end]
        culprits = [
            name
            for name in self.shapes
            if not integrator.paths.is_frozen(name) and self.jumps(integrator, name, end).share > MANY
        ]
        where = " and ".join(map(repr, culprits)) or "several inputs together"
        height = np.median(size[size > 0])
        tall = f"by {height:.2g} (median)" if np.isfinite(height) else "to a value that is no number"
        lists = [name for name in culprits or self.shapes if len(self.shapes[name]) > 1]
        is_normal = end == "baseline" and normalises(integrator.network.model)
        cause = "changes there" + (", or it normalises numbers that are all equal there" if is_normal else "")
        remedies = [
            *(["choose a baseline that is an event, as a mean or a sample of the background"] if is_normal else []),
            *([f"say which value padded steps have, with padding={{{lists[0]!r}: VALUE}}"] if lists else []),
            f"freeze what masks or selects, with frozen={culprits[:1] or ['INPUT']!r} or its columns",
            "choose a baseline with the mask and padding of the events",
        ]
        return (
            f"f jumps {tall} where {100 * float((size > 0).mean()):.0f}% of the paths {ENDS[end]}, by input {where}: a "
            f"mask, threshold or padding value of the network {cause}, and more nodes change nothing. Remedies: "
            + "; ".join(remedies)
            + "; padding='free' takes the paths as they are"
        )
