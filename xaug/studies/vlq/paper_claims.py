"""The claims of the paper on baselines about its rankings, beside our numbers.

Errors of differences contain the spread of the trainings and, where there are replicas of the test sample, its limited
size: all networks are judged on the same replicas, so the comparison is paired. Each ranking is a single draw of events
and baselines, which is not in the errors.

Reference: J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, "Results".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaug.core.statistics import sample_deviation
from xaug.training.retrain import plateau

__all__ = ["BELOW", "Comparison", "check_claims", "compare", "ranks"]

BELOW = 15
"""In the paper averaged baselines beat the blank one for fewer features than about this number."""
PLATEAU, ABOUT = 12, 3
"""Number of features where the performance of the paper stops rising, and by how many another number still agrees."""
TOP = 5
"""A feature among this many first ones ranks high; "much lower" is a rank beyond twice this number."""
SURE = 2.0
"""A difference counts if it is larger than this many standard deviations."""
AVERAGED = ("background", "weighted", "weighted_yield")
WEIGHTED = AVERAGED[1:]
"""The two forms of the weighted baseline: by cross section, as the paper says, and by expected number of events."""
CHOICES = ("blank", "physical", *AVERAGED)
"""Baselines as `xaug.explain --baseline` names them; the paper's blank baseline may be either of the first two."""
SHOWN = {"accuracy": "accuracy", "auc": "AUC", "significance": "Z"}
JUDGED = ("accuracy", "significance")
"""The metrics by which the paper judges."""
CONTROL = "random"
"""The ranking of an ablation that comes from no network."""

Tables = Mapping[str, Sequence[pd.DataFrame]]
"""Baseline -> attributions of the class, one table for each training."""
Row = tuple[str, str, str]
"""A claim, whether it holds, and our numbers."""


def ranks(tables: Sequence[pd.DataFrame], feature: str, by: str = "mean") -> tuple[int, int, int]:
    """Rank of a feature by its mean over trainings (1 is first), and its range among the trainings."""
    values = pd.concat([table[by] for table in tables], axis=1)
    each = values.rank(ascending=False, method="min").loc[feature]
    mean = values.mean(axis=1)
    return int(1 + (mean > mean[feature]).sum()), int(each.min()), int(each.max())


@dataclass(frozen=True)
class Comparison:
    """The difference of two curves.

    Attributes
    ----------
    difference
        mean over k
    error
        its error from the spread of the trainings; nan for one training, and for two of an ablation, where every k
        is of the same networks
    ahead
        the k where the difference is positive
    sizes
        all k
    """

    difference: float
    error: float
    ahead: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def deviations(self) -> float:
        """The difference in standard deviations; 0 for equal curves."""
        if not self.difference:
            return 0.0
        return self.difference / self.error if self.error else float(np.copysign(np.inf, self.difference))

    @property
    def sign(self) -> int:
        """1 or -1 where the difference counts, else 0."""
        return int(np.sign(self.difference)) if abs(self.deviations) > SURE else 0

    def __str__(self) -> str:
        if not self.sizes:
            return "no k where both are known"
        error = "" if np.isnan(self.error) else f" ± {self.error:.2g} ({self.deviations:+.1f} σ)"
        return f"{self.difference:+.3g}{error}, ahead at {len(self.ahead)} of {len(self.sizes)} k"


def compare(
    curves: pd.DataFrame,
    one: str,
    other: str,
    metric: str,
    high: float = BELOW,
    retrained: bool = True,
    replicas: pd.DataFrame | None = None,
) -> Comparison:
    """Curve `one` minus curve `other`, for 0 < k < high.

    Trainings and replicas of the same number are subtracted, so that a set of features that both rankings share
    cancels. Only k count at which all trainings of both have the metric.

    Parameters
    ----------
    curves
        a row for each training: `ranking`, `k`, `training` and the metric
    one, other
        names of the rankings
    metric
        name of the metric
    high
        only smaller k count
    retrained
        whether the trainings of different k are independent; in an ablation they are the same networks
    replicas
        the curves on replicas of the test sample, see `xaug.report.subjects.TopKCurves`
    """
    inside = curves[(curves["k"] > 0) & (curves["k"] < high)]
    tables = [inside[inside["ranking"] == name].pivot(index="k", columns="training", values=metric)
              for name in (one, other)]  # fmt: skip
    apart = (tables[0] - tables[1]).dropna()
    if apart.empty:
        return Comparison(0.0, np.nan, (), ())
    mean, n = apart.mean(axis=1), apart.shape[1]
    if retrained:
        variance = (sample_deviation(apart, axis=1) ** 2).sum() / len(apart) ** 2
    else:
        variance = float(sample_deviation(apart.mean(axis=0))) ** 2
    of_sample = _sample_variance(replicas, one, other, metric, apart.index)
    known = n > 1 if retrained else n > 2  # two networks that agree by chance would make any difference certain
    error = np.sqrt(variance / n + of_sample) if known else np.nan
    return Comparison(float(mean.mean()), float(error), tuple(mean.index[mean > 0]), tuple(mean.index))


