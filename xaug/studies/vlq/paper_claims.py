"""What the paper on baselines says of its rankings, and what ours say: a table of claims and numbers.

Errors are of the trainings alone: all networks are judged on the same events, and each ranking is one.

Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Results".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.training.retrain import plateau

__all__ = ["BELOW", "Comparison", "check_claims", "compare", "ranks"]

BELOW = 15
"""Averaged baselines beat the blank one for fewer features than about this."""
PLATEAU, ABOUT = 12, 3
"""Number of features where the performance stops to rise, and how far off still agrees."""
TOP = 5
"""A feature among so many first ones ranks high; "much lower" is beyond twice as many."""
SURE = 2.0
"""Standard deviations from which on a difference counts."""
AVERAGED = ("background", "weighted")
CHOICES = ("blank", "physical", *AVERAGED)
"""Baselines as `xaug.explain --baseline` calls them; the paper's blank one may be either of the first two."""
SHOWN = {"accuracy": "accuracy", "auc": "AUC", "significance": "Z"}
JUDGED = ("accuracy", "significance")
"""What the paper judges by."""
CONTROL = "random"


def ranks(tables: Sequence[pd.DataFrame], feature: str, by: str = "mean") -> tuple[int, int, int]:
    """Rank of a feature by its mean over trainings (1 is first), and the least and largest among the trainings."""
    values = pd.concat([table[by] for table in tables], axis=1)
    each = values.rank(ascending=False, method="min").loc[feature]
    mean = values.mean(axis=1)
    return int(1 + (mean > mean[feature]).sum()), int(each.min()), int(each.max())


@dataclass(frozen=True)
class Comparison:
    """Mean over k of the difference of two curves, its error from the trainings, and at which k it is positive."""

    difference: float
    error: float  # nan for one training
    ahead: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def deviations(self) -> float:
        """The difference in standard deviations; 0 for curves that are the same."""
        if not self.difference:
            return 0.0
        return self.difference / self.error if self.error else float(np.copysign(np.inf, self.difference))

    @property
    def sign(self) -> int:
        """1 or -1 where the difference counts, else 0."""
        return int(np.sign(self.difference)) if abs(self.deviations) > SURE else 0

    def __str__(self) -> str:
        error = "" if np.isnan(self.error) else f" ± {self.error:.2g} ({self.deviations:+.1f} σ)"
        return f"{self.difference:+.3g}{error}, ahead at {len(self.ahead)} of {len(self.sizes)} k"


def compare(
    curves: pd.DataFrame, one: str, other: str, metric: str, high: float = BELOW, retrained: bool = True
) -> Comparison:
    """Curve `one` minus curve `other`, for 0 < k < high.

    Trainings of the same number are subtracted, so that sets of features that both rankings share cancel.

    Parameters
    ----------
    curves
        a row a training: `ranking`, `k`, `training` and the metric
    retrained
        whether the trainings of different k are independent; else they are the same networks, as in an ablation
    """
    inside = curves[(curves["k"] > 0) & (curves["k"] < high)]
    tables = [inside[inside["ranking"] == name].pivot(index="k", columns="training", values=metric)
              for name in (one, other)]  # fmt: skip
    apart = tables[0] - tables[1]
    mean, n = apart.mean(axis=1), apart.shape[1]
    variance = apart.var(axis=1, ddof=1).sum() / len(apart) ** 2 if retrained else apart.mean(axis=0).var(ddof=1)
    error = np.sqrt(variance / n) if n > 1 else np.nan
    return Comparison(float(mean.mean()), float(error), tuple(mean.index[mean > 0]), tuple(mean.index))


