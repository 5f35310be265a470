"""From generated files to the dataset: weights, cross sections, cut flow, kinds, options, executors."""

import json
import re

import numpy as np
import pytest
import uproot
from numpy.testing import assert_allclose, assert_array_equal

from xaug import variables
from xaug.core.errors import ConfigurationError
from xaug.data.dataset import Dataset
from xaug.data.splits import event_ids
from xaug.events.cuts import CUTS, EventSelection
from xaug.events.presets import PRESETS
from xaug.events.processor import EventSettings
from xaug.generate.regimes import REGIMES
from xaug.process.stage import process


@pytest.fixture(scope="module")
def vlq_files(tmp_path_factory):
    """80 events of signal and top pairs, in two blocks each."""
    from xaug.generate import blocks
    from xaug.generate.vlq import generate

    output = tmp_path_factory.mktemp("vlq") / "files"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "EVENTS_PER_BLOCK", 50)
        generate(output, events=80, seed=3, workers=2, processes=["signal", "tt1l"])
    return output


@pytest.fixture(scope="module")
def dataset(vlq_files, tmp_path_factory):
    output = tmp_path_factory.mktemp("dataset") / "events"
    process([vlq_files], output, executor="iterative", chunksize=20)
    return Dataset.open(output)


@pytest.fixture(scope="module")
def metadata(vlq_files):
    """What the files of each process say."""
    found = {}
    for path in sorted(vlq_files.glob("*.root")):
        with uproot.open(path) as file:
            own = json.loads(str(file["xaug"]))
            found.setdefault(own["process"], []).append({**own, "weights": file["T/weight"].array(library="np")})
    return found


def test_kind_is_that_of_the_files(dataset):
    assert dataset.kind == "events"
    assert dataset.names("event") == variables.names("events", "event")
    arrays = dataset.load()
    assert set(arrays) == {"event", "label", "weight", "process", "event_id"}
    assert arrays["event"].shape == (len(dataset), 87) and arrays["event"].dtype == np.float32
    assert np.isfinite(arrays["event"]).all()
    assert_array_equal(arrays["label"], arrays["process"] == "signal")


def test_processes(dataset, metadata):
    arrays = dataset.load()
    for name, files in metadata.items():
        found = dataset.manifest["processes"][name]
        rows = arrays["process"] == name
        assert found["rows"] == rows.sum() > 0
        assert found["events_generated"] == 80
        assert found["sum_weights_generated"] == pytest.approx(sum(f["sum_weight"] for f in files))
        w = arrays["weight"][rows]
        assert found["sum_weights_selected"] == pytest.approx(w.sum())
        assert found["effective_events"] == pytest.approx(w.sum() ** 2 / (w**2).sum())
        efficiency = w.sum() / found["sum_weights_generated"]
        assert found["expected_events"] == pytest.approx(found["xsec"] * efficiency * 3e6)  # 3000/fb
        # files of 50 and 30 events
        assert found["xsec"] == pytest.approx((50 * files[0]["xsec"] + 30 * files[1]["xsec"]) / 80)
        assert found["xsec_error"] == pytest.approx(
            np.hypot(50 * files[0]["xsec_error"], 30 * files[1]["xsec_error"]) / 80
        )


def test_weights_are_those_of_generator_and_tag(dataset, metadata):
    """Each is the weight of an event of the file, found by its id, times a probability."""
    arrays = dataset.load()
    generated = {
        int(i): w
        for files in metadata.values()
        for f in files
        for i, w in zip(event_ids(f["identity"], np.arange(len(f["weights"]))), f["weights"], strict=True)
    }
    share = arrays["weight"] / [generated[int(i)] for i in arrays["event_id"]]
    assert np.all((share > 0) & (share <= 1))
    # three b quarks in a signal event at least, and nobody tags perfectly
    assert np.median(share[arrays["label"] == 1]) > 0.9
    assert len(np.unique(share.round(9))) > 3


