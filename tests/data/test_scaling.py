import json
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from xaug.core import provenance
from xaug.core.errors import DatasetError
from xaug.core.integrity import seal
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler

TRAIN = 0  # in the column `split`
BLOCKS = ["xaug", "list"]


@pytest.fixture
def copy(zbb_dataset, tmp_path):
    """A copy of the dataset in which a fifth of the particles is padding, as for jets of few constituents."""
    directory = Path(shutil.copytree(zbb_dataset, tmp_path / "copy"))

    def pad(columns):
        real = np.arange(20) < (20 - np.arange(len(columns["label"])) % 9)[:, None]
        columns["mask"][...] = real
        columns["list"][~real] = 0

    change_parts(directory, pad)
    return directory


def parts(directory: Path) -> list[Path]:
    return [directory / part["part"] for part in json.loads((directory / "manifest.json").read_text())["parts"]]


def read_parts(directory: Path) -> dict[str, np.ndarray]:
    """Columns of all parts, by plain h5py."""
    found = []
    for path in parts(directory):
        with h5py.File(path) as file:
            found.append({name: file[name][()] for name in ("xaug", "list", "mask", "label", "split")})
    return {name: np.concatenate([columns[name] for columns in found]) for name in found[0]}


def change_parts(directory: Path, change) -> None:
    """Let `change` edit the columns of every part in place."""
    for path in parts(directory):
        with h5py.File(path, "r+") as file:
            columns = {name: file[name][()] for name in ("xaug", "list", "mask", "label", "split")}
            change(columns)
            for name, values in columns.items():
                file[name][...] = values
    provenance.record_files(directory, parts(directory))


