"""How well a classifier separates: ROC, AUC, accuracy, background rejection, significance."""

from __future__ import annotations

import numpy as np

from xaug.core.errors import DatasetError

__all__ = [
    "EFFICIENCIES", "background_efficiency", "best_threshold", "effective_number", "metrics", "roc", "search",
    "signal_efficiency", "significance",
]  # fmt: skip

EFFICIENCIES = (0.3, 0.5, 0.7)
"""Signal efficiencies at which the background rejection is quoted."""


def roc(label: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Background and signal efficiency for every threshold, from (0, 0) to (1, 1)."""
    from sklearn.metrics import roc_curve

    for value, name in ((0, "background"), (1, "signal")):
        if not (label == value).any():
            raise DatasetError(f"no {name} events among {len(label)}: there is no ROC curve. Take more events")
    background, signal, _ = roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    return background, signal


def effective_number(weight: np.ndarray) -> float:
    """How many events of equal weight have the same relative error: (sum w)^2 / sum w^2 (Kish)."""
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def background_efficiency(background: np.ndarray, signal: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Background efficiency at the tightest threshold that reaches each of the given signal efficiencies."""
    return background[np.searchsorted(signal, np.asarray(at) - 1e-12, side="left")]


def signal_efficiency(background: np.ndarray, signal: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Largest signal efficiency at which the background efficiency is not above each of the given ones."""
    return signal[np.searchsorted(background, np.asarray(at) + 1e-12, side="right") - 1]


def metrics(label: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> dict:
    """AUC, accuracy at 0.5 with equal class weights, and background rejections 1 / efficiency.

    Where less than one (effective) background event passes, the rejection is their number: a lower limit,
    listed in `rejection_limits`.
    """
    from sklearn.metrics import auc

    weight = np.ones(len(label)) if weight is None else weight
    background, signal = roc(label, score, weight)
    right = (score >= 0.5) == (label == 1)
    accuracy = np.mean([np.average(right[label == value], weights=weight[label == value]) for value in (0, 1)])
    effective = effective_number(weight[label == 0])
    result = {
        "auc": float(auc(background, signal)),
        "accuracy": float(accuracy),
        "n_signal": int((label == 1).sum()),
        "n_background": int((label == 0).sum()),
        "rejection_limits": [],
    }
    for efficiency in EFFICIENCIES:
        left = float(background_efficiency(background, signal, np.array(efficiency)))
        name = f"rejection_{round(100 * efficiency)}"
        result[name] = 1.0 / max(left, 1.0 / effective)
        if left < (1.0 - 1e-12) / effective:
            result["rejection_limits"].append(name)
    return result


def significance(signal: np.ndarray | float, background: np.ndarray | float) -> np.ndarray:
    """Expected discovery significance of a counting experiment, in standard deviations.

    Z = sqrt(2 [(S + B) ln(1 + S / B) - S]) for S expected signal and B > 0 expected background events
    (G. Cowan et al., Eur. Phys. J. C 71 (2011) 1554, equation 97).
    """
    signal, background = np.asarray(signal, float), np.asarray(background, float)
    # log1p and the difference below lose no digits while S << B, where Z -> S / sqrt(B)
    return np.sqrt(2 * np.maximum((signal + background) * np.log1p(signal / background) - signal, 0.0))


def best_threshold(label: np.ndarray, score: np.ndarray, weight: np.ndarray, least: float = 10.0) -> float:
    """The threshold of largest significance, of those that keep enough background to believe it.

    Parameters
    ----------
    weight : (n,)
        expected number of events that an event stands for
    least
        effective number of background events that must pass
    """
    order = np.argsort(-score, kind="stable")
    label, score, weight = label[order], score[order], weight[order]
    own = np.where(label == 0, weight, 0.0)
    background, squares = np.cumsum(own), np.cumsum(own**2)
    signal = np.cumsum(np.where(label == 1, weight, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = np.where(squares > 0, background**2 / squares, 0.0) >= least
    last = np.append(score[1:] != score[:-1], True)  # a threshold takes all events of its score
    allowed = enough & last
    if not allowed.any():
        raise DatasetError(
            f"the background is {effective_number(own):.1f} effective events, fewer than the {least:g} that a "
            "threshold must keep. Generate more, or ask for fewer"
        )
    found = np.full(len(score), -np.inf)
    found[allowed] = significance(signal[allowed], background[allowed])
    return float(score[np.argmax(found)])


def search(validation: tuple, test: tuple, least: float = 10.0) -> dict:
    """Significance of a counting experiment behind the best threshold on the score.

    Parameters
    ----------
    validation, test
        (label, score, expected number of events), each (n,): the threshold is chosen on the first and judged on the
        second
    least
        effective number of background events that the threshold must keep on the validation split
    """
    threshold = best_threshold(*validation, least=least)
    label, score, weight = test
    passed = score >= threshold
    signal, background = weight[passed & (label == 1)], weight[passed & (label == 0)]
    # where the test split keeps no background, one event of mean weight bounds it
    expected = background.sum() or weight[label == 0].mean()
    return {
        "significance": float(significance(signal.sum(), expected)),
        "threshold": threshold,
        "expected_signal": float(signal.sum()),
        "expected_background": float(background.sum()),
        "effective_background": effective_number(background),
    }