def _sample_variance(replicas: pd.DataFrame | None, one: str, other: str, metric: str, sizes: pd.Index) -> float:
    """Variance, over replicas of the test sample, of the mean difference of two curves; 0 without replicas."""
    if replicas is None or metric not in replicas:
        return 0.0
    inside = replicas[replicas["k"].isin(sizes)]
    means = [inside[inside["ranking"] == name].groupby("replica")[metric].mean() for name in (one, other)]
    return float(sample_deviation((means[0] - means[1]).dropna())) ** 2


def check_claims(
    tables: Tables,
    names: Mapping[str, str],
    curves: pd.DataFrame | None = None,
    ablated: pd.DataFrame | None = None,
    by: str = "mean",
    varied: Mapping[str, Tables] | None = None,
    replicas: pd.DataFrame | None = None,
    refused: str = "",
) -> pd.DataFrame:
    """Compare each claim of the paper that our tables can answer with our numbers.

    Parameters
    ----------
    tables
        for each baseline in CHOICES the attributions of the class, one table for each training: a row for each
        feature, `mean` and `mean_absolute`
    names
        name of each baseline in curves and on the page
    curves
        curves of `xaug.topk`
    ablated
        curves of `xaug.explain.analysis.ablations.ablate_run`, without the point where no feature is left
    by
        "mean" or "mean_absolute": the attribution by which features are ranked
    varied
        what was varied -> tables as above, of networks that were trained on such events
    replicas
        the curves on replicas of the test sample
    refused
        why no conclusion is drawn, if that is so; the numbers are told nevertheless

    Returns
    -------
    DataFrame
        `paper`: the claim; `holds`: yes, no, partly, open if no difference counts, or refused; `ours`: our numbers,
        ranks with their range over trainings, differences with their error from trainings and test sample
    """
    tables = {choice: tables[choice] for choice in CHOICES if choice in tables}
    rows = [*_about_ranks(tables, names, by, varied or {})]
    if curves is not None:
        rows += _about_curves(curves, names, replicas)
    if ablated is not None and (ablated["k"] > 0).any():
        known = set(ablated["ranking"])
        rows.append(_ablation(ablated, curves, [names[c] for c in CHOICES if names.get(c) in known]))
    found: pd.DataFrame = pd.DataFrame(rows, columns=["paper", "holds", "ours"])
    if refused:
        found = found.assign(holds="refused", ours=f"{refused}. " + found["ours"])
    return found


def _about_ranks(tables: Tables, names: Mapping[str, str], by: str, varied: Mapping[str, Tables]) -> Iterator[Row]:
    if "blank" not in tables or not any(choice in tables for choice in AVERAGED):
        return
    yield _ht("HT is first for every baseline", {"": tables}, names, by)
    if varied:
        yield _ht("HT is first whatever the threshold on it", varied, names, by)
    yield _boosted(tables, names, by)
    if all(choice in tables for choice in ("background", "weighted")):
        yield _jet_masses(tables, names, by)


def _about_curves(curves: pd.DataFrame, names: Mapping[str, str], replicas: pd.DataFrame | None) -> Iterator[Row]:
    known = set(curves["ranking"])
    curved = {choice: name for choice, name in names.items() if choice in CHOICES and name in known}
    metrics = [metric for metric in SHOWN if metric in curves and curves[metric].notna().any()]
    averaged = [curved[choice] for choice in AVERAGED if choice in curved]
    has_few_features = bool((curves["k"] < BELOW).any())
    if "blank" in curved and averaged and has_few_features:
        yield _averaged(curves, curved, averaged, metrics, replicas)
    weighted = [curved[choice] for choice in WEIGHTED if choice in curved]
    if "background" in curved and weighted and has_few_features:
        yield _weighted(curves, curved["background"], weighted, metrics, replicas)
    if curved:
        yield _plateau(curves, list(curved.values()), metrics)


def _verdict(flags: Sequence[bool]) -> str:
    return "yes" if all(flags) else "partly" if any(flags) else "no"


def _rank_words(tables: Tables, names: Mapping[str, str], feature: str, by: str) -> str:
    words = []
    for choice, own in tables.items():
        rank, low, high = ranks(own, feature, by)
        words.append(f"{names[choice]} {rank} ({low} to {high})")
    return f"{feature}: " + ", ".join(words)


def _ht(claim: str, samples: Mapping[str, Tables], names: Mapping[str, str], by: str) -> Row:
    first = [
        ranks(own, "ht", by)[0] == 1
        for tables in samples.values() for choice, own in tables.items() if choice != "physical"
    ]  # fmt: skip
    words = [
        (f"{label}: " if label else "rank of ") + _rank_words(tables, names, "ht", by)
        for label, tables in samples.items()
    ]
    return claim, _verdict(first), "; ".join(words)


