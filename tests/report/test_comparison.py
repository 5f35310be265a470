"""The table of ranks by all methods and trainings, against tables of relevance that are written out."""

from types import SimpleNamespace

import pandas as pd

from xaug.report.comparison import comparison


def explained(title, trainings):
    """An explained run with the relevance (features) of each training."""
    each = pd.DataFrame(trainings).T
    names = [f"training_{i}" for i in each]
    table = pd.DataFrame({"mean": each.mean(axis=1), "rms": each.std(axis=1, ddof=0), "spread": each.std(axis=1)})
    table[names] = each.to_numpy()
    table = table.sort_values("mean", ascending=False)
    table.insert(2, "rank", range(1, len(table) + 1))
    labels = {"m": SimpleNamespace(text="mass")}
    return SimpleNamespace(
        title=title, ranking=table, labels=labels, explanation=SimpleNamespace(trainings=len(trainings))
    )


def test_ranks_stand_beside_each_other():
    lrp = explained("LRP", [{"m": 0.9, "z": 0.5, "pt": 0.1 + 0.001 * i} for i in range(4)])
    ig = explained("IG", [{"m": 0.2, "z": 0.8}, {"m": 0.6, "z": 0.4}])
    one = explained("one", [{"m": 1.0, "z": 0.25}])
    table = comparison([lrp, ig, one])
    assert list(table) == ["feature", "LRP", "IG", "one"]
    assert table["feature"].tolist() == ["mass", "z", "pt"]  # mean ranks 4/3, 5/3 and 3
    assert table["LRP"].tolist()[0] == "1 [1 to 1], 0.9 ± 0, stable"
    # of two trainings no rank is called stable; sqrt((0.2^2 + 0.2^2) / 1) = 0.28
    assert table["IG"].tolist() == ["2 [1 to 2], 0.4 ± 0.3", "1 [1 to 2], 0.6 ± 0.3", ""]
    assert table["one"].tolist() == ["1, 1", "2, 0.25", ""]  # one training has no spread
