"""The whole line, in small: one command, again, after a kill, and what it leaves behind; it draws 55 figures."""

import base64
import csv
import json
import re
import shutil
import signal
import time

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug.studies import zbb
from xaug.study import main

TINY = """
import sys
from xaug.studies import zbb
zbb.SCALES["tiny"] = zbb.Scale(120, 2, 2, 2, "mlp_xaug,cnn2d_xaug", (0.5,), 1, 20)
zbb.study(sys.argv[1], scale="tiny", seed=11)
"""


@pytest.fixture(scope="module")
def finished(run_study, tmp_path_factory):
    directory = tmp_path_factory.mktemp("study") / "tiny"
    run_study(TINY, directory, timeout=1500)
    return directory


@pytest.mark.slow
def test_every_figure_comes_as_png_and_pdf_with_its_numbers(finished):
    report = finished / "report"
    stems = {path.stem for path in report.glob("*.png")}
    of_cnn2d = [
        "fig18_profiles", "fig19_heatmaps", "fig20_relevance_map", "fig21_relevance_map", "fig22_relevance_map",
        "fig23_relevance", *(f"fig{number}_profiles" for number in range(26, 32)), "uncertainty",
    ]  # fmt: skip
    expected = {
        "fig08_distributions", "fig09_images", "fig25_roc", "relevance_mlp_xaug", "uncertainty_mlp_xaug",
        "learning_curve", "history_mlp_xaug", "history_cnn2d_xaug",
        *(f"{name}_mlp_xaug{method}" for name in ("relevance", "uncertainty") for method in ("_lrp_background", "_ig")),
        *(f"{name}_cnn2d_xaug{method}" for name in of_cnn2d for method in ("", "_lrp_background", "_ig")),
        "profiles_side_by_side", "maps_side_by_side",
        *(f"relevance_side_by_side_{run}" for run in ("mlp_xaug", "cnn2d_xaug")),
    }  # fmt: skip
    assert stems == expected
    for stem in stems:
        assert (report / f"{stem}.pdf").read_bytes()[:4] == b"%PDF"
        numbers = [report / f"{stem}{suffix}" for suffix in (".json", ".csv")]
        assert any(path.exists() for path in numbers)


@pytest.mark.slow
def test_page_stands_alone(finished):
    page = (finished / "report" / "report.html").read_text()
    assert not re.search(r"https?:|src=\"(?!data:)", page)
    images = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(images) == len(list((finished / "report").glob("*.png"))) == 55
    assert all(base64.b64decode(image)[:4] == b"\x89PNG" for image in images)


@pytest.mark.slow
def test_numbers_behind_figures_are_those_of_the_dataset(finished):
    """Figure 8 and 9 counted again from the parts with h5py and NumPy."""
    parts = sorted((finished / "dataset").glob("*.h5"))
    image, label, xaugs = [], [], []
    for part in parts:
        with h5py.File(part) as file:
            image.append(file["image"][()])
            label.append(file["label"][()])
            xaugs.append(file["xaug"][()])
    image, label, xaugs = np.concatenate(image), np.concatenate(label), np.concatenate(xaugs)
    report = finished / "report"
    means = json.loads((report / "fig09_images.json").read_text())
    np.testing.assert_allclose(means["signal"], image[label == 1].mean(axis=0)[..., 0], atol=1e-6)
    mass = json.loads((report / "fig08_distributions.json").read_text())["softdrop_mass"]
    column = xaug.variables.names("jets", "xaug").index("softdrop_mass")
    counts, _ = np.histogram(xaugs[label == 1, column], bins=np.array(mass["edges"]))
    assert np.abs(counts - np.array(mass["signal"])).sum() <= 1  # the upper edge belongs to numpy's last bin


@pytest.mark.slow
def test_explanations_stand_side_by_side(finished):
    """The panels of a figure have the numbers of the figures of single explanations."""
    report = finished / "report"
    ways = [f"cnn2d_xaug{method}" for method in ("", "_lrp_background", "_ig")]
    maps = json.loads((report / "maps_side_by_side.json").read_text())
    for number, pair in ((20, "z,delta_r_subjets"), (21, "softdrop_mass,tau3_sd_b10"), (22, "softdrop_mass,mass")):
        assert list(maps[pair]) == ways
        for way in ways:
            alone = json.loads((report / f"fig{number}_relevance_map_{way}.json").read_text())
            both = (np.array(alone["trainings"], float).mean(axis=0), np.array(maps[pair][way]["mean"], float))
            np.testing.assert_allclose(*both, atol=1e-12)
    with open(report / "relevance_side_by_side_mlp_xaug.csv") as file:
        rows = {row["feature"]: row for row in csv.DictReader(file)}
    for way in ("mlp_xaug", "mlp_xaug_lrp_background", "mlp_xaug_ig"):
        with open(report / f"relevance_{way}.csv") as file:
            for row in csv.DictReader(file):
                assert float(rows[row["feature"]][f"{way}_mean"]) == pytest.approx(float(row["mean"]))
    captions = json.loads((report / "manifest.json").read_text())["figures"]
    assert "from the zero of the scaled inputs" in captions["profiles_side_by_side"]
    assert "cnn2d_xaug_lrp_background: LRP" in captions["profiles_side_by_side"]


