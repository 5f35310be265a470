"""Baselines: what they draw, how they weigh it, and how far they are from the data."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import xaug
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.explain import Averaged, Blank, Event, Mean, Sample
from xaug.explain.gradients.distance import distance_from_data
from xaug.explain.gradients.named_baselines import CHOICES, REFERENCES, check_choice, named_baseline
from xaug.explain.gradients.processes import Backgrounds, process_weights

SHAPES = {"event": (3,)}


class FakeDataset:
    """Events of three processes in two parts, with the interface of xaug.Dataset; column 0 tells the process."""

    def __init__(self, manifest=None):
        self.digest, self.path, self.kind = "d1", "events", "events"
        self.classes = ("background", "signal")
        self.fields = ["event", "label", "weight", "process", "event_id"]
        self.processes = {"signal": 1, "tt": 0, "wjets": 0}
        rng = np.random.default_rng(0)
        n, self.manifest = 60, manifest or {}
        process = np.array(["tt", "wjets", "signal"])[np.arange(n) % 3]
        self.columns = {
            "event": np.stack([np.arange(n) % 3, rng.normal(size=n), rng.normal(size=n)], axis=1),
            "label": (process == "signal").astype(np.int8),
            "weight": np.where(process == "tt", 2.0, 0.5) * (1 + np.arange(n) % 2),
            "process": process,
            "event_id": np.arange(n, dtype=np.uint64),
        }

    def size(self, split=None):
        return len(self.columns["label"])

    def iterate(self, fields, split=None, max_rows=None):
        for part in (slice(0, 25), slice(25, None)):
            yield {name: self.columns[name][part] for name in fields}

    def load(self, fields, split=None, max_rows=None):
        return {name: self.columns[name] for name in fields}


class FakeRun:
    """Inputs are the event's columns over 10, shifted by 0.1."""

    def __init__(self, data):
        self.data, self.input_spec = data, SimpleNamespace(fields=["event"])
        self.labels_are_predicted = False

    def dataset(self):
        return self.data

    def inputs(self, arrays):
        return {"event": (arrays["event"] / 10 + 0.1).astype(np.float32)}


@pytest.fixture
def data():
    return FakeDataset()


@pytest.fixture
def run(data):
    return FakeRun(data)


def test_blank_after_and_before_scaling(run):
    np.testing.assert_array_equal(Blank().sample(SHAPES).arrays["event"], np.zeros((1, 3)))
    physical = Blank(scaled=False, run=run).sample(SHAPES)
    np.testing.assert_allclose(physical.arrays["event"], np.full((1, 3), 0.1))
    assert Blank().sample(SHAPES).provenance["zero"] == "after scaling"
    assert physical.provenance["zero"] == "before scaling"
    with pytest.raises(ConfigurationError, match="run="):
        Blank(scaled=False).sample(SHAPES)


def test_equal_weights_by_process(data, run):
    sample = Averaged(data, 5, run=run).sample(SHAPES)
    assert list(sample.process) == ["tt"] * 5 + ["wjets"] * 5
    np.testing.assert_allclose(sample.weights, 0.1)
    assert sample.effective == pytest.approx(10)
    kinds = np.rint((sample.arrays["event"][:, 0] - 0.1) * 10)
    np.testing.assert_array_equal(kinds, [0] * 5 + [1] * 5)  # rows are of the process they are said to be
    ids = sample.provenance["event_id"]
    np.testing.assert_allclose(sample.arrays["event"], data.columns["event"][ids] / 10 + 0.1, rtol=1e-6)
    # (10 x 2 + 10 x 4)^2 / (10 x 4 + 10 x 16), and the same for weights of 0.5 and 1
    assert sample.provenance["effective"] == pytest.approx({"tt": 18, "wjets": 18})


def test_draws_are_made_by_weight_with_replacement(data, run):
    """The mean of many samples is the weighted mean of the process.

    Without replacement 18 of 20 events would be drawn, and the mean be nearly the plain one.
    """
    own = data.columns["process"] == "tt"
    data.columns["weight"][own] = np.where(np.arange(20) < 18, 1.0, 1.5)
    data.columns["event"][own, 1] = np.where(np.arange(20) < 18, 0.0, 10.0)
    expected = 2 * 1.5 * 10 / (18 + 2 * 1.5)
    means, repeated = [], 0
    for seed in range(400):
        sample = Averaged(data, 18, run=run, seed=seed).sample(SHAPES)
        means.append((sample.arrays["event"][:18, 1].mean() - 0.1) * 10)
        repeated += len(set(sample.provenance["event_id"][:18])) < 18
    error = np.std(means) / np.sqrt(400)
    assert np.mean(means) == pytest.approx(expected, abs=4 * error)
    assert 4 * error < 0.4  # the mean without weights is 1.0
    assert repeated > 390


