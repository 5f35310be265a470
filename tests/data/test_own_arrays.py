"""Arrays of the user as a dataset: what is written is read back, and what no dataset can hold is refused by name."""

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.core.errors import ConfigurationError
from xaug.data.scaling import Scaler

N = 60


@pytest.fixture
def arrays():
    """Three classes, an image of odd size, lists of two columns with padding, and two expert variables."""
    rng = np.random.default_rng(3)
    return {
        "image": rng.random((N, 5, 7)),
        "list": rng.normal(size=(N, 4, 2)),
        "mask": np.arange(4) < rng.integers(1, 5, (N, 1)),
        "xaug": rng.normal(size=(N, 2)),
        "label": np.arange(N) % 3,
        "weight": rng.uniform(-1, 2, N),
        "classes": ["QCD", "Hbb", "top"],
        "variables": {"xaug": [xaug.Variable("mjj", "$m_{jj}$", "GeV"), "ht"], "list": ["pt", "eta"]},
    }


def test_what_is_written_is_read_back_in_the_same_order(arrays, tmp_path):
    data = xaug.Dataset.write(tmp_path / "own", **arrays)
    found = data.load()
    np.testing.assert_array_equal(found["image"][..., 0], arrays["image"].astype(np.float32))
    np.testing.assert_array_equal(found["xaug"], arrays["xaug"].astype(np.float32))
    np.testing.assert_array_equal(found["mask"], arrays["mask"])
    np.testing.assert_array_equal(
        found["list"], np.where(arrays["mask"][..., None], arrays["list"], 0).astype(np.float32)
    )
    np.testing.assert_array_equal(found["weight"], arrays["weight"])
    np.testing.assert_array_equal(found["label"], arrays["label"])
    np.testing.assert_array_equal(found["process"], np.array(arrays["classes"])[arrays["label"]])
    assert (data.kind, data.classes, data.processes) == ("own", ("QCD", "Hbb", "top"), {"Hbb": 1, "QCD": 0, "top": 2})
    assert data.names("list") == ["pt", "eta"] and data.table.labels()["mjj"].axis_label == "$m_{jj}$ [GeV]"
    assert data.table.block("image").shape == (5, 7)
    assert sum(data.size(split) for split in ("train", "validation", "test")) == N == len(np.unique(found["event_id"]))


def test_rows_keep_their_order_over_parts(arrays, tmp_path, monkeypatch):
    monkeypatch.setattr("xaug.data.own_arrays.ROWS_PER_PART", 7)
    process = np.array(["a", "b", "c", "d", "e", "f"])[np.arange(N) % 6]  # two of each class
    data = xaug.Dataset.write(tmp_path / "own", **arrays, process=process)
    assert len(data.parts) == 9
    np.testing.assert_array_equal(data.load("process")["process"], process)
    assert data.counts == dict.fromkeys("abcdef", 10)
    rows = np.array([3, 8, 20])
    test = np.flatnonzero(data.load_rows(["label"], "train", np.arange(data.size("train")))["label"] >= 0)
    assert len(test) == data.size("train")
    np.testing.assert_array_equal(
        data.load_rows(["xaug"], "train", rows)["xaug"], data.load(["xaug"], "train")["xaug"][rows]
    )


