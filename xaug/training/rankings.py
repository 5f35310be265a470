"""Rankings that the stage `explain` leaves behind: which features come first."""

from __future__ import annotations

from pathlib import Path

from xaug.core import provenance
from xaug.core.errors import DatasetError, unknown_name
from xaug.data.variables import Table

__all__ = ["BY", "best_xaugs", "ranking_of"]

BY = ("mean", "mean_absolute")
"""How the attributions of a class rank features: by signed mean, the paper's "averaged", or by mean absolute value."""


def ranking_of(directory: str | Path, by: str = "mean") -> list[str]:
    """Features of a finished directory of `xaug.explain`, the most important first, averaged over trainings."""
    import pandas as pd

    if by not in BY:
        raise unknown_name("way to rank", by, BY)
    recorded = provenance.read(directory, "explain").get("rankings")
    if recorded:
        return list(recorded[by])
    # xaug 0.1 left tables only
    tables = sorted(Path(directory).glob("class_level_*.csv"))
    try:
        if tables:
            values = pd.concat([pd.read_csv(path, index_col=0)[by] for path in tables], axis=1).mean(axis=1)
            return list(values.sort_values(ascending=False, kind="stable").index)
        # without attributions of a class there is the paper's relevance, which has no sign
        return list(pd.read_csv(Path(directory) / "relevance.csv")["feature"])
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"{directory} lacks its ranking, or it is damaged ({error}). Delete its {provenance.NAME} and explain "
            "again: what is done is kept"
        ) from None


def best_xaugs(directory: str | Path, table: Table, count: int = 5) -> list[str]:
    """The first expert variables of a ranking."""
    known = set(table.names("xaug"))
    found = [name for name in ranking_of(directory) if name in known][:count]
    if len(found) < count:
        raise DatasetError(
            f"{directory} ranks {len(found)} expert variables of {table.kind}, not {count}: explain a run that has all"
        )
    return found
