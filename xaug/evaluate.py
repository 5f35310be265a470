"""How well a classifier separates: ROC, AUC, accuracy, background rejection."""

from __future__ import annotations

import numpy as np

from xaug.errors import DatasetError

__all__ = ["EFFICIENCIES", "background_efficiency", "metrics", "roc"]

EFFICIENCIES = (0.3, 0.5, 0.7)
"""Signal efficiencies at which the background rejection is quoted."""


def roc(label: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Background and signal efficiency for every threshold, from (0, 0) to (1, 1)."""
    from sklearn.metrics import roc_curve

    for value, name in ((0, "background"), (1, "signal")):
        if not (label == value).any():
            raise DatasetError(f"no {name} events among {len(label)}: there is no ROC curve. Take more events")
    background, signal, _ = roc_curve(label, score, drop_intermediate=False)
    return background, signal


def background_efficiency(background: np.ndarray, signal: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Background efficiency at the tightest threshold that reaches each of the given signal efficiencies."""
    return background[np.searchsorted(signal, np.asarray(at) - 1e-12, side="left")]


def metrics(label: np.ndarray, score: np.ndarray) -> dict:
    """AUC, accuracy at 0.5 with equal class weights, and background rejections 1 / efficiency.

    Where no background event passes, the rejection is the number of background events: a lower limit,
    listed in `rejection_limits`.
    """
    from sklearn.metrics import auc

    background, signal = roc(label, score)
    n_background = int((label == 0).sum())
    accuracy = 0.5 * ((score[label == 1] >= 0.5).mean() + (score[label == 0] < 0.5).mean())
    result = {
        "auc": float(auc(background, signal)),
        "accuracy": float(accuracy),
        "n_signal": int((label == 1).sum()),
        "n_background": n_background,
        "rejection_limits": [],
    }
    for efficiency in EFFICIENCIES:
        left = float(background_efficiency(background, signal, np.array(efficiency)))
        name = f"rejection_{round(100 * efficiency)}"
        result[name] = 1.0 / max(left, 1.0 / n_background)
        if left < 1.0 / n_background:
            result["rejection_limits"].append(name)
    return result