def test_split_by_name_number_and_fractions(arrays, tmp_path):
    names = np.array(["train", "validation", "test"])[np.arange(N) // 3 % 3]
    data = xaug.Dataset.write(tmp_path / "names", **arrays, split=names)
    np.testing.assert_array_equal(
        data.load(["xaug"], "test")["xaug"], arrays["xaug"][names == "test"].astype(np.float32)
    )
    numbers = xaug.Dataset.write(tmp_path / "numbers", **arrays, split=np.arange(N) // 3 % 3)
    np.testing.assert_array_equal(numbers.load("label", "test")["label"], data.load("label", "test")["label"])
    for i, all_of_it in enumerate([(0.0, 0.0, 1.0), [0.0, 0.0, 1.0], (0, 0, 1)]):
        assert xaug.Dataset.write(tmp_path / f"all{i}", **arrays, split=all_of_it).size("test") == N


def test_names_of_classes_as_labels_and_columns_of_a_data_frame(arrays, tmp_path):
    frame = pd.DataFrame(arrays["xaug"], columns=["mjj", "ht"])
    names = np.array(arrays["classes"])[arrays["label"]]
    data = xaug.Dataset.write(tmp_path / "own", xaug=frame, label=names, classes=["top", "QCD", "Hbb"])
    assert data.names("xaug") == ["mjj", "ht"]
    np.testing.assert_array_equal(data.load("label")["label"], (arrays["label"] + 1) % 3)


def test_names_of_classes_are_ordered_whatever_the_order_of_events(arrays, tmp_path):
    """Backgrounds by name first, then by alphabet, so that datasets of the same classes have the same labels."""
    for i, names in enumerate((["top", "QCD", "Hbb"], ["Hbb", "top", "QCD"])):
        label = np.array(names)[np.arange(len(arrays["xaug"])) % 3]
        data = xaug.Dataset.write(tmp_path / f"own{i}", xaug=arrays["xaug"], label=label)
        assert data.classes == ("QCD", "Hbb", "top")
        assert (np.array(data.classes)[data.load("label")["label"]] == label).all()


def test_two_classes_are_background_and_signal(tmp_path):
    data = xaug.Dataset.write(tmp_path / "own", event=np.arange(10.0), label=np.arange(10) % 2 == 1)
    assert (data.classes, data.names("event")) == (("background", "signal"), ["event_0"])


def test_the_same_arrays_again_are_found_and_others_refused(arrays, tmp_path):
    first = xaug.Dataset.write(tmp_path / "own", **arrays)
    assert xaug.Dataset.write(tmp_path / "own", **arrays).digest == first.digest
    with pytest.raises(ConfigurationError, match="own"):
        xaug.Dataset.write(tmp_path / "own", **{**arrays, "xaug": arrays["xaug"] + 1})


def test_every_class_has_the_same_weight_in_the_scaling(tmp_path):
    """By hand: mean and variance of the average of the three class distributions."""
    label = np.repeat([0, 1, 2], [10, 40, 150])
    x = np.random.default_rng(0).normal(label * 3.0, 1.0)
    data = xaug.Dataset.write(tmp_path / "own", xaug=x, label=label, split=np.zeros(200, int))
    found = Scaler.fit(data, ["xaug"])
    values = x.astype(np.float32).astype(np.float64)
    mean = np.mean([values[label == k].mean() for k in range(3)])
    sigma = np.sqrt(np.mean([((values[label == k] - mean) ** 2).mean() for k in range(3)]))
    assert found.ranges["xaug"].high[0] == pytest.approx(min(values.max(), mean + 3 * sigma))
    assert found.ranges["xaug"].low[0] == pytest.approx(max(values.min(), mean - 3 * sigma))
    assert [found.fitted_on[f"class_{k}"] for k in range(3)] == [10, 40, 150]


def changed(name, value):
    return lambda arrays: {**arrays, name: value(arrays[name]) if callable(value) else value}


def with_value(value, *place):
    def change(array):
        array = np.array(array, dtype=float)
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("xaug", with_value(np.nan, 5, 1)), "'ht' is nan in event 5"),
        (changed("xaug", with_value(1e300, 5, 0)), "'mjj' is inf in event 5"),
        (changed("image", with_value(np.inf, 2, 3, 3)), "'image' is inf in event 2"),
        (changed("list", with_value(np.nan, 4, 0, 1)), "'eta' is nan in event 4"),
        (lambda a: {**a, "mask": None, "list": with_value(np.nan, 4, 3, 0)(a["list"])}, "'pt' is nan.*give a mask"),
        (changed("weight", with_value(np.nan, 7)), "'weight' is nan in event 7"),
        (changed("label", with_value(3, 7)), r"label is 3.0 in event 7; the classes are 0 \(QCD\), 1 \(Hbb\)"),
        (changed("label", with_value(0.5, 7)), "label is 0.5 in event 7"),
        (changed("label", with_value(-1, 7)), "label is -1.0 in event 7"),
        (changed("label", lambda label: np.eye(3)[label]), r"label has the shape \(60, 3\)"),
        (changed("label", ["Hb"] * N), "class in label 'Hb'; did you mean 'Hbb'"),
        (changed("xaug", lambda x: x[:-1]), r"xaug has the shape \(59, 2\); 'image' has 60"),
        (changed("xaug", lambda x: x[:, None]), r"'xaug' has the shape \(60, 1, 2\); it must be \(n, columns\)"),
        (changed("xaug", lambda x: x[:, :0]), "holds no numbers"),
        (changed("xaug", "text"), "'xaug' is no array of numbers"),
        (changed("mask", lambda m: m * 2), "mask holds other numbers than 0"),
        (changed("mask", lambda m: m[:, :3]), r"mask has the shape \(60, 3\); that of the list is \(60, 4\)"),
        (lambda a: {**a, "list": None, "variables": None}, "give it together with a list"),
        (changed("classes", ["QCD", "Hbb"]), "label is 2 in event 2"),
        (changed("classes", ["QCD", "QCD", "top"]), "each once"),
        (changed("classes", ["QCD", "predicted", "top"]), "'predicted' cannot be class 1; as a target it means"),
        (changed("classes", ["signal", "b", "c"]), "'signal' cannot be class 0; as a target it means class 1"),
        (changed("classes", ["a", "b/c", "d"]), "'b/c' has a comma, a slash, or a space at an end"),
        (lambda a: {**a, "classes": None, "label": a["label"] * 2}, "label has 4, but no event has 1; labels are 0 to"),
        (changed("label", ["QCD", None, "Hbb"] * (N // 3)), "label holds something else than numbers or names"),
        (changed("weight", np.zeros(N)), "class QCD has 0 as sum of weights; it must be above 0"),
        (changed("weight", -np.ones(N)), r"class QCD has -\S+ as sum of weights"),
        (changed("xaug", lambda x: x + 1j), "'xaug' is no array of numbers of one shape: it is complex"),
        (changed("variables", {"xaug": ["a"]}), "'xaug' has 2 columns, but 1 variables"),
        (changed("variables", {"xaug": ["a", "a"]}), "two columns named 'a'"),
        (changed("variables", {"xaug": ["a", "b"], "list": ["a", "c"]}), "both have a column named 'a'"),
        (changed("variables", {"xaug": ["a", "label"]}), "named 'label', a name that xaug uses itself"),
        (changed("variables", {"xaug": ["a", "all"]}), "named 'all', a name that xaug uses itself"),
        (changed("variables", {"xaug": ["a", "b,c"]}), "named 'b,c': names are chosen in lists separated by commas"),
        (changed("variables", {"xaug": ["a", "../b"]}), "named '../b'.*without comma, slash"),
        (changed("variables", {"xaug": ["a", " b"]}), "named ' b'.*spaces at its ends"),
        (changed("xaug", lambda x: np.ma.masked_less(x, np.median(x))), "'xaug' is a masked array; fill it"),
        (changed("variables", {"xaugs": ["a", "b"]}), "block in variables 'xaugs'; did you mean 'xaug'"),
        (lambda a: {**a, "process": ["one"] * N}, "process 'one' has events of the classes QCD and Hbb"),
        (lambda a: {**a, "split": (0.5, 0.5, 0.5)}, "sum to 1"),
        (lambda a: {**a, "split": ["tests"] * N}, "unknown split 'tests'; did you mean 'test'"),
        (lambda a: {**a, "split": [3] * N}, "other values than train"),
        (lambda a: {name: v[:0] if isinstance(v, np.ndarray) else v for name, v in a.items()}, "hold no events"),
        (lambda a: {"label": a["label"]}, "no inputs: give at least one of image, list, xaug, event"),
    ],
)  # fmt: skip
def test_what_no_dataset_can_hold_is_refused_before_anything_is_written(arrays, tmp_path, change, words):
    with pytest.raises(ConfigurationError, match=words):
        xaug.Dataset.write(tmp_path / "own", **change(arrays))
    assert not (tmp_path / "own").exists()
