"""How well a classifier separates: ROC curve, AUC, accuracy, background rejection, and significance of a search."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.types import Array, ArrayLike, JsonObject
from xaug.data.weights import effective_number

__all__ = [
    "EFFICIENCIES", "Metrics", "Search", "SearchSample", "area", "background_efficiency", "best_threshold",
    "compute_metrics", "roc", "search", "signal_efficiency", "significance", "significance_error",
]  # fmt: skip

LEAST_BACKGROUND = 20.0
"""Effective number of background events below which a significance is not quoted."""
EFFICIENCIES = (0.3, 0.5, 0.7)
"""Signal efficiencies at which the background rejection is quoted."""


@dataclass(frozen=True)
class Metrics:
    """How well a network separates the classes of a sample.

    Attributes
    ----------
    auc : float
        area under the ROC curve
    accuracy : float
        accuracy at the threshold 0.5, both classes counted alike
    n_signal, n_background : int
        numbers of events
    rejections : dict of float
        1 / (background efficiency) at each of EFFICIENCIES, by a name such as "rejection_30"
    rejection_limits : tuple of str
        names of the rejections that are lower limits, because less than one effective background event passes
    """

    auc: float
    accuracy: float
    n_signal: int
    n_background: int
    rejections: Mapping[str, float]
    rejection_limits: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The metrics as plain data, the rejections beside the others."""
        return {
            "auc": self.auc,
            "accuracy": self.accuracy,
            "n_signal": self.n_signal,
            "n_background": self.n_background,
            "rejection_limits": list(self.rejection_limits),
            **self.rejections,
        }


class SearchSample(NamedTuple):
    """A sample in which a counting experiment searches for the signal.

    Attributes
    ----------
    label : array (n,)
        1 for signal, 0 for background
    score : array (n,)
        output of the network
    expected : array (n,)
        expected number of events for which each event stands
    """

    label: Array
    score: Array
    expected: Array


@dataclass(frozen=True)
class Search:
    """A counting experiment behind a threshold on the score.

    Attributes
    ----------
    significance : float
        expected discovery significance, in standard deviations
    threshold : float
        threshold on the score
    expected_signal, expected_background : float
        expected numbers of events that pass
    effective_background : float
        effective number of background events that pass
    significance_error : float or None
        its error from the numbers of events that pass; None in results of older versions
    """

    significance: float
    threshold: float
    expected_signal: float
    expected_background: float
    effective_background: float
    significance_error: float | None = None


def roc(label: Array, score: Array, weight: Array | None = None) -> tuple[Array, Array]:
    """Background and signal efficiency at every threshold, from (0, 0) to (1, 1).

    With negative weights neither of them need rise from one threshold to the next, or stay between 0 and 1.

    Parameters
    ----------
    label : array (n,)
        1 for signal, 0 for background
    score : array (n,)
        output of the network
    weight : array (n,), optional
        weights of the events, which may be negative; default: one each

    Raises
    ------
    DatasetError
        if a class has no events, or its weights do not add up to a positive number
    """
    from sklearn.metrics import roc_curve

    for value, name in ((0, "background"), (1, "signal")):
        if not (label == value).any():
            raise DatasetError(f"no {name} events among {len(label)}: there is no ROC curve. Take more events")
        if weight is not None and weight[label == value].sum() <= 0:
            total = weight[label == value].sum()
            raise DatasetError(f"the weights of {name} events add up to {total:.4g}: there is no ROC curve")
    background, signal, _ = roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    return background, signal


def area(background: Array, signal: Array) -> float:
    """Area under a ROC curve by the trapezoidal rule.

    It is the weighted share of pairs of a signal and a background event in which the signal event has the larger score,
    ties counted as one half. This holds for negative weights too, where a curve goes back and forth.

    Parameters
    ----------
    background, signal : array (thresholds,)
        efficiencies, see `roc`

    References
    ----------
    D. Bamber, J. Math. Psych. 12 (1975) 387.
    """
    return float(np.sum(np.diff(background) * (signal[1:] + signal[:-1]) / 2))


def background_efficiency(background: Array, signal: Array, at: ArrayLike) -> Array:
    """Background efficiency at the tightest threshold that reaches each of the given signal efficiencies.

    Parameters
    ----------
    background, signal : array (thresholds,)
        efficiencies, see `roc`
    at : array
        signal efficiencies

    Returns
    -------
    array, of the shape of `at`
    """
    found: Array = background[np.searchsorted(np.maximum.accumulate(signal), np.asarray(at) - 1e-12, side="left")]
    return found


def signal_efficiency(background: Array, signal: Array, at: ArrayLike) -> Array:
    """Largest signal efficiency at which the background efficiency does not exceed each of the given ones.

    Parameters
    ----------
    background, signal : array (thresholds,)
        efficiencies, see `roc`
    at : array
        background efficiencies

    Returns
    -------
    array, of the shape of `at`
    """
    found: Array = signal[np.searchsorted(np.maximum.accumulate(background), np.asarray(at) + 1e-12, side="right") - 1]
    return found