def test_cut_flow(dataset, metadata):
    for name, flow in dataset.manifest["cut_flow"].items():
        assert list(flow) == ["generated", *CUTS]
        assert list(flow.values()) == sorted(flow.values(), reverse=True)
        assert flow["generated"] == 80
        assert flow["events"] == sum(f["events_stored"] for f in metadata[name])
        assert flow[CUTS[-1]] == dataset.manifest["events"][name]
        parts = [part["cut_flow"] for part in dataset.manifest["parts"] if part["process"] == name]
        assert len(parts) > 2
        for cut in list(flow)[1:]:
            assert flow[cut] == sum(part[cut] for part in parts)


def test_control_histograms_are_weighted(dataset):
    arrays = dataset.load()
    with uproot.open(dataset.path / "control.root") as file:
        for name in ("signal", "tt1l"):
            histogram = file[f"{name}_ht"]
            assert histogram.values(flow=True).sum() == pytest.approx(arrays["weight"][arrays["process"] == name].sum())


def test_split(dataset):
    assert dataset.manifest["config"]["split_fractions"] == [0.5, 0.2, 0.3]


@pytest.mark.parametrize("options", [{"executor": "futures", "workers": 2}, {"chunksize": 1000}])
def test_chunks_and_executors_change_nothing(options, vlq_files, dataset, tmp_path):
    process([vlq_files], tmp_path / "o", **{"executor": "iterative", "chunksize": 20, **options})
    one, two = dataset.load(), Dataset.open(tmp_path / "o").load()
    taus = np.array([name.startswith("tau") for name in dataset.names("event")])
    for name, values in two.items():
        if name == "event":
            assert_allclose(values[:, ~taus], one[name][:, ~taus], rtol=1e-6, atol=1e-6)
            assert_allclose(values[:, taus], one[name][:, taus], rtol=1e-4)
        else:
            assert_array_equal(values, one[name])


def test_missing_momentum_as_a_seventh_object(vlq_files, dataset, tmp_path, process_command):
    result = process_command(vlq_files, "-o", tmp_path / "o", "--kind", "events_met")
    assert result.exit_code == 0, result.stderr
    seven = Dataset.open(tmp_path / "o")
    names = seven.names("event")
    assert len(names) == 114
    columns = [names.index(name) for name in dataset.names("event") if not name.startswith("tau")]
    common = [i for i, name in enumerate(dataset.names("event")) if not name.startswith("tau")]
    assert_allclose(seven.load("event")["event"][:, columns], dataset.load("event")["event"][:, common], rtol=1e-6)


def test_too_few_effective_events_are_refused(vlq_files, dataset, process_command):
    """Also of a finished dataset: the message says how many to generate."""
    found = dataset.manifest["processes"]
    least = 2 * max(own["effective_events"] for own in found.values())
    options = ["-o", dataset.path, "--chunksize", 20, "--executor", "iterative"]
    result = process_command(vlq_files, *options, "--least-effective", least)
    assert result.exit_code == 1
    for name, own in found.items():
        needed = 1.1 * 80 * least / own["effective_events"]
        words = rf"process {name} has {own['rows']} [^;]* effectively ([\d.]+); generate about ([\d,]+)"
        told = re.search(words, result.stderr)
        assert float(told[1]) == pytest.approx(own["effective_events"], abs=0.05)
        assert int(told[2].replace(",", "")) == pytest.approx(needed, abs=1)
    enough = min(own["effective_events"] for own in found.values())
    assert process_command(vlq_files, *options, "--least-effective", enough).exit_code == 0


def test_presets_go_with_events(zbb_files, tmp_path, process_command):
    result = process_command(zbb_files, "-o", tmp_path / "o", "--preset", "tight")
    assert result.exit_code == 1 and "--preset tight goes with events, not jets" in result.stderr


def test_sample_for_a_hard_selection_is_not_taken_for_a_loose_one():
    stored = {"stored": vars(REGIMES["tight"].stored)}
    EventSettings(selection=PRESETS["tight"]).check("f.root", stored)
    EventSettings(selection=PRESETS["search"]).check("f.root", stored)
    for changes in ({}, {"lepton_pt": 90.0, "ht_min": 800.0}, {"lepton_pt": 90.0, "fat_pt": 500.0}):
        with pytest.raises(ConfigurationError, match=r"f\.root is meant for events within .* --preset loose"):
            EventSettings(selection=EventSelection(**changes)).check("f.root", stored)


