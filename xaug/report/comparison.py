"""The table that sets methods and trainings side by side: the rank of each feature in every explanation of a report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from xaug.explain.analysis.spread import ENOUGH_TRAININGS, stable_features
from xaug.plots.relevance import feature_text
from xaug.report.explained_run import ExplainedRun

__all__ = ["NOTE", "comparison"]

NOTE = (
    "Each cell is the rank of a feature, in brackets its best and worst rank in a single training, and the mean "
    "normalised relevance ± its standard deviation over trainings. A rank is stable if all trainings agree on it and "
    f"no other feature is within the spread; fewer than {ENOUGH_TRAININGS} trainings do not tell."
)


def comparison(explained: Sequence[ExplainedRun]) -> pd.DataFrame:
    """Ranks, their range over trainings, and mean relevances of all features, a column for each explanation.

    Features stand in the order of their mean rank; an explanation without a feature has an empty cell.
    """
    cells = {one.title: _cells(one) for one in explained}
    ranks = pd.DataFrame({one.title: one.ranking["rank"] for one in explained})
    order = ranks.mean(axis=1).sort_values(kind="stable").index
    table = pd.DataFrame(cells).reindex(order).fillna("")
    labels = {name: variable for one in explained for name, variable in one.labels.items()}
    table.insert(0, "feature", [feature_text(str(name), labels) for name in table.index])
    return table.reset_index(drop=True)


def _cells(one: ExplainedRun) -> pd.Series:
    """The cells of one explanation, by feature."""
    found = stable_features(one.ranking)
    several = one.explanation.trainings > 1
    told = one.explanation.trainings >= ENOUGH_TRAININGS
    texts = []
    for _, row in found.iterrows():
        text = f"{row['rank']}"
        text += f" [{row['highest']} to {row['lowest']}]" if several else ""
        text += f", {row['mean']:.2g}"
        text += f" ± {row['spread']:.1g}" if several else ""
        texts.append(text + (", stable" if told and row["stable"] else ""))
    return pd.Series(texts, index=found.index)
