"""Figures that belong to one directory: they come once, with its files, and stay as they are."""

import shutil
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from xaug.core.provenance import write
from xaug.plots.figures import chosen_label, labelled, save
from xaug.report.sample_label import sample_label
from xaug.report.single import draw_history, draw_topk
from xaug.training.stage import train

DRAWN = {".png", ".pdf"}
OPTIONS = {"network": "event", "trainings": 2, "epochs": 1}


@pytest.fixture(scope="module")
def run(event_dataset, tmp_path_factory):
    directory = tmp_path_factory.mktemp("single") / "run"
    train(event_dataset.path, directory, **OPTIONS)
    return directory


def times(directory):
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}


def test_history_is_drawn_once(run, event_dataset):
    draw_history(run)
    assert {path.suffix for path in run.glob("history.*")} == DRAWN
    before = times(run)
    draw_history(run)
    assert times(run) == before
    (run / "history.pdf").unlink()  # the command, run again, finds that it is missing and draws it anew
    train(event_dataset.path, run, **OPTIONS)
    draw_history(run)
    assert {path.suffix for path in run.glob("history.*")} == DRAWN


def test_curves_are_drawn_beside_their_table(run, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "2_first").symlink_to(run)
    rows = [(name, k, i, 0.5 + 0.1 * k) for name in ("B0", "random") for k in (1, 2) for i in range(2)]
    pd.DataFrame(rows, columns=["ranking", "k", "training", "auc"]).to_csv(tmp_path / "topk.csv", index=False)
    write(tmp_path, "topk", {"sizes": [1, 2]}, plateau={"B0": 2})
    draw_topk(tmp_path)
    assert {path.suffix for path in tmp_path.glob("topk_curves.*")} == DRAWN
    assert {path.suffix for path in (tmp_path / "runs" / "2_first").glob("history.*")} == DRAWN
    assert np.all([path.stat().st_size > 1000 for path in tmp_path.glob("topk_curves.*")])


def test_figures_of_one_directory_say_what_their_sample_is(run, event_dataset, tmp_path, monkeypatch):
    """The line is that of the dataset, that of the user, or none where the dataset is gone."""
    seen = []

    def note(fig, stem):
        seen.append(chosen_label())
        return save(fig, stem)

    monkeypatch.setattr("xaug.report.single.save", note)
    monkeypatch.setattr("xaug.report.single._is_drawn", lambda stem: False)
    copy = shutil.copytree(run, tmp_path / "run")
    for label in (None, "CMS Simulation", ""):
        with nullcontext() if label is None else labelled(label):
            draw_history(copy)
    assert seen == [sample_label(event_dataset), "CMS Simulation", ""]