class TestKFactors:
    @pytest.mark.parametrize(("file", "text"), [("k.json", '{"tt1l": 1.7}'), ("k.yaml", "tt1l: 1.7  # NNLO over LO\n")])
    def test_multiply_cross_sections_only(self, file, text, vlq_files, dataset, tmp_path, process_command):
        (tmp_path / file).write_text(text)
        result = process_command(vlq_files, "-o", tmp_path / "o", "--chunksize", 20, "--k-factors", tmp_path / file)
        assert result.exit_code == 0, result.stderr
        before, after = dataset.manifest["processes"], Dataset.open(tmp_path / "o").manifest["processes"]
        assert after["tt1l"].pop("k_factor") == 1.7
        assert after["tt1l"].pop("xsec") == pytest.approx(1.7 * before["tt1l"]["xsec"])
        assert after["tt1l"].pop("xsec_error") == pytest.approx(1.7 * before["tt1l"]["xsec_error"])
        assert after["tt1l"].pop("expected_events") == pytest.approx(1.7 * before["tt1l"]["expected_events"])
        assert after["tt1l"].items() < before["tt1l"].items()
        assert after["signal"] == before["signal"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"tt": 1.7}', "unknown process in the k-factors 'tt'; did you mean 'tt1l'"),
            ('{"tt1l": 0}', "tt1l has 0; must be a number above 0"),
            ('{"tt1l": "big"}', "tt1l has 'big'"),
            ("[1, 2]", "must be an object"),
            ("{", "cannot be read"),
        ],
    )
    def test_bad_table(self, text, message, vlq_files, tmp_path, process_command):
        (tmp_path / "k.json").write_text(text)
        result = process_command(vlq_files, "-o", tmp_path / "o", "--k-factors", tmp_path / "k.json")
        assert result.exit_code == 1
        assert message in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ht_min=200", "selection of ht at 200"),
        ("lepton_pt=10", "of lepton_pt at 10"),
        ("lepton_eta=3", "of lepton_eta"),
    ],
)
def test_cuts_looser_than_what_is_stored(change, message, vlq_files, tmp_path, process_command):
    result = process_command(vlq_files, "-o", tmp_path / "o", "--set", change)
    assert result.exit_code == 1
    assert message in result.stderr


def test_files_of_one_process_that_contradict_each_other(vlq_files, tmp_path, process_command):
    """As samples in bins of pT under one name would: their cross sections must be added, not averaged."""
    files = sorted(map(str, vlq_files.glob("vlq_tt1l*")))
    fileset = {
        str(i): {"files": [file], "metadata": {"process": "tt", "xsec": xsec, "xsec_error": 0.1}}
        for i, (file, xsec) in enumerate(zip(files, (100.0, 10.0), strict=True))
    }
    (tmp_path / "f.json").write_text(json.dumps(fileset))
    result = process_command(tmp_path / "f.json", "-o", tmp_path / "o")
    assert result.exit_code == 1
    assert "give samples that differ different process names" in result.stderr


def test_jets_of_events_are_refused(vlq_files, tmp_path, process_command):
    result = process_command(vlq_files, "-o", tmp_path / "o", "--kind", "jets")
    assert result.exit_code == 1
    assert "has no branch 'constituent_pt'" in result.stderr


def test_detector_options(vlq_files, tmp_path, process_command):
    result = process_command(vlq_files, "-o", tmp_path / "o", "--detector", "jet_noise=0", "--detector", "soft=0.3")
    assert result.exit_code == 0, result.stderr
    detector = Dataset.open(tmp_path / "o").manifest["config"]["detector"]
    assert (detector["jet_noise"], detector["soft"]) == (0.0, 0.3)
    result = process_command(vlq_files, "-o", tmp_path / "p", "--detector", "jet_nois=0")
    assert result.exit_code == 1 and "did you mean 'jet_noise'" in result.stderr


def test_bad_fractions():
    with pytest.raises(ConfigurationError, match="split fractions"):
        EventSettings(split_fractions=(0.5, 0.5, 0.5))


def test_the_digest_of_shared_code_covers_all_that_runs(processing_outside_digest, vlq_files):
    outside, ran = processing_outside_digest("events", sorted(vlq_files.rglob("*signal*.root"))[0])
    assert outside == set() and ran > 30
