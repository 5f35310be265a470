"""Batches of a sample, from memory and from disk."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import xaug
from xaug.core.errors import DatasetError
from xaug.data.scaling import Scaler
from xaug.networks.choice import choose_inputs
from xaug.networks.keras_versions import is_keras_3
from xaug.training import batches, sample
from xaug.training.batches import by_groups, endless_batches, errors_of, ordered_batches
from xaug.training.runs import load_run
from xaug.training.sample import ScaledSample
from xaug.training.scaled import load_scaled
from xaug.training.stage import train

ROWS = 203


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Column `row` counts the rows of the training split; classes alternate, weights are those of the class."""
    path = tmp_path_factory.mktemp("batches") / "rows"
    split = np.where(np.arange(2 * ROWS) % 2, "train", "validation")
    split[:4] = "test"
    rows = np.arange(2 * ROWS) // 2 - 2.0
    return xaug.Dataset.write(
        path, xaug=np.stack([rows, -rows], 1), label=np.arange(2 * ROWS) // 2 % 2, weight=1.0 + (rows == 7),
        split=split, variables={"xaug": ["row", "minus"]},
    )  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Blocks of 8 rows and groups of 4 blocks, so that 201 rows are 26 blocks."""
    for module in (sample, batches):
        monkeypatch.setattr(module, "BLOCK", 8)
    monkeypatch.setattr(batches, "GROUP", 4)


def make(data, **options):
    inputs = choose_inputs(data.table, "mlp")
    return ScaledSample(data, inputs, Scaler.fit(data, inputs.columns), "train", **options)


def rows_of(batch):
    """Rows that a batch holds, as its first column tells after scaling; the second column must go with it."""
    x = batch[0]["xaug"]
    np.testing.assert_allclose(x.sum(axis=1), 1, atol=1e-6)
    return np.rint(x[:, 0] * (ROWS - 3)).astype(int)


def test_batches_are_passes_over_the_sample(data):
    """Each pass has each row once, in another order; a batch at the end of a pass is short; a row stays whole."""
    n = ROWS - 2
    for seed in (3, None):
        keras.utils.set_random_seed(5)
        found = list(endless_batches(make(data), 80, seed).take(9).as_numpy_iterator())
        assert [len(label) for _, label, _ in found] == [80, 80, 41] * 3
        passes = [np.concatenate([rows_of(batch) for batch in found[i : i + 3]]) for i in (0, 3, 6)]
        for own in passes:
            np.testing.assert_array_equal(np.sort(own), np.arange(n))
        assert not np.array_equal(passes[0], passes[1]) and not np.array_equal(passes[1], passes[2])
        for batch in found:
            rows = rows_of(batch)
            np.testing.assert_array_equal(batch[1], rows % 2)
    again = next(iter(endless_batches(make(data), 80, 3).as_numpy_iterator()))
    other = next(iter(endless_batches(make(data), 80, 4).as_numpy_iterator()))
    assert not np.array_equal(rows_of(again), rows_of(other))


@pytest.mark.parametrize("seed", [3, None])
@pytest.mark.parametrize("window", [1, 3, 4])
@pytest.mark.parametrize("batch_size", [16, 150])
def test_streamed_batches_are_those_of_memory(data, small, seed, window, batch_size):
    """Bit by bit, for windows smaller than a group and batches larger than what is held."""

    def drawn(**options):
        keras.utils.set_random_seed(5)
        one = make(data, **options)
        return one, list(endless_batches(one, batch_size, seed).take(30).as_numpy_iterator())

    held, expected = drawn(memory=1e3)
    streamed, found = drawn(memory=0, window=window)
    assert streamed.is_streamed and not held.is_streamed
    assert len(streamed._held["xaug"]) == 8 * window
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[0]["xaug"], other[0]["xaug"])
        np.testing.assert_array_equal(one[1], other[1])
        np.testing.assert_array_equal(one[2], other[2])


def test_a_long_pass_shuffles_groups_of_blocks(small):
    """Each group is some whole blocks, never neighbours; all rows come once; rows of a group are mixed."""
    order = by_groups(np.random.default_rng(0).permutation(203))
    np.testing.assert_array_equal(np.sort(order), np.arange(203))
    blocks = order // 8
    ends = [np.flatnonzero(blocks == b)[[0, -1]] for b in range(26)]
    group = np.searchsorted(np.unique([start for start, _ in ends]), 0) * np.zeros(26, int)
    # a group ends where no block goes on: 7 groups of at most 4 of the 26 blocks
    open_until, current, sizes = -1, -1, []
    for b in blocks[np.sort([start for start, _ in ends])]:
        start, end = ends[b]
        if start > open_until:
            current, sizes = current + 1, [*sizes, 0]
        open_until, group[b] = max(open_until, end), current
        sizes[-1] += 1
    assert sorted(sizes) == [3, 3, 4, 4, 4, 4, 4]
    for start in range(0, 21, 7):
        assert sorted(group[start : start + 7]) == list(range(7)), "of seven neighbours each is in another group"
    assert (np.abs(np.diff(blocks)) > 0).mean() > 0.5
    few = np.random.default_rng(1).permutation(32)
    np.testing.assert_array_equal(by_groups(few), few)


@pytest.mark.skipif(is_keras_3(), reason="Keras 3 shuffles arrays in an order of its own from the second epoch on")
def test_epochs_take_rows_as_keras_takes_arrays(data):
    """The losses of `Model.fit` on arrays, to the last bit, with validation and weights."""
    inputs, losses = choose_inputs(data.table, "mlp"), []
    x, label, weight = load_scaled(data, inputs, Scaler.fit(data, inputs.columns), "train")
    for given in ("arrays", "batches"):
        keras.utils.set_random_seed(11)
        own = keras.Input((2,), name="xaug")
        hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(8, activation="relu")(own))
        model = keras.Model(own, keras.layers.Dense(2, activation="softmax")(hidden))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        if given == "arrays":
            done = model.fit(
                x, label, sample_weight=weight, batch_size=32, epochs=3, validation_data=(x, label, weight), verbose=0
            )
        else:
            one = make(data)
            done = model.fit(
                endless_batches(one, 32), steps_per_epoch=7, epochs=3, validation_data=ordered_batches(one, 32),
                verbose=0,
            )  # fmt: skip
        losses.append(done.history)
    assert losses[0] == losses[1]


def test_rows_in_order_and_few_of_them(data, small):
    """`max_rows` takes the same rows as `Dataset.load` does."""
    wanted = data.load(["xaug"], "train", 50)["xaug"][:, 0]
    found = list(ordered_batches(make(data, max_rows=50, memory=0), 16).as_numpy_iterator())
    assert [len(label) for _, label, _ in found] == [16, 16, 16, 2]
    np.testing.assert_array_equal(np.concatenate([rows_of(batch) for batch in found]), wanted)


def test_an_error_while_reading_is_told_as_such(data):
    one = make(data)
    one._data = None
    with pytest.raises(AttributeError), errors_of(one):
        list(ordered_batches(one, 16))
    damaged = DatasetError("part is damaged")
    one.error = None

    def broken(rows):
        raise damaged

    one.read = broken
    with pytest.raises(DatasetError, match="part is damaged"), errors_of(one):
        list(ordered_batches(one, 16))


@pytest.mark.slow
@pytest.mark.parametrize("length", [["--epochs", "2"], ["--steps", "60", "--check-every", "20"]])
def test_streamed_training_is_the_training_in_memory(length, tmp_path):
    """On 72,000 training jets, which are two groups: all weights, histories and scores are equal, to the last bit."""
    options = ["--jets", "60000", "--seed", "4", "-o", tmp_path / "toy"]
    subprocess.run([sys.executable, "-m", "xaug.generate", "toy", *options], check=True, capture_output=True)
    for memory in ("0", "10000"):
        subprocess.run(
            [
                sys.executable, "-m", "xaug.train", tmp_path / "toy", "--network", "mlp", "--batch-size", "4000",
                "--trainings", "1", *length, "--memory", memory, "-o", tmp_path / memory,
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    one, other = (load_run(tmp_path / memory) for memory in ("0", "10000"))
    assert one.history(0) == other.history(0) and one.metrics == other.metrics
    for a, b in zip(one.model(0).get_weights(), other.model(0).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, values in one.scores(0).items():
        np.testing.assert_array_equal(values, other.scores(0)[name])


def test_memory_changes_no_number_and_no_record(zbb_dataset, tmp_path):
    """A run that began with one budget goes on with another one, as a finished one is the same run."""
    options = {"network": "mlp", "trainings": 1, "epochs": 2, "batch_size": 64, "reweight": "pt:200,300,500"}
    options["reference"] = "background"
    found = [train(zbb_dataset, tmp_path / f"{memory}", memory=memory, **options) for memory in (0, 1e4)]
    assert found[0]["metrics"] == found[1]["metrics"]
    assert found[0]["config"] == found[1]["config"]
    assert train(zbb_dataset, tmp_path / "0", memory=1e4, **options) == found[0]
