"""Train one network inside a worker process."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.files import atomic_path
from xaug.core.types import Array, Arrays, JsonObject
from xaug.core.workers import Report
from xaug.data.dataset import Dataset
from xaug.data.scaling import Scaler
from xaug.data.weights import expected_events
from xaug.networks.inputs import Inputs
from xaug.networks.registry import build, find_network
from xaug.training.batches import GROUP, endless_batches, errors_of, ordered_batches
from xaug.training.batchnorm import recalibration_sample
from xaug.training.class_metrics import judge
from xaug.training.config import TrainingConfig
from xaug.training.metrics import Search, SearchSample, search
from xaug.training.reweighting import FILE as REWEIGHTING
from xaug.training.reweighting import Reweighting
from xaug.training.runs import training_directory, write_scores
from xaug.training.sample import MEMORY, ScaledSample
from xaug.training.task import History, TrainingResult, TrainingTask

if TYPE_CHECKING:
    from keras import Model

__all__ = ["fit", "train_once", "train_several"]

STEPS_VALIDATION = 32
"""Rows of a batch in which a training by steps is validated; one by epochs takes batches of its own size."""


def train_once(task: JsonObject, arrays: Arrays, report: Report) -> tuple[JsonObject, Arrays]:
    """Train a network once and write its directory; a task of `xaug.core.workers`, see `TrainingTask`."""
    _train(TrainingTask.from_json(task), report)
    return {}, {}


def train_several(task: JsonObject, arrays: Arrays, report: Report) -> tuple[JsonObject, Arrays]:
    """Do several trainings one after the other, where to start a process takes longer than to train.

    Each training begins from a cleared session and its own seed, so that it ends as in a process of its own.
    """
    import keras

    for each in task["tasks"]:
        keras.backend.clear_session()
        _train(TrainingTask.from_json(each), report)
    return {}, {}


def _train(task: TrainingTask, report: Report) -> None:
    """Train, judge the network on the test split, and write model, scores, history and result."""
    data, inputs, config = Dataset.open(task.dataset), task.inputs, task.config
    if task.own_network:
        task.own_network.register(data.classes)
    scaler = Scaler.load(task.run / "scaler.json")
    reweighting = Reweighting.load(task.run / REWEIGHTING) if config.reweight else None
    model, history = fit(data, inputs, scaler, config, task.training, report, reweighting, task.memory)
    directory = training_directory(task.run, task.training)
    test = ScaledSample(data, inputs, scaler, "test", config.weights, memory=0)
    probability = _predict(model, test)
    score = probability[:, 1] if len(data.classes) == 2 else probability
    with atomic_path(directory / "model.keras") as path:
        model.save(path)
    event_id = data.load(["event_id"], "test")["event_id"]
    write_scores(
        directory / "scores.h5",
        {"label": test.label, "score": score, "weight": test.weight, "event_id": event_id},
    )
    _write_history(directory / "history.csv", history)
    metrics = judge(test.label, probability, data.classes, test.weight)
    found, reason = None, None
    searchable = "event" in inputs.columns and len(data.classes) == 2
    if searchable and set(data.weight_scales) == set(data.processes):
        try:
            found = _search(model, data, inputs, scaler, SearchSample(test.label, score, expected_events(data, "test")))
        except DatasetError as error:  # a small sample still trains, and says why it has no significance
            reason = str(error)
    TrainingResult(
        metrics=metrics,
        search=found,
        no_significance=reason,
        training=task.training,
        seed=config.seed_of(task.training),
        epochs=len(history["loss"]),
        best_epoch=int(np.argmin(history["val_loss"])),
        parameters=int(sum(np.prod(w.shape) for w in model.trainable_weights)),
        history=history,
    ).save(task.run)
    report(done=config.length - int(len(history["loss"]) if config.steps is None else history["steps"][-1]))


def _write_history(path: Path, history: History) -> None:
    """Write loss and accuracy as CSV, one row for each epoch or, in a training by steps, for each validation."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["epoch", *history])
        table.writerows([i, *values] for i, values in enumerate(zip(*history.values(), strict=True)))


def _search(model: Model, data: Dataset, inputs: Inputs, scaler: Scaler, test: SearchSample) -> Search:
    """Significance of a search with the scores of a network, whose threshold the validation split decides."""
    validation = ScaledSample(data, inputs, scaler, "validation", memory=0)
    score = _predict(model, validation)[:, 1]
    return search(SearchSample(validation.label, score, expected_events(data, "validation")), test)


def _predict(model: Model, sample: ScaledSample) -> Array:
    """Outputs (n, K) of a network, a batch at a time."""
    with errors_of(sample):
        outputs: Array = model.predict(ordered_batches(sample, 1024), verbose=0)
    return outputs


def fit(
    data: Dataset,
    inputs: Inputs,
    scaler: Scaler,
    config: TrainingConfig,
    training: int,
    report: Report,
    reweighting: Reweighting | None = None,
    memory: float = MEMORY,
) -> tuple[Model, History]:
    """Train a network on the training split.

    Parameters
    ----------
    data : Dataset
    inputs : Inputs
        network, and what it reads
    scaler : Scaler
    config : TrainingConfig
    training : int
        number of the training, which decides its seed
    report : Report
        called with `done` and `loss` after each validation, see `xaug.training.callback.KeepBest`
    reweighting : Reweighting, optional
        factors of the weights of the training and validation split
    memory : float
        inputs of a split that are held in memory, in MB; larger ones are streamed, which changes no number

    Returns
    -------
    model : keras.Model
        with the weights of least validation loss
    history : History
        with the number of `steps` before each validation, and the `learning_rate` where it falls

    Raises
    ------
    ModelError
        if the validation loss is not finite
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    from xaug.training.callback import KeepBest

    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(config.seed_of(training))
    tf.config.experimental.enable_op_determinism()

    common: dict[str, Any] = {"weights": config.weights, "reweighting": reweighting, "memory": memory}
    train = ScaledSample(data, inputs, scaler, "train", max_rows=config.max_jets, window=GROUP, **common)
    validation = ScaledSample(data, inputs, scaler, "validation", **common)
    model = build(inputs)
    own = find_network(inputs.network).defaults
    optimizer = keras.optimizers.Adam(config.learning_rate, weight_decay=own.weight_decay, clipnorm=own.clipnorm)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    sample = recalibration_sample(train) if own.recalibrate_batchnorm else None
    keep_best = KeepBest(training, config, report, sample)
    by_steps = config.steps is not None
    with errors_of(train, validation):
        history = model.fit(
            endless_batches(train, config.batch_size, config.seed_of(training) if by_steps else None),
            steps_per_epoch=config.check_every if by_steps else -(-len(train) // config.batch_size),
            epochs=config.length,
            validation_data=ordered_batches(validation, STEPS_VALIDATION if by_steps else config.batch_size),
            callbacks=[keep_best],
            verbose=0,
        )
    losses = {name: [float(v) for v in values] for name, values in history.history.items()}
    rates = {} if config.halve_after is None else {"learning_rate": keep_best.rates}
    return model, {**losses, **rates, "steps": [float(steps) for steps in keep_best.checked_at]}
