"""Attributions of a class of events from drawn places of paths: signed and absolute means over its events, with errors.

The errors are those of `xaug.explain.gradients.class_level`, to first order: an event's absolute value changes with a
baseline by the attribution to that baseline, times the sign of the event's attribution.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from xaug.core.errors import ModelError
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array, Arrays
from xaug.explain.attribution import Attribution
from xaug.explain.event_weights import positive_sum
from xaug.explain.gradients.class_level import (
    baseline_replicas,
    drawing_errors,
    feature_names_of,
    feature_values,
    ranked_table,
    with_event_errors,
)
from xaug.explain.gradients.drawn import DrawnBlock
from xaug.explain.gradients.integration import IntegrationJob

__all__ = ["DrawnClass"]


class DrawnClass:
    """Sums by baseline of the attributions at drawn places of the events of a class.

    Parameters
    ----------
    job : IntegrationJob
        the integration
    chosen : (n,) array of bool
        whether an event is of the class
    events : (n,) array, optional
        weights of the events; default: all are 1
    """

    def __init__(self, job: IntegrationJob, chosen: Array, events: Array | None = None) -> None:
        self.job, self.chosen = job, chosen
        self.events = np.ones(len(chosen)) if events is None else np.asarray(events, np.float64)
        self.names = feature_names_of(job.shapes, job.variables)
        self.sums = np.zeros((2, len(job.sample), len(self.names)))
        self.counts = np.zeros(len(job.sample))

    def add(self, block: DrawnBlock) -> None:
        """Add the places of some events."""
        inside = self.chosen[block.rows] & np.isfinite(block.values).all(axis=(1, 2))
        if not inside.any():
            return
        values, columns = block.values[inside], block.columns[inside]
        signs = np.sign(values.mean(axis=1, keepdims=True))
        weights = np.repeat(self.events[block.rows][inside], columns.shape[1])
        np.add.at(self.counts, columns.ravel(), weights)
        for total, own in zip(self.sums, (values, signs * values), strict=True):
            signed, _ = feature_values(self._by_name(own), self.job.shapes)
            np.add.at(total, columns.ravel(), weights[:, None] * signed.reshape(columns.size, -1))

    def state(self) -> Arrays:
        """The sums as they are now."""
        return {"sums": self.sums, "counts": self.counts}

    def resume(self, state: Arrays) -> None:
        """Take the sums of another process."""
        self.sums, self.counts = state["sums"], state["counts"]

    def _by_name(self, values: Array) -> Arrays:
        """Values (events, places, elements) by input name."""
        shapes = self.job.shapes
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        parts = np.split(values, ends, axis=2)
        return {
            name: part.reshape(*part.shape[:2], *shape)
            for (name, shape), part in zip(shapes.items(), parts, strict=True)
        }

    def table(self, found: Attribution, replicas: int, rng: np.random.Generator) -> pd.DataFrame:
        """The table of `xaug.explain.ClassAttribution` of the attributions that the places gave.

        `mean_error_pairs` is the error by drawing, and `mean_absolute_excess` an upper limit on what it adds to
        `mean_absolute`.
        """
        kept = self.chosen & ~found.is_lost
        if not kept.any():
            raise ModelError("all events of the class are lost: no attribution of theirs is a finite number")
        signed, absolute = feature_values({name: v[kept] for name, v in found.relevance.items()}, self.job.shapes)
        weights = positive_sum(self.events[kept])
        by_baseline = np.divide(
            self.sums, self.counts[:, None], out=np.zeros_like(self.sums), where=self.counts[:, None] > 0
        )
        replica = baseline_replicas(self.job.sample, replicas, rng) @ by_baseline
        columns: dict[str, Array] = {}
        means = with_event_errors(signed, absolute, replicas, rng, weights)
        for (name, mean, error), own in zip(means, replica, strict=True):
            columns |= {name: mean, f"{name}_error_events": error, f"{name}_error_baselines": sample_deviation(own)}
        errors = {name: v[kept].astype(np.float64) for name, v in (found.standard_error or {}).items()}
        squares, _ = feature_values({name: v**2 for name, v in errors.items()}, self.job.shapes)
        excess, _ = feature_values(errors, self.job.shapes)
        columns["mean_error_pairs"] = drawing_errors(np.sqrt(squares), weights)["mean_error_pairs"]
        columns["mean_absolute_excess"] = drawing_errors(excess, weights)["mean_absolute_excess"]
        return ranked_table(columns, self.names)