def expected_range(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What maps to 0 and 1: minimum and maximum, but at most three weighted standard deviations from the mean."""
    values = values.astype(np.float64)
    mean = np.average(values, axis=0, weights=weights)
    deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    return (
        np.maximum(values.min(axis=0), mean - 3 * deviation),
        np.minimum(values.max(axis=0), mean + 3 * deviation),
    )


def class_weights(label: np.ndarray) -> np.ndarray:
    return 1.0 / np.bincount(label)[label]


class TestFit:
    def test_xaug_by_hand(self, copy):
        """At equal class weight the mean is that of the two class means."""
        rows = read_parts(copy)
        train = rows["split"] == TRAIN
        values, label = rows["xaug"][train].astype(np.float64), rows["label"][train]
        means = [values[label == c].mean(axis=0) for c in (0, 1)]
        mean = (means[0] + means[1]) / 2
        squares = [((values[label == c] - mean) ** 2).mean(axis=0) for c in (0, 1)]
        deviation = np.sqrt((squares[0] + squares[1]) / 2)
        found = Scaler.fit(Dataset.open(copy), ["xaug"]).ranges["xaug"]
        np.testing.assert_allclose(found.low, np.maximum(values.min(axis=0), mean - 3 * deviation), rtol=1e-6)
        np.testing.assert_allclose(found.high, np.minimum(values.max(axis=0), mean + 3 * deviation), rtol=1e-6)
        # both limits are at work in this sample
        assert (found.high < values.max(axis=0)).sum() > 5 and (found.high == values.max(axis=0)).sum() > 2

    def test_classes_count_equally(self, copy):
        """Most of the signal rows taken out of training: signal keeps half of the weight."""

        def unbalance(columns):
            if columns["label"][0] == 1:
                columns["split"][5:] = 2

        change_parts(copy, unbalance)
        rows = read_parts(copy)
        train = rows["split"] == TRAIN
        values, label = rows["xaug"][train], rows["label"][train]
        assert 10 < 3 * (label == 1).sum() < (label == 0).sum()
        low, high = expected_range(values, class_weights(label))
        found = Scaler.fit(Dataset.open(copy), ["xaug"]).ranges["xaug"]
        np.testing.assert_allclose(found.low, low, rtol=1e-6)
        np.testing.assert_allclose(found.high, high, rtol=1e-6)
        unweighted = expected_range(values, np.ones(len(label)))
        assert not np.allclose(found.high, unweighted[1], rtol=1e-3)

    def test_list_by_hand(self, copy):
        """Of real particles only, each with the weight of its jet."""
        rows = read_parts(copy)
        train = rows["split"] == TRAIN
        mask, label = rows["mask"][train] > 0, rows["label"][train]
        assert 0.1 < 1 - mask.mean() < 0.4
        weights = np.repeat(class_weights(label), mask.sum(axis=1))
        low, high = expected_range(rows["list"][train][mask], weights)
        found = Scaler.fit(Dataset.open(copy), ["list"]).ranges["list"]
        np.testing.assert_allclose(found.low, low, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found.high, high, rtol=1e-6, atol=1e-9)

    def test_max_rows(self, copy):
        dataset = Dataset.open(copy)
        rows = dataset.load(["xaug", "label"], "train", 60)
        low, high = expected_range(rows["xaug"], class_weights(rows["label"]))
        scaler = Scaler.fit(dataset, ["xaug"], max_rows=60)
        np.testing.assert_allclose(scaler.ranges["xaug"].low, low, rtol=1e-6)
        np.testing.assert_allclose(scaler.ranges["xaug"].high, high, rtol=1e-6)
        assert [scaler.fitted_on["background"], scaler.fitted_on["signal"]] == np.bincount(rows["label"]).tolist()

    @pytest.mark.parametrize("value", [1e6, -1e6, np.nan, np.inf, 0.0])
    def test_never_sees_validation_or_test(self, copy, value):
        before = Scaler.fit(Dataset.open(copy), BLOCKS)

        def spoil(columns):
            other = columns["split"] != TRAIN
            columns["xaug"][other] = value
            columns["list"][other] = value
            columns["mask"][other] = 1

        change_parts(copy, spoil)
        after = Scaler.fit(Dataset.open(copy), BLOCKS)
        for block in BLOCKS:
            np.testing.assert_array_equal(after.ranges[block].low, before.ranges[block].low)
            np.testing.assert_array_equal(after.ranges[block].high, before.ranges[block].high)

    def test_sees_training(self, copy):
        """That the test above can fail: the same change of training rows is seen."""
        before = Scaler.fit(Dataset.open(copy), BLOCKS)

        def shift(columns):
            columns["xaug"][columns["split"] == TRAIN] += 1
            columns["list"][columns["split"] == TRAIN] += 1

        change_parts(copy, shift)
        after = Scaler.fit(Dataset.open(copy), BLOCKS)
        for block in BLOCKS:
            np.testing.assert_allclose(after.ranges[block].low, before.ranges[block].low + 1, rtol=1e-4, atol=1e-5)

    def test_on_all_rows_by_hand(self, copy):
        """The choice of arXiv:2011.13466: rows of validation and test count as those of training."""

        def shift(columns):
            columns["xaug"][columns["split"] != TRAIN] += 100

        change_parts(copy, shift)
        rows = read_parts(copy)
        low, high = expected_range(rows["xaug"], class_weights(rows["label"]))
        scaler = Scaler.fit(Dataset.open(copy), ["xaug"], split=None)
        np.testing.assert_allclose(scaler.ranges["xaug"].low, low, rtol=1e-6)
        np.testing.assert_allclose(scaler.ranges["xaug"].high, high, rtol=1e-6)
        assert scaler.fitted_on["split"] == "all"
        assert [scaler.fitted_on["background"], scaler.fitted_on["signal"]] == np.bincount(rows["label"]).tolist()

    @pytest.mark.parametrize("label", [0, 1])
    def test_class_missing(self, copy, label):
        manifest = json.loads((copy / "manifest.json").read_text())
        manifest["parts"] = [part for part in manifest["parts"] if part["label"] == label]
        (copy / "manifest.json").write_text(json.dumps(seal(manifest)))
        with pytest.raises(DatasetError, match=r"the training split has .* signal and .* background rows") as error:
            Scaler.fit(Dataset.open(copy), ["xaug"])
        assert f" 0 {'background' if label == 1 else 'signal'} " in str(error.value)
        assert str(copy) in str(error.value) and "\n" not in str(error.value)

    def test_image_needs_none(self, zbb_dataset):
        assert set(Scaler.fit(Dataset.open(zbb_dataset), ["image", "xaug"]).ranges) == {"xaug"}

    def test_says_what_it_was_fitted_on(self, zbb_dataset):
        rows = read_parts(zbb_dataset)
        counts = np.bincount(rows["label"][rows["split"] == TRAIN])
        assert Scaler.fit(Dataset.open(zbb_dataset), ["xaug"]).fitted_on == {
            "dataset": Dataset.open(zbb_dataset).digest,
            "split": "train",
            "background": counts[0],
            "signal": counts[1],
        }


class TestScale:
    @pytest.fixture
    def arrays(self, copy):
        return Dataset.open(copy).load(["image", "list", "mask", "xaug", "label"])

    @pytest.fixture
    def scaler(self, copy):
        return Scaler.fit(Dataset.open(copy), BLOCKS)

    def test_by_hand(self, scaler, arrays):
        scaled = scaler.scale(arrays)
        real = arrays["mask"] > 0
        for block, values, found in (
            ("xaug", arrays["xaug"], scaled["xaug"]),
            ("list", arrays["list"][real], scaled["list"][real]),
        ):
            low, high = scaler.ranges[block].low, scaler.ranges[block].high
            width = np.where(high > low, high - low, np.inf)
            expected = np.clip((values.astype(np.float64) - low) / width, 0, 1)
            np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_all_between_zero_and_one(self, scaler, arrays):
        """Validation and test rows too, also those far outside of what was seen."""
        arrays["xaug"][::7] *= 1000
        scaled = scaler.scale(arrays)
        for block in BLOCKS:
            assert scaled[block].dtype == np.float32
            assert scaled[block].min() == 0 and scaled[block].max() == 1
        varying = scaler.ranges["xaug"].high > scaler.ranges["xaug"].low
        assert (scaled["xaug"][:, varying].std(axis=0) > 0.01).all()

    def test_padding_is_zero(self, scaler, arrays):
        padding = arrays["mask"] == 0
        assert padding.any()
        assert not scaler.scale(arrays)["list"][padding].any()
        assert not scaler.unscale(scaler.scale(arrays))["list"][padding].any()

    def test_others_stay(self, scaler, arrays):
        scaled = scaler.scale(arrays)
        for name in ("image", "mask", "label"):
            np.testing.assert_array_equal(scaled[name], arrays[name])

    def test_input_stays(self, scaler, arrays):
        before = {name: values.copy() for name, values in arrays.items()}
        scaler.unscale(scaler.scale(arrays))
        for name, values in before.items():
            np.testing.assert_array_equal(arrays[name], values)

    def test_one_block_alone(self, scaler, arrays):
        alone = scaler.scale({"xaug": arrays["xaug"]})
        assert set(alone) == {"xaug"}
        np.testing.assert_array_equal(alone["xaug"], scaler.scale(arrays)["xaug"])

    def test_inverse(self, scaler, arrays):
        found = scaler.unscale(scaler.scale(arrays))
        for block in BLOCKS:
            low, high = scaler.ranges[block].low, scaler.ranges[block].high
            values = arrays[block].astype(np.float64)
            expected = np.clip(values, low, high)
            if block == "list":
                expected *= arrays["mask"][..., None]
            inside = (values >= low) & (values <= high)
            assert inside.mean() > 0.75 and not inside.all()
            # float32 resolves 1e-7 of the width
            assert (np.abs(found[block] - expected) <= 1e-6 * (np.abs(high - low) + np.abs(expected))).all()


class TestConstantColumn:
    @pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e30])
    def test_becomes_zero(self, copy, value):
        def flatten(columns):
            columns["xaug"][:, 5] = value
            columns["list"][columns["mask"] > 0, 3] = value

        change_parts(copy, flatten)
        dataset = Dataset.open(copy)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scaler = Scaler.fit(dataset, BLOCKS)
            arrays = dataset.load(["xaug", "list", "mask"])
            scaled = scaler.scale(arrays)
            back = scaler.unscale(scaled)
        assert not scaled["xaug"][:, 5].any()
        assert not scaled["list"][..., 3].any()
        np.testing.assert_allclose(back["xaug"][:, 5], np.float32(value), rtol=1e-6)

    def test_another_value_later(self, copy):
        """Constant in training, not in test: still 0, not a number."""

        def flatten(columns):
            columns["xaug"][:, 5] = np.where(columns["split"] == TRAIN, 0.1, 5.0)

        change_parts(copy, flatten)
        dataset = Dataset.open(copy)
        assert not Scaler.fit(dataset, ["xaug"]).scale(dataset.load(["xaug"]))["xaug"][:, 5].any()


class TestFile:
    def test_round_trip(self, copy, tmp_path):
        dataset = Dataset.open(copy)
        scaler = Scaler.fit(dataset, BLOCKS)
        scaler.save(tmp_path / "scaler.json")
        loaded = Scaler.load(tmp_path / "scaler.json")
        assert (loaded.kind, loaded.fitted_on) == (scaler.kind, scaler.fitted_on)
        arrays = dataset.load(["xaug", "list", "mask"])
        for block in BLOCKS:
            assert loaded.ranges[block].names == dataset.names(block)
            np.testing.assert_array_equal(loaded.ranges[block].low, scaler.ranges[block].low)
            np.testing.assert_array_equal(loaded.ranges[block].high, scaler.ranges[block].high)
            np.testing.assert_array_equal(loaded.scale(arrays)[block], scaler.scale(arrays)[block])

    def test_is_readable(self, copy, tmp_path):
        scaler = Scaler.fit(Dataset.open(copy), ["xaug"])
        scaler.save(tmp_path / "scaler.json")
        content = json.loads((tmp_path / "scaler.json").read_text())
        assert content["n_sigma"] == 3
        assert content["ranges"]["xaug"]["high"] == scaler.ranges["xaug"].high.tolist()

    @pytest.mark.parametrize("content", [None, "", "{"])
    def test_missing_or_damaged(self, tmp_path, content):
        if content is not None:
            (tmp_path / "scaler.json").write_text(content)
        with pytest.raises(DatasetError, match=r"scaler\.json"):
            Scaler.load(tmp_path / "scaler.json")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_variable_that_is_not_finite_is_named(copy, value):
    def spoil(columns):
        columns["xaug"][columns["split"] == TRAIN, 3] = value

    change_parts(copy, spoil)
    with pytest.raises(DatasetError, match="variable mass holds NaN or infinity"):
        Scaler.fit(Dataset.open(copy), BLOCKS)
