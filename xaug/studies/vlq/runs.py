"""How large the study of events is at each scale, and the baselines that it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["BASELINES", "BATCH", "SCALES", "EventScale"]


@dataclass(frozen=True)
class EventScale:
    """How large a study of events is.

    Attributes
    ----------
    events
        generated events of each process
    trainings, epochs, patience
        trainings of the network, and their epochs; see `xaug.train`
    explained
        explained signal events of the validation split
    sizes
        numbers of features to retrain on, as `xaug.topk -k` reads them
    topk_trainings, topk_epochs
        trainings of each set of features, and their epochs
    ht_factors
        other thresholds on HT, relative to that of the selection: they show whether HT comes first because of it
    events_of
        process -> its generated events, where they are not `events`
    """

    events: int
    trainings: int
    epochs: int
    patience: int
    explained: int
    sizes: str
    topk_trainings: int
    topk_epochs: int
    ht_factors: tuple[float, ...]
    events_of: Mapping[str, int] = field(default_factory=dict)


MOSTLY = {"tt1l": 80_000, "tt2l": 40_000, "wjets": 90_000}
"""The processes that a collider has most of, and that a hard selection leaves least of."""
SCALES = {
    "quick": EventScale(4_000, 2, 40, 5, 1_000, "1,2,3,5,8,12,20,all", 5, 25, (1.25,)),
    "standard": EventScale(20_000, 4, 60, 8, 5_000, "1-20,all", 5, 40, (1.25, 1.5, 2.0), MOSTLY),
    "paper": EventScale(1_100_000, 4, 60, 8, 5_000, "1-20,all", 5, 40, (1.25, 1.5, 2.0)),
}
"""quick takes minutes, standard takes hours, paper has the million selected events of the paper and takes days."""
BASELINES = {"B0": "blank", "B0_physical": "physical", "Bbg": "background", "Bbgw": "weighted",
             "Bbgw_yield": "weighted_yield"}  # fmt: skip
"""Name of a ranking -> its baseline as `xaug.explain --baseline` names it. B0_physical is zero before scaling."""
BATCH = 512
"""Events in a step of training."""