def check_claims(
    tables: Mapping[str, Sequence[pd.DataFrame]],
    names: Mapping[str, str],
    curves: pd.DataFrame | None = None,
    ablated: pd.DataFrame | None = None,
    by: str = "mean",
    varied: Mapping[str, Mapping[str, Sequence[pd.DataFrame]]] | None = None,
) -> pd.DataFrame:
    """The paper's claims, and what our tables say of each of those that they can answer.

    Parameters
    ----------
    tables
        baseline, as in CHOICES -> attributions of the class, a table a training: a row a feature, `mean` and
        `mean_absolute`
    names
        baseline -> what it is called in curves and on the page
    curves
        of `xaug.topk`
    ablated
        of `xaug.explain.analysis.ablations.ablate_run`, without the point where nothing is left
    by
        "mean" or "mean_absolute": by what features are ranked
    varied
        what was varied -> tables as above, of networks trained on such events

    Returns
    -------
    DataFrame
        `paper`: the claim; `holds`: yes, no, partly, or open, where nothing counts; `ours`: the numbers, ranks with
        their range over trainings, differences with their error from the trainings
    """
    tables = {choice: tables[choice] for choice in CHOICES if choice in tables}
    rows = []
    if "blank" in tables and any(choice in tables for choice in AVERAGED):
        rows.append(_ht("HT is first for every baseline", {"": tables}, names, by))
        if varied:
            rows.append(_ht("HT is first whatever the threshold on it", varied, names, by))
        rows.append(_boosted(tables, names, by))
        if all(choice in tables for choice in AVERAGED):
            rows.append(_jet_masses(tables, names, by))
    if curves is not None:
        known = set(curves["ranking"])
        curved = {choice: name for choice, name in names.items() if choice in CHOICES and name in known}
        metrics = [metric for metric in SHOWN if metric in curves and curves[metric].notna().all()]
        averaged = [curved[choice] for choice in AVERAGED if choice in curved]
        if "blank" in curved and averaged and (curves["k"] < BELOW).any():
            rows.append(_averaged(curves, curved, averaged, metrics))
        if len(averaged) == len(AVERAGED) and (curves["k"] < BELOW).any():
            rows.append(_weighted(curves, averaged, metrics))
        if curved:
            rows.append(_plateau(curves, list(curved.values()), metrics))
    if ablated is not None and (ablated["k"] > 0).any():
        rows.append(_ablation(ablated, curves, [names[c] for c in CHOICES if names.get(c) in set(ablated["ranking"])]))
    return pd.DataFrame(rows, columns=["paper", "holds", "ours"])


def _verdict(flags: Sequence[bool]) -> str:
    return "yes" if all(flags) else "partly" if any(flags) else "no"


def _rank_words(tables, names, feature, by) -> str:
    words = []
    for choice, own in tables.items():
        rank, low, high = ranks(own, feature, by)
        words.append(f"{names[choice]} {rank} ({low} to {high})")
    return f"{feature}: " + ", ".join(words)


def _ht(claim, samples, names, by) -> tuple[str, str, str]:
    first = [
        ranks(own, "ht", by)[0] == 1
        for tables in samples.values() for choice, own in tables.items() if choice != "physical"
    ]  # fmt: skip
    words = [
        (f"{label}: " if label else "rank of ") + _rank_words(tables, names, "ht", by)
        for label, tables in samples.items()
    ]
    return claim, _verdict(first), "; ".join(words)


def _boosted(tables, names, by) -> tuple[str, str, str]:
    features = ("pt_lep", "met")
    blank = {feature: ranks(tables["blank"], feature, by)[0] for feature in features}
    risen = [ranks(tables[c], feature, by)[0] < blank[feature] for c in AVERAGED if c in tables for feature in features]
    words = "; ".join(_rank_words(tables, names, feature, by) for feature in features)
    return "lepton pT and missing pT rank higher with averaged baselines than with blank", _verdict(risen), words


def _jet_masses(tables, names, by) -> tuple[str, str, str]:
    features = ("mass_j1", "mass_j2")
    high = [ranks(tables[c], f, by)[0] <= TOP for c in ("blank", "background") for f in features]
    low = [ranks(tables["weighted"], f, by)[0] > 2 * TOP for f in features]
    words = "; ".join(_rank_words(tables, names, feature, by) for feature in features)
    claim = f"m_j1 and m_j2 are among the first {TOP} for blank and unweighted, much lower for weighted"
    return claim, _verdict([*high, *low]) if any(high) else "no", words  # there is nothing to fall from