def compute_metrics(label: Array, score: Array, weight: Array | None = None) -> Metrics:
    """AUC, accuracy at 0.5 with equal class weights, and background rejections 1 / efficiency.

    Where less than one (effective) background event passes, the rejection is the number of background events. It is
    then a lower limit, which `rejection_limits` lists. Negative weights may take the AUC of a small sample out of
    [0, 1]; a warning says so.

    Parameters
    ----------
    label : array (n,)
        1 for signal, 0 for background
    score : array (n,)
        probability of signal
    weight : array (n,), optional
        weights of the events; default: one each

    Raises
    ------
    DatasetError
        if a class has no events
    """
    own = np.ones(len(label)) if weight is None else weight
    background, signal = roc(label, score, own)
    right = (score >= 0.5) == (label == 1)
    accuracy = np.mean([np.average(right[label == value], weights=own[label == value]) for value in (0, 1)])
    effective = effective_number(own[label == 0])
    rejections, limits = {}, []
    for efficiency in EFFICIENCIES:
        left = float(background_efficiency(background, signal, efficiency))
        name = f"rejection_{round(100 * efficiency)}"
        rejections[name] = 1.0 / max(left, 1.0 / effective)
        if left < (1.0 - 1e-12) / effective:
            limits.append(name)
    auc = area(background, signal)
    if not -1e-9 <= auc <= 1 + 1e-9:
        warnings.warn(
            f"AUC {auc:.4g} is not between 0 and 1: the {int((own < 0).sum()):,} negative weights among {len(own):,} "
            "outweigh the others for some scores. Test on more events",
            UserWarning,
            stacklevel=2,
        )
    return Metrics(
        auc=auc,
        accuracy=float(accuracy),
        n_signal=int((label == 1).sum()),
        n_background=int((label == 0).sum()),
        rejections=rejections,
        rejection_limits=tuple(limits),
    )


def significance(signal: ArrayLike, background: ArrayLike) -> Array:
    """Expected discovery significance of a counting experiment, in standard deviations.

    Z = sqrt(2 [(S + B) ln(1 + S / B) - S]) for S expected signal and B > 0 expected background events.

    Parameters
    ----------
    signal, background : float or array
        S and B

    References
    ----------
    G. Cowan et al., Eur. Phys. J. C 71 (2011) 1554, equation 97.
    """
    s, b = np.asarray(signal, float), np.asarray(background, float)
    # log1p and the difference below lose no digits while S << B, where Z -> S / sqrt(B)
    s = np.maximum(s, 0.0)  # negative weights may outweigh the others, and there is no excess then
    found: Array = np.sqrt(2 * np.maximum((s + b) * np.log1p(s / b) - s, 0.0))
    return found


def significance_error(signal: Array, background: Array) -> float:
    """Statistical error of the significance, from the weights of the events that pass.

    The relative errors of S and B are 1 / sqrt(effective numbers of events). With Z^2 = 2 [(S + B) ln(1 + S/B) - S],
    dZ/dS = ln(1 + S/B) / Z and dZ/dB = (ln(1 + S/B) - S/B) / Z.

    Parameters
    ----------
    signal, background : array (n,), (m,)
        expected numbers of events for which the signal and the background events that pass stand

    Returns
    -------
    float
        0 if no signal passes
    """
    s, b = float(signal.sum()), float(background.sum())
    z = float(significance(s, b))
    if not z:
        return 0.0
    of_signal = np.log1p(s / b) / z * np.sqrt(signal @ signal)
    of_background = (np.log1p(s / b) - s / b) / z * np.sqrt(background @ background)
    return float(np.hypot(of_signal, of_background))


def best_threshold(sample: SearchSample, least: float = LEAST_BACKGROUND) -> float:
    """The threshold on the score with the largest significance, among those that keep enough background.

    Parameters
    ----------
    sample : SearchSample
    least : float
        effective number of background events that must pass

    Raises
    ------
    DatasetError
        if no threshold keeps enough background
    """
    order = np.argsort(-sample.score, kind="stable")
    label, score, expected = sample.label[order], sample.score[order], sample.expected[order]
    own = np.where(label == 0, expected, 0.0)
    background, squares = np.cumsum(own), np.cumsum(own**2)
    signal = np.cumsum(np.where(label == 1, expected, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = (np.where(squares > 0, background**2 / squares, 0.0) >= least) & (background > 0)
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


def search(validation: SearchSample, test: SearchSample, least: float = LEAST_BACKGROUND) -> Search:
    """Significance of a counting experiment behind the best threshold on the score.

    Parameters
    ----------
    validation, test : SearchSample
        the threshold is chosen on the first and judged on the second
    least : float
        effective number of background events that the threshold must keep, on both

    Raises
    ------
    DatasetError
        if no threshold keeps enough background, or the best one keeps too little of the second sample
    """
    threshold = best_threshold(validation, least)
    passed = test.score >= threshold
    signal = test.expected[passed & (test.label == 1)]
    background = test.expected[passed & (test.label == 0)]
    effective = effective_number(background)
    if effective < least or background.sum() <= 0:
        raise DatasetError(
            f"the background of the test split is {effective:.1f} effective events behind the threshold, fewer than "
            f"the {least:g} that are needed. Generate more, or ask for fewer"
        )
    return Search(
        significance=float(significance(signal.sum(), background.sum())),
        threshold=threshold,
        expected_signal=float(signal.sum()),
        expected_background=float(background.sum()),
        effective_background=effective,
        significance_error=significance_error(signal, background),
    )