def test_jets_count_one_each(data, run):
    data.kind = "jets"
    data.columns["weight"][data.columns["event_id"] % 6 == 0] = 1e-9
    ids = Averaged(data, 20, run=run).sample(SHAPES).provenance["event_id"]
    assert 5 < sum(i % 6 == 0 for i in ids if i % 3 == 0) < 15


def test_too_few_events_are_refused(data, run):
    with pytest.raises(ConfigurationError, match=r"'tt' has 20 events .* effectively 18\.0: .* draw 18"):
        Averaged(data, 19, run=run).sample(SHAPES)
    assert len(Averaged(data, 18, run=run).sample(SHAPES)) == 36
    assert Backgrounds(data, "equal", "validation", 0, None).drawable(20) == 18
    assert Backgrounds(data, "equal", "validation", 0, None).drawable(5) == 5
    data.columns["weight"][:] = 1.0
    assert len(Averaged(data, 20, run=run).sample(SHAPES)) == 40
    with pytest.raises(ConfigurationError, match="has 20 events"):
        Averaged(data, 21, run=run).sample(SHAPES)


def test_cross_sections_by_hand(run):
    """By cross section 100 to 6000; by xsec x selected / generated 100 pb x 0.1 = 10 to 6000 pb x 0.005 = 30."""
    table = {
        "tt": {"xsec": 100.0, "sum_weights_generated": 1000.0, "sum_weights_selected": 100.0},
        "wjets": {"xsec": 6000.0, "sum_weights_generated": 2000.0, "sum_weights_selected": 10.0},
    }
    data = FakeDataset({"processes": table})
    by_cross_section = Averaged(data, 4, weights="cross_section", run=run).sample(SHAPES)
    np.testing.assert_allclose(by_cross_section.weights, [100 / 6100 / 4] * 4 + [6000 / 6100 / 4] * 4)
    sample = Averaged(data, 4, weights="expected_yield", run=run).sample(SHAPES)
    np.testing.assert_allclose(sample.weights, [0.25 / 4] * 4 + [0.75 / 4] * 4)
    np.testing.assert_array_equal(sample.arrays["event"], by_cross_section.arrays["event"])
    assert sample.effective == pytest.approx(1 / (4 * (0.25 / 4) ** 2 + 4 * (0.75 / 4) ** 2))
    given = Averaged(data, 4, "cross_section", run=run, cross_sections={"tt": 3, "wjets": 1}).sample(SHAPES)
    np.testing.assert_allclose(given.weights, [0.75 / 4] * 4 + [0.25 / 4] * 4)


def test_weights_of_a_column(data, run):
    """The sum of weights of a process is its share: tt 20 events of 2 or 4, wjets 20 of 0.5 or 1."""
    sample = Averaged(data, 3, weights="weight", run=run).sample(SHAPES)
    assert sample.provenance["shares"]["tt"] == pytest.approx(0.8)
    np.testing.assert_allclose(sample.weights, [0.8 / 3] * 3 + [0.2 / 3] * 3)


def test_events_are_drawn_by_weight_from_a_seed(data, run):
    data.columns["weight"][data.columns["event_id"] % 6 == 0] = 0  # half of the tt events
    ids = Averaged(data, 10, run=run).sample(SHAPES).provenance["event_id"]
    assert all(i % 6 == 3 for i in ids if i % 3 == 0)
    assert ids == Averaged(data, 10, run=run).sample(SHAPES).provenance["event_id"]
    one, other = (Averaged(data, 5, run=run, seed=s).sample(SHAPES).provenance for s in (1, 2))
    assert one["event_id"] != other["event_id"]
    assert one["digest"] != other["digest"]


def test_mean_by_hand(data, run):
    """The mean of the process means, each weighted by the event weights."""
    sample = Mean(data, run=run).sample(SHAPES)
    c = data.columns
    means = [
        np.average(c["event"][c["process"] == p], axis=0, weights=c["weight"][c["process"] == p])
        for p in ("tt", "wjets")
    ]
    np.testing.assert_allclose(sample.arrays["event"][0], np.mean(means, axis=0) / 10 + 0.1, rtol=1e-5)
    assert len(sample) == 1


def test_event_of_a_split(data, run):
    sample = Event.of(run, 7).sample(SHAPES)
    np.testing.assert_allclose(sample.arrays["event"][0], data.columns["event"][7] / 10 + 0.1, rtol=1e-6)
    assert sample.provenance["process"] == "wjets"
    with pytest.raises(ConfigurationError, match="events 0 to 59"):
        Event.of(run, 60)
    with pytest.raises(ConfigurationError, match="one event, but 2 are given"):
        Event({"event": np.zeros((2, 3))}).sample(SHAPES)