def _boosted(tables: Tables, names: Mapping[str, str], by: str) -> Row:
    features = ("pt_lep", "met")
    blank = {feature: ranks(tables["blank"], feature, by)[0] for feature in features}
    risen = [ranks(tables[c], feature, by)[0] < blank[feature] for c in AVERAGED if c in tables for feature in features]
    words = "; ".join(_rank_words(tables, names, feature, by) for feature in features)
    return "lepton pT and missing pT rank higher with averaged baselines than with blank", _verdict(risen), words


def _jet_masses(tables: Tables, names: Mapping[str, str], by: str) -> Row:
    features = ("mass_j1", "mass_j2")
    high = [ranks(tables[c], f, by)[0] <= TOP for c in ("blank", "background") for f in features]
    low = [ranks(tables["weighted"], f, by)[0] > 2 * TOP for f in features]
    words = "; ".join(_rank_words(tables, names, feature, by) for feature in features)
    claim = f"m_j1 and m_j2 are among the first {TOP} for blank and unweighted, much lower for weighted"
    return claim, _verdict([*high, *low]) if any(high) else "no", words  # there is nothing to fall from


def _averaged(
    curves: pd.DataFrame,
    curved: Mapping[str, str],
    averaged: Sequence[str],
    metrics: Sequence[str],
    replicas: pd.DataFrame | None,
) -> Row:
    words, signs = [], []
    blanks = [curved[choice] for choice in ("blank", "physical") if choice in curved]
    if len(blanks) == 2 and _same(curves, *blanks):
        blanks.pop()
    for metric in metrics:
        for name in averaged:
            for blank in blanks:
                found = compare(curves, name, blank, metric, replicas=replicas)
                words.append(f"{SHOWN[metric]}, {name} - {blank}: {found}")
                if blank == curved["blank"] and metric in JUDGED:
                    signs.append(found.sign)
    holds = _verdict([sign > 0 for sign in signs]) if any(signs) else "open"
    claim = f"averaged baselines beat the blank one in accuracy and Z for k below about {BELOW}"
    return claim, holds, "; ".join(words)


def _same(curves: pd.DataFrame, one: str, other: str) -> bool:
    """Whether two rankings have the same first features, and therefore the same trainings."""
    found = compare(curves, one, other, "auc")
    return found.difference == found.error == 0


def _weighted(
    curves: pd.DataFrame, plain: str, weighted: Sequence[str], metrics: Sequence[str], replicas: pd.DataFrame | None
) -> Row:
    words, signs = [], []
    for name in weighted:
        for metric in metrics:
            found = compare(curves, name, plain, metric, replicas=replicas)
            words.append(f"{SHOWN[metric]}, {name} - {plain}: {found}")
            if metric in JUDGED and found.sign:
                signs.append(found.sign > 0)
    claim = "the weighted ranking is slightly better than the unweighted one"
    return claim, _verdict(signs) if signs else "open", "; ".join(words)


def _plateau(curves: pd.DataFrame, names: Sequence[str], metrics: Sequence[str]) -> Row:
    # Z is not known where too little background is left
    known = [m for m in metrics if curves[curves["ranking"].isin(names)].groupby("ranking")[m].count().all()]
    found = {metric: {name: plateau(curves, name, metric) for name in names} for metric in known}
    near = [abs(k - PLATEAU) <= ABOUT for metric in JUDGED if metric in found for k in found[metric].values()]
    sizes = ", ".join(str(k) for k in sorted(curves["k"].unique()))
    words = [f"{SHOWN[m]} {', '.join(f'{name} {k}' for name, k in own.items())}" for m, own in found.items()]
    claim = f"performance rises until it plateaus for all baselines around k = {PLATEAU}"
    return claim, _verdict(near), f"plateau from k = {'; '.join(words)} (tried: {sizes})"


def _ablation(ablated: pd.DataFrame, curves: pd.DataFrame | None, names: Sequence[str]) -> Row:
    """There would be a pattern if a network lost more without its first features than without random ones."""
    first = {str(name): table for name, table in ablated.groupby("ranking", sort=False)}
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
    if curves is not None and len(both) > 2:
        # the better ranking has the higher curve when retrained, and the lower one when ablated
        again = [compare(curves, name, both[0], "auc").difference for name in both]
        worse = [compare(ablated, both[0], name, "auc", retrained=False).difference for name in both]
        tau = pd.Series(again).corr(pd.Series(worse), method="kendall")
        words.append(f"rankings in the order of ablation and of retraining: Kendall's τ = {tau:.2f}")
    holds = {"yes": "no", "no": "yes"}.get(found := _verdict(faster), found) if faster else "open"
    return "an ablation of features shows no clear pattern", holds, "; ".join(words)
