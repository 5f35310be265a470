"""An integration: its arguments, checked, and a tally of the pairs of events and baselines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xaug.core.errors import ConfigurationError
from xaug.core.kinds import is_number, is_whole
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.feature_names import named_columns
from xaug.explain.gradients.conventions import PADDING, PaddingLike, frozen_elements
from xaug.explain.gradients.integrator import MAX_NODES
from xaug.explain.gradients.jumps import PathChoice
from xaug.explain.gradients.pairs import REACHED, Pairs, event_baseline_pairs
from xaug.explain.gradients.readout import Readout
from xaug.explain.gradients.samples import BaselineLike, sample_of
from xaug.explain.gradients.tokens import token_inputs
from xaug.explain.keras_models import plain_errors, read_output
from xaug.explain.model_inputs import named_inputs
from xaug.explain.single_events import check_single_events
from xaug.explain.targets import CLASSES, Target, described, functional

if TYPE_CHECKING:
    import keras

__all__ = ["IntegrationJob", "TargetLike"]

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
        if not is_number(tolerance) or not tolerance > 0:
            raise ConfigurationError(f"tolerance {tolerance!r}: must be a positive number")
        if not is_whole(max_nodes) or not 1 <= max_nodes <= MAX_NODES:
            raise ConfigurationError(f"max_nodes {max_nodes!r}: must be a whole number between 1 and {MAX_NODES}")
        network = read_output(model, output)
        source = functional(network.source)
        self.inputs = named_inputs(source, inputs)
        check_single_events(network, self.inputs)
        self.target = Target.choose(target, network.units, classes, len(self))
        readout = Readout.of(network, self.target)
        self.variables = named_columns(self.inputs, variables)
        shapes = {name: values.shape[1:] for name, values in self.inputs.items()}
        fixed = frozen_elements(frozen, shapes, self.variables) if len(frozen) else {}
        whole = [name for name, elements in fixed.items() if elements.all()]
        self.sample, self.shapes = sample_of(baseline, source, self.inputs, self.variables, whole), shapes
        self.tokens = token_inputs(source, whole)
        with plain_errors(network.name):
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

    def pairs(self, drawn: Array | None = None, skipped: int = 0) -> Iterator[Pairs]:
        """Integrate all pairs (or the drawn ones) and count them; see `event_baseline_pairs`."""
        for pairs in event_baseline_pairs(
            self.integrator, *self.moved, self.target, self.tolerance, self.max_nodes, drawn, skipped
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

    def state(self) -> Arrays:
        """The tally as it is now."""
        return {
            "counts": np.array([self._pairs, self._within]), "worst": np.array([self.worst, self.agreement]),
            "stuck": np.array(self.is_stuck), "nodes": np.array(list(self._nodes.items()), int).reshape(-1, 2),
        }  # fmt: skip

    def resume(self, state: Arrays) -> None:
        """Take the tally of another process."""
        self._pairs, self._within = state["counts"].tolist()
        self.worst, self.agreement = state["worst"].tolist()
        self.is_stuck = bool(state["stuck"])
        self._nodes = dict(state["nodes"].tolist())

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
                "more nodes change nothing, since f jumps on the way, or its gradient is not its slope (as behind "
                "tf.stop_gradient), or float32 rounds its change. Where a mask or threshold of the network changes, "
                "freeze what it reads (frozen=[...]), or choose baselines with the mask of the events"
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
