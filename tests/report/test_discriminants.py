"""Single numbers of an event beside the networks: the literal image's sum is what the ROC calls f91."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import xaug
from xaug.data.dataset import Dataset
from xaug.formats.base import Source
from xaug.formats.registry import recognise
from xaug.jets.conventions import DEFAULT
from xaug.jets.cuts import Selection
from xaug.jets.images import image_coordinates, make_images
from xaug.jets.processor import JetProcessor, JetSettings
from xaug.jets.selection import select_jets
from xaug.process.stage import process
from xaug.report.discriminants import scored
from xaug.report.stage import report
from xaug.report.subjects import AllRuns, ReportInputs
from xaug.studies.zbb.paper import extension
from xaug.studies.zbb.runs import DISCRIMINANTS
from xaug.training import stage


@pytest.fixture(scope="module")
def status_91(zbb_files, tmp_path_factory):
    """The dataset of jets that are described by their particles of status 91 alone."""
    path = tmp_path_factory.mktemp("status") / "jets"
    process([zbb_files], path, JetSettings(conventions=DEFAULT.changed({"status": "91"})), executor="iterative")
    return Dataset.open(path)


def test_f91_is_the_fraction_of_status_91(zbb_files):
    """Of the jet pT, as far as it lies in the window of the image; from the particles of the jets again."""
    conventions = DEFAULT.changed({"status": "91"})
    processor = JetProcessor(JetSettings(conventions=conventions))
    path = str(zbb_files / "zbb_qcd_00000.root")
    with Source(path) as source:
        form = recognise(source)
        tree = form.contents(source).tree
    with form.open(path, tree, 0, 300) as chunk:
        content = processor.read(form, chunk, 0, 0)
    jets, _ = select_jets(content.events, Selection(), conventions=conventions, truth=content.truth)
    x, y = image_coordinates(jets)
    inside = (np.abs(x) < 2) & (np.abs(y) < 2)
    expected = np.bincount(jets.jet_index[inside], jets.constituents["pt"][inside], len(jets)) / jets.pt
    found = DISCRIMINANTS["f91"].compute({"image": make_images(jets)})
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert 0.2 < found.mean() < 0.95 and (found < 1 + 1e-6).all(), "primary hadrons are left out"


def test_the_roc_calls_it_f91(status_91, tmp_path):
    """Curve, AUC and tables of the report are those of the sum of the stored images of the test split."""
    stage.train(status_91.path, tmp_path / "mlp", network="mlp", xaug="pt", trainings=1, epochs=1)
    result = report([tmp_path / "mlp"], tmp_path / "report", keys=["25"], extension=extension())
    arrays = status_91.load(["image", "label"], "test")
    auc = roc_auc_score(arrays["label"], arrays["image"].sum(axis=(1, 2, 3)))
    rows = {row["run"]: row for row in result["performance"]}
    assert rows["f91"]["auc"].split()[0] == f"{auc:.4f}"
    assert rows["f91"]["trainings"] == rows["f91"]["steps"] == rows["f91"]["training jets"] == 0
    assert rows["f91"]["accuracy"] == "" and rows["mlp"]["steps"] > 0
    assert "f91 is the sum of the image" in json.dumps(result["figures"])
    table = (tmp_path / "report" / "fig25_roc.csv").read_text().splitlines()[0]
    assert "f91_background_efficiency" in table
    points = (tmp_path / "report" / "efficiency.csv").read_text()
    assert f'f91,0,0,0,"{auc:.4f} [' in points


def test_datasets_without_images_have_no_such_curve(status_91):
    from dataclasses import replace

    (one,) = scored(list(DISCRIMINANTS.values()), status_91)
    assert one.name == "f91" and len(one.scores["score"]) == status_91.size("test")
    data = Dataset.open(status_91.path)
    table = data.table
    blocks = {name: block for name, block in table.blocks.items() if name != "image"}
    data.record = replace(data.record, table=replace(table, blocks=blocks))
    assert scored(list(DISCRIMINANTS.values()), data) == []
    inputs = ReportInputs(xaug.Dataset.open(status_91.path), [])
    assert inputs.discriminants == () and AllRuns.found_in(inputs) == []  # none unless asked for, and no empty figure