def _averaged(curves, curved, averaged, metrics) -> tuple[str, str, str]:
    words, signs = [], []
    blanks = [curved[choice] for choice in ("blank", "physical") if choice in curved]
    if len(blanks) == 2 and _same(curves, *blanks):
        blanks.pop()
    for metric in metrics:
        for name in averaged:
            for blank in blanks:
                found = compare(curves, name, blank, metric)
                words.append(f"{SHOWN[metric]}, {name} - {blank}: {found}")
                if blank == curved["blank"] and metric in JUDGED:
                    signs.append(found.sign)
    holds = _verdict([sign > 0 for sign in signs]) if any(signs) else "open"
    claim = f"averaged baselines beat the blank one in accuracy and Z for k below about {BELOW}"
    return claim, holds, "; ".join(words)


def _same(curves, one, other) -> bool:
    """Whether two rankings have the same first features, and so the same trainings."""
    found = compare(curves, one, other, "auc")
    return found.difference == found.error == 0


def _weighted(curves, averaged, metrics) -> tuple[str, str, str]:
    found = {metric: compare(curves, averaged[1], averaged[0], metric) for metric in metrics}
    counted = [found[metric].sign > 0 for metric in JUDGED if metric in found and found[metric].sign]
    words = "; ".join(f"{SHOWN[metric]}, {averaged[1]} - {averaged[0]}: {c}" for metric, c in found.items())
    claim = "the weighted ranking is slightly better than the unweighted one"
    return claim, _verdict(counted) if counted else "open", words


def _plateau(curves, names, metrics) -> tuple[str, str, str]:
    found = {metric: {name: plateau(curves, name, metric) for name in names} for metric in metrics}
    near = [abs(k - PLATEAU) <= ABOUT for metric in JUDGED if metric in found for k in found[metric].values()]
    sizes = ", ".join(str(k) for k in sorted(curves["k"].unique()))
    words = [f"{SHOWN[m]} {', '.join(f'{name} {k}' for name, k in own.items())}" for m, own in found.items()]
    claim = f"performance rises until it plateaus for all baselines around k = {PLATEAU}"
    return claim, _verdict(near), f"plateau from k = {'; '.join(words)} (tried: {sizes})"


def _ablation(ablated, curves, names) -> tuple[str, str, str]:
    """A pattern would be: without its first features the network loses more than without random ones."""
    first = {name: table for name, table in ablated.groupby("ranking", sort=False)}
    words, faster = [], []
    for name in names:
        own = first[name].groupby("k")["auc"].mean()
        falls = (np.diff(own) < 0).mean()
        text = f"{name}: mean AUC {own[own.index > 0].mean():.4f}, falls at {100 * falls:.0f}% of the steps"
        if CONTROL in first:
            lost = compare(ablated, CONTROL, name, "auc", np.inf, retrained=False)
            faster.append(lost.sign > 0)
            text += f", below {CONTROL} by {lost}"
        words.append(text)
    both = [name for name in first if curves is not None and name in set(curves["ranking"])]
    if len(both) > 2:
        # the better ranking has the higher curve when retrained, and the lower one when ablated
        again = [compare(curves, name, both[0], "auc").difference for name in both]
        lost = [compare(ablated, both[0], name, "auc", retrained=False).difference for name in both]
        tau = pd.Series(again).corr(pd.Series(lost), method="kendall")
        words.append(f"rankings in the order of ablation and of retraining: Kendall's τ = {tau:.2f}")
    holds = {"yes": "no", "no": "yes"}.get(found := _verdict(faster), found) if faster else "open"
    return "an ablation of features shows no clear pattern", holds, "; ".join(words)