def test_bad_processes_and_weights(data, run):
    with pytest.raises(ConfigurationError, match="'tt' is missing from the table of cross sections"):
        Averaged(data, weights="cross_section", run=run).sample(SHAPES)
    with pytest.raises(ConfigurationError, match="'tt' is missing from the table of cross sections"):
        Averaged(data, weights="expected_yield", run=run).sample(SHAPES)
    with pytest.raises(ConfigurationError, match="'wjets' is missing"):
        process_weights(data, ["tt", "wjets"], {"tt": 1.0})
    with pytest.raises(ConfigurationError, match=r"'tt' has the cross section -1\.0"):
        process_weights(data, ["tt"], {"tt": -1})
    with pytest.raises(ConfigurationError, match="did you mean 'cross_section'"):
        Averaged(data, weights="cross_sections", run=run).sample(SHAPES)
    with pytest.raises(ConfigurationError, match="per_process 0"):
        Averaged(data, 0, run=run).sample(SHAPES)
    data.columns["weight"][3] = -2
    with pytest.raises(ConfigurationError, match=r"process 'tt': weight of event 1 is -2\.0"):
        Averaged(data, run=run).sample(SHAPES)
    data.columns["weight"][3] = 2
    data.processes["zjets"] = 0
    with pytest.raises(DatasetError, match="'zjets' has no event in the validation split"):
        Averaged(data, 5, run=run).sample(SHAPES)


def test_names_of_the_command_line(tmp_path, data, run):
    assert named_baseline("blank", run, data) == Blank(True, run)
    assert named_baseline("physical", run, data).scaled is False
    assert named_baseline("weighted", run, data).weights == "cross_section"
    assert named_baseline("weighted_yield", run, data, per_process=7) == Averaged(
        data, 7, "expected_yield", run=run, seed=1
    )
    assert named_baseline("event:7", run, FakeDataset()).provenance["row"] == 7
    np.savez(tmp_path / "b.npz", event=np.ones((2, 3)))
    assert len(named_baseline(str(tmp_path / "b.npz"), run, data)) == 2
    with pytest.raises(ConfigurationError, match="did you mean 'background'"):
        named_baseline("backgrond", run, data)
    with pytest.raises(ConfigurationError, match="event:ROW"):
        named_baseline("event:x", run, data)
    np.savez(tmp_path / "evil.npz", event=np.array([{}], dtype=object))
    with pytest.raises(ConfigurationError, match=r"evil\.npz cannot be read"):
        named_baseline(str(tmp_path / "evil.npz"), run, data)


def test_distance_against_all_pairs():
    """Percentile and range against scipy's matrix of distances."""
    rng = np.random.default_rng(1)
    data = {"event": rng.random((200, 4)).astype(np.float32)}
    points = np.concatenate([data["event"][:3] + 0.01, [[2, 0.5, 0.5, -1]], [[0.5] * 4]]).astype(np.float32)
    weights = np.array([1, 1, 1, 4, 1.0])
    found = distance_from_data(Sample({"event": points}, weights), data, {"event": list("abcd")})
    own = cdist(data["event"], data["event"])
    np.fill_diagonal(own, np.inf)
    nearest = cdist(points, data["event"]).min(axis=1)
    percentile = [(own.min(axis=1) < d).mean() * 100 for d in nearest]
    assert found["nearest_neighbour_percentile"] == pytest.approx(np.average(percentile, weights=weights), abs=0.6)
    assert percentile[3] == 100
    outside = (points < data["event"].min(axis=0)) | (points > data["event"].max(axis=0))
    assert found["features_outside"] == pytest.approx(np.average(outside.mean(axis=1), weights=weights), abs=1e-6)
    assert set(found["outside"][:2]) == {"a", "d"}


def test_a_blank_far_from_the_data_and_an_event_in_it():
    """The criticism of the blank baseline, as a number."""
    data = {"event": np.random.default_rng(1).normal(1.0, 0.1, (500, 6)).astype(np.float32)}
    blank = distance_from_data(Blank().sample({"event": (6,)}), data)
    event = distance_from_data(Sample({"event": np.ones((1, 6))}), data)
    assert blank["nearest_neighbour_percentile"] == 100
    assert blank["features_outside"] == 1
    assert event["nearest_neighbour_percentile"] < 50
    assert event["features_outside"] == 0


def test_public_names():
    for name in ("Averaged", "Blank", "Event", "Mean", "Sample", "integrated_gradients", "class_attribution"):
        assert hasattr(xaug.explain, name)


@pytest.mark.parametrize(
    ("kind", "choice", "known", "guess"),
    [("baseline", "backgroun", CHOICES, "background"), ("reference", "zeros", REFERENCES, "zero")],
)
def test_a_wrong_name_of_a_baseline_is_found_from_the_name_alone(kind, choice, known, guess):
    with pytest.raises(ConfigurationError, match=f"unknown {kind} '{choice}'; did you mean '{guess}'"):
        check_choice(kind, choice, known)
    for right in ("mean", "event:7", "events.npz", "events.h5"):
        check_choice(kind, right, known)