@pytest.mark.slow
def test_bars_are_the_mean_over_trainings(finished):
    with open(finished / "report" / "relevance_mlp_xaug.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    for row in rows:
        values = np.array([float(row["training_0"]), float(row["training_1"])])
        assert float(row["mean"]) == pytest.approx(values.mean())
        assert float(row["spread"]) == pytest.approx(values.std(ddof=1))


@pytest.mark.slow
def test_second_run_does_nothing(run_study, finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    start = time.monotonic()
    run_study(TINY, finished, timeout=60)
    assert time.monotonic() - start < 20  # imports and the digests of the inputs; the work takes minutes
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_moved_elsewhere_is_still_done_and_finds_its_dataset(run_study, finished, tmp_path):
    moved = tmp_path / "other" / "place"
    shutil.copytree(finished, moved)
    before = {path: path.stat().st_mtime_ns for path in moved.rglob("*") if path.is_file()}
    run_study(TINY, moved, timeout=60)
    assert {path: path.stat().st_mtime_ns for path in moved.rglob("*") if path.is_file()} == before
    assert xaug.load_run(moved / "runs" / "mlp_xaug").dataset().path.resolve() == moved / "dataset"


def results(directory):
    data = xaug.Dataset.open(directory / "dataset").load()
    metrics = {
        path.relative_to(directory): path.read_text()
        for path in sorted(directory.glob("runs/*/training_*/metrics.json"))
    }
    bars = (directory / "report" / "fig23_relevance_cnn2d_xaug.csv").read_text()
    return data, metrics, bars


@pytest.mark.slow
def test_killed_in_every_stage_it_ends_as_unbroken(start_study, run_study, finished, tmp_path):
    """SIGKILL while generating, processing, training and explaining: same data, metrics, relevances."""
    directory = tmp_path / "tiny"
    waited_for = [
        "files",
        "files/*.root",
        "dataset",
        "runs/mlp_xaug/training_0",
        "runs/cnn2d_xaug",
        "attributions/cnn2d_xaug",
    ]
    for pattern in waited_for:
        process = start_study(TINY, directory)
        while not list(directory.glob(pattern)) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run_study(TINY, directory, timeout=1500)
    (data, metrics, bars), (data_again, metrics_again, bars_again) = results(finished), results(directory)
    for name in data:
        np.testing.assert_array_equal(data[name], data_again[name])
    assert metrics == metrics_again
    assert bars == bars_again
    assert not list(directory.rglob(".part-*")) or all("files" in str(p) for p in directory.rglob(".part-*"))


@pytest.mark.slow
def test_another_seed_in_the_same_place_is_refused(finished):
    zbb.SCALES["tiny"] = zbb.Scale(120, 2, 2, 2, "mlp_xaug,cnn2d_xaug", (0.5,), 1, 20)
    try:
        done = CliRunner().invoke(main, ["zbb", "--scale", "tiny", "--seed", "12", "-o", str(finished)])
    finally:
        del zbb.SCALES["tiny"]
    assert done.exit_code == 1
    assert "seed: 11 -> 12" in done.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scale", "quik"], "did you mean 'quick'"),
        (["--networks", "cnn"], "did you mean 'cnn2d'"),
        (["--five", "our"], "did you mean 'ours'"),
        (["--steps", "5", "--epochs", "2"], "--steps 5 and --epochs 2 exclude each other"),
        (["--check-every", "5"], "--check-every 5 goes with --steps"),
        (["--batch-size", "0"], "--batch-size 0: must be at least 1"),
        (["--convention", "statsu=91"], "did you mean 'status'"),
        (["--convention", "status"], "'status' is not NAME=VALUE"),
        (["--networks", "f91"], "f91 needs no training"),
    ],
)
def test_wrong_options_are_refused_before_any_work(tmp_path, options, words):
    done = CliRunner().invoke(main, ["zbb", *options, "-o", str(tmp_path / "x")])
    assert done.exit_code == (2 if "did you mean" in words and "--convention" not in options else 1)
    assert words in done.output
    assert not (tmp_path / "x").exists()
