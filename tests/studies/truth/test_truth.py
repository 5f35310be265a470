"""The study of truth toys, in a small size."""

import numpy as np
import pandas as pd
import pytest

from xaug.core.errors import ConfigurationError
from xaug.studies.truth.stages import SCALES, study


def test_scores_and_controls_of_a_small_study(tmp_path):
    found = study(tmp_path / "out", toys="three", methods="ig", jets=80, trainings=2, epochs=2, workers=1)
    table = pd.read_csv(tmp_path / "out" / "truth.csv")
    assert set(table["training events"]) == {80, 50}
    assert set(table["method"]) == {"oracle", "random", "ig"}
    oracle, random = (table[table["method"] == name] for name in ("oracle", "random"))
    assert (oracle["found"] == 1).all() and np.allclose(oracle["likeness"], 1)
    assert random["likeness"].abs().max() < 0.2
    assert "likeness to the truth" in (tmp_path / "out" / "truth.html").read_text()
    assert [row["run"] for row in found["performance"]] == ["three_50", "three_80"]


def test_unknown_toys_and_scales(tmp_path):
    with pytest.raises(ConfigurationError, match="xor"):
        study(tmp_path, toys="xro")
    with pytest.raises(ConfigurationError, match="quick"):
        study(tmp_path, scale="quikc")
    assert all(size.jets > 0 for size in SCALES.values())
