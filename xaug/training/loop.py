"""One training of a network: the side of a worker process."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError, DatasetError, ModelError, unknown_name
from xaug.core.files import atomic_path, write_json
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler
from xaug.data.weights import WEIGHTS, balanced, event_weights, expected_events
from xaug.networks.inputs import Inputs
from xaug.networks.registry import build, find_network
from xaug.training.metrics import metrics, search
from xaug.training.runs import training_directory, write_scores

__all__ = ["Training", "fit", "metrics_path", "read", "recalibrate_batchnorm", "seed_of", "train_once", "train_several"]


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    batch_size: int
    learning_rate: float  # of Adam
    trainings: int = 4
    epochs: int = 50  # at most; early stopping ends most trainings before
    patience: int = 6  # epochs without a better validation loss before stopping
    seed: int = 1
    max_jets: int | None = None  # training rows at most, for learning curves
    weights: str = "unit"  # what an event counts for, see `xaug.data.weights.WEIGHTS`
    threads: int = 1  # per training; part of the result, since sums depend on it in the last digits
    scale_on_all: bool = False  # fit the scaler on all jets, those of the test as well, as arXiv:2011.13466 does

    def __post_init__(self):
        for name in ("trainings", "epochs", "patience", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be at least 1")
        if not self.learning_rate > 0:
            raise ConfigurationError(f"--learning-rate {self.learning_rate}: must be positive")
        if self.seed < 0:
            raise ConfigurationError(f"--seed {self.seed}: must not be negative")
        if self.weights not in WEIGHTS:
            raise unknown_name("weights", self.weights, WEIGHTS)
        if self.max_jets is not None and self.max_jets < 2:
            raise ConfigurationError(f"--max-jets {self.max_jets}: must be at least 2")

    @property
    def config(self) -> dict:
        """As plain data; `scale_on_all` is an exception, said only where it is made."""
        settings = asdict(self)
        return settings if self.scale_on_all else {name: v for name, v in settings.items() if name != "scale_on_all"}


def seed_of(seed: int, training: int) -> int:
    """Seed of one training: different and unrelated for every (seed, training)."""
    return int(np.random.SeedSequence([seed, training]).generate_state(1)[0])


def metrics_path(run: Path, training: int) -> Path:
    """What the last file of a whole training is called."""
    return training_directory(run, training) / "metrics.json"


def train_once(task: dict, arrays: dict, report) -> tuple[dict, dict]:
    """One training, in a process of its own (a task of `xaug.core.workers`)."""
    how = Training(**task["how"])
    run, training = Path(task["run"]), task["training"]
    data, inputs = Dataset.open(task["dataset"]), Inputs.from_json(task["inputs"])
    scaler = Scaler.load(run / "scaler.json")
    model, history = fit(data, inputs, scaler, how, training, report)
    directory = training_directory(run, training)
    x, y, weight = read(data, inputs, scaler, "test", how.weights)
    score = model.predict(x, batch_size=1024, verbose=0)[:, 1]
    with atomic_path(directory / "model.keras") as path:
        model.save(path)
    event_id = data.load(["event_id"], "test")["event_id"]
    write_scores(directory / "scores.h5", {"label": y, "score": score, "weight": weight, "event_id": event_id})
    with atomic_path(directory / "history.csv") as path, open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", *history])
        table.writerows([i, *values] for i, values in enumerate(zip(*history.values(), strict=True)))
    result = {
        **metrics(y, score, weight),
        **_search(model, data, inputs, scaler, (y, score)),
        "training": training,
        "seed": seed_of(how.seed, training),
        "epochs": len(history["loss"]),
        "best_epoch": int(np.argmin(history["val_loss"])),
        "parameters": int(sum(np.prod(w.shape) for w in model.trainable_weights)),
        "history": history,
    }
    write_json(directory / "metrics.json", result)  # last: it says that the training is whole
    report(epochs=how.epochs - len(history["loss"]))
    return {"training": training}, {}


def train_several(task: dict, arrays: dict, report) -> tuple[dict, dict]:
    """Trainings one after the other in one process, where to start one costs more than to train.

    Each begins from a cleared session and its own seed, so that it ends as in a process of its own.
    """
    import keras

    for each in task["tasks"]:
        keras.backend.clear_session()
        train_once(each, arrays, report)
    return {"trainings": len(task["tasks"])}, {}


def _search(model, data: Dataset, inputs: Inputs, scaler: Scaler, test: tuple[np.ndarray, np.ndarray]) -> dict:
    """Significance of a search with the scores of a network, where the processes have cross sections."""
    if "event" not in inputs.columns or set(data.weight_scales) != set(data.processes):
        return {}
    x, label, _ = read(data, inputs, scaler, "validation")
    score = model.predict(x, batch_size=1024, verbose=0)[:, 1]
    validation = (label, score, expected_events(data, "validation"))
    try:
        return search(validation, (*test, expected_events(data, "test")))
    except DatasetError as error:  # a small sample still trains; it says why it has no significance
        return {"no_significance": str(error)}


def read(data: Dataset, inputs: Inputs, scaler: Scaler, split: str, weights: str = "unit", max_rows: int | None = None):
    """Scaled inputs by name, labels (n,), and weights (n,) with which both classes sum to n / 2, of a split."""
    arrays = data.load([*inputs.fields, "label", "weight", "process"], split, max_rows)
    own = event_weights(weights, arrays["weight"], arrays["process"], data.weight_scales)
    return inputs.take(scaler.scale(arrays)), arrays["label"], balanced(own, arrays["label"])


def fit(data: Dataset, inputs: Inputs, scaler: Scaler, how: Training, training: int, report):
    """The trained model with its best weights, and its history by epoch."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(how.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed_of(how.seed, training))
    tf.config.experimental.enable_op_determinism()

    x, y, weight = read(data, inputs, scaler, "train", how.weights, how.max_jets)
    validation = read(data, inputs, scaler, "validation", how.weights)
    model = build(inputs)
    own = find_network(inputs.network).defaults
    optimizer = keras.optimizers.Adam(how.learning_rate, weight_decay=own.weight_decay, clipnorm=own.clipnorm)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    some = _spread(x) if own.recalibrate_batchnorm else None

    class Follow(keras.callbacks.Callback):
        """Keeps the best weights, stops early, and reports each epoch."""

        best, weights, since = np.inf, None, 0

        def on_test_begin(self, logs=None):
            if some is not None:
                recalibrate_batchnorm(self.model, some)

        def on_epoch_end(self, epoch, logs=None):
            loss = logs["val_loss"]
            if not np.isfinite(loss):
                raise ModelError(f"training {training}: the validation loss is {loss}; lower --learning-rate")
            self.since += 1
            if loss < self.best:
                self.best, self.weights, self.since = loss, self.model.get_weights(), 0
            self.model.stop_training = self.since >= how.patience
            report(epochs=1, loss=float(loss))

        def on_train_end(self, logs=None):
            self.model.set_weights(self.weights)

    history = model.fit(
        x,
        y,
        batch_size=how.batch_size,
        epochs=how.epochs,
        validation_data=validation,
        sample_weight=weight,
        callbacks=[Follow()],
        verbose=0,
    )
    return model, {name: [float(v) for v in values] for name, values in history.history.items()}


RECALIBRATION_ROWS = 2048
"""Training rows, spread evenly, for the statistics of `recalibrate_batchnorm`."""


def _spread(x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    n = len(next(iter(x.values())))
    rows = np.linspace(0, n - 1, min(n, RECALIBRATION_ROWS)).astype(int)
    return {name: values[rows] for name, values in x.items()}


def recalibrate_batchnorm(model, x: dict[str, np.ndarray]) -> None:
    """Give each BatchNormalization the mean and variance of its inputs over the events x, under today's weights.

    Ioffe & Szegedy (arXiv:1502.03167), algorithm 2: at inference the statistics are those of the population. The
    running means that stand in for them lag behind by some ten steps, in which the outputs of a GRU, that vary by
    0.01 around means ten times as large, move by as much as they vary: the network is then judged, and kept, by
    statistics that it does not have.
    """
    import keras

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # the next statistics replace the last
    model(x, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
