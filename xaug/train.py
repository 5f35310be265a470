"""Stage `train`: a dataset to a run, N trainings of one network (`python -m xaug.train`)."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from xaug import manifest, workers
from xaug.command import bar, xaug_command
from xaug.dataset import Dataset
from xaug.errors import ConfigurationError, DatasetError, ModelError
from xaug.networks import NETWORKS, Inputs, choose_inputs
from xaug.runs import training_directory, write_scores
from xaug.scaling import Scaler
from xaug.storage import atomic_path, read_json, write_json

__all__ = ["Training", "train"]


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    trainings: int = 4
    epochs: int = 50  # at most; early stopping ends most trainings before
    patience: int = 6  # epochs without a better validation loss before stopping
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 1
    max_jets: int | None = None  # training rows at most, for learning curves
    threads: int = 1  # per training; part of the result, since sums depend on it in the last digits
    scale_on_all: bool = False  # fit the scaler on all jets, those of the test as well, as arXiv:2011.13466 does

    def __post_init__(self):
        for name in ("trainings", "epochs", "patience", "batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be at least 1")
        if not self.learning_rate > 0:
            raise ConfigurationError(f"--learning-rate {self.learning_rate}: must be positive")
        if self.max_jets is not None and self.max_jets < 2:
            raise ConfigurationError(f"--max-jets {self.max_jets}: must be at least 2")

    @property
    def config(self) -> dict:
        """As plain data, for the manifest."""
        settings = asdict(self)
        if not self.scale_on_all:
            del settings["scale_on_all"]  # an exception, said only where it is made
        return settings


def seed_of(seed: int, training: int) -> int:
    """Seed of one training: different and unrelated for every (seed, training)."""
    return int(np.random.SeedSequence([seed, training]).generate_state(1)[0])


def train(
    dataset: str | Path,
    output: str | Path,
    *,
    network: str = "cnn2d",
    xaug: str | list[str] = "all",
    particle_list: str | list[str] | None = None,
    rows_per_step: int = 1,
    workers_wanted: int | None = None,
    **options,
) -> dict:
    """Train a network N times; return the run's manifest.

    Parameters
    ----------
    network, xaug, particle_list, rows_per_step
        see `xaug.networks.choose_inputs`
    workers_wanted
        trainings at a time; default: as many as the cores allow
    options
        fields of `Training`
    """
    how = Training(**options)
    data = Dataset.open(dataset)
    inputs = choose_inputs(data.kind, network, xaug, particle_list, rows_per_step)
    output = Path(output)
    config = {"dataset": data.digest, **asdict(inputs), **how.config}
    finished = manifest.begin(output, "train", config)
    if finished:
        return finished
    for split in ("validation", "test"):
        labels = data.load(["label"], split)["label"]
        if len(np.unique(labels)) < 2:
            raise DatasetError(f"{data.path}: its {split} split has no {'signal' if 1 not in labels else 'background'}")
    scaler_path = output / "scaler.json"
    if not scaler_path.exists():
        rows = (None, None) if how.scale_on_all else (how.max_jets, "train")
        Scaler.fit(data, inputs.columns, *rows).save(scaler_path)

    tasks = [
        {
            "dataset": str(data.path.resolve()),
            "run": str(output.resolve()),
            "training": i,
            "inputs": asdict(inputs),
            "how": asdict(how),
        }
        for i in range(how.trainings)
    ]
    waiting = [task for task in tasks if not _metrics_path(output, task["training"]).exists()]
    with bar(how.trainings * how.epochs, f"train {output.name}", "epochs") as progress:
        progress.update((how.trainings - len(waiting)) * how.epochs)

        def count(report: dict) -> None:
            progress.update(report["epochs"])
            if "loss" in report:
                progress.set_postfix_str(f"validation loss {report['loss']:.3f}", refresh=False)

        at_once = workers_wanted or max(1, workers.cores() // how.threads)
        environment = {"OMP_NUM_THREADS": str(how.threads), "TF_NUM_INTRAOP_THREADS": str(how.threads)}
        for _ in workers.run_tasks("xaug.train:train_once", waiting, at_once, count, environment):
            pass
    metrics = [read_json(_metrics_path(output, i)) for i in range(how.trainings)]
    results = [{key: value for key, value in m.items() if key != "history"} for m in metrics]
    _plot_history(output, [m["history"] for m in metrics])
    return manifest.write(
        output, "train", config, dataset=str(data.path.resolve()), inputs=asdict(inputs), metrics=results,
    )  # fmt: skip


def _metrics_path(run: Path, training: int) -> Path:
    return training_directory(run, training) / "metrics.json"


def _plot_history(output: Path, histories: list[dict]) -> None:
    from xaug.plots.figures import figure, save
    from xaug.plots.history import plot_history

    with figure() as (fig, ax):
        plot_history(histories, ax)
        save(fig, output / "history")


def train_once(task: dict, arrays: dict, report) -> tuple[dict, dict]:
    """One training, in a process of its own (a task of `xaug.workers`)."""
    how = Training(**task["how"])
    run, training = Path(task["run"]), task["training"]
    data, inputs = Dataset.open(task["dataset"]), Inputs(**task["inputs"])
    scaler = Scaler.load(run / "scaler.json")
    model, history = fit(data, inputs, scaler, how, training, report)
    directory = training_directory(run, training)
    x, y = read(data, inputs, scaler, "test")
    score = model.predict(x, batch_size=1024, verbose=0)[:, 1]
    with atomic_path(directory / "model.keras") as path:
        model.save(path)
    write_scores(directory / "scores.h5", y, score, data.load(["event_id"], "test")["event_id"])
    with atomic_path(directory / "history.csv") as path, open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", *history])
        table.writerows([i, *values] for i, values in enumerate(zip(*history.values(), strict=True)))
    from xaug.evaluate import metrics

    result = {
        **metrics(y, score),
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


def read(data: Dataset, inputs: Inputs, scaler: Scaler, split: str, max_rows: int | None = None):
    """Scaled inputs by name, and labels (n,), of a split."""
    arrays = data.load([*inputs.fields, "label"], split, max_rows)
    return inputs.take(scaler.scale(arrays)), arrays["label"]


def fit(data: Dataset, inputs: Inputs, scaler: Scaler, how: Training, training: int, report):
    """The trained model with its best weights, and its history by epoch."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    from xaug.networks import build

    tf.config.threading.set_intra_op_parallelism_threads(how.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed_of(how.seed, training))
    tf.config.experimental.enable_op_determinism()

    x, y = read(data, inputs, scaler, "train", how.max_jets)
    validation = read(data, inputs, scaler, "validation")
    model = build(inputs)
    optimizer = keras.optimizers.Adam(how.learning_rate, clipnorm=NETWORKS[inputs.network].clipnorm)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    class Follow(keras.callbacks.Callback):
        """Keeps the best weights, stops early, and reports each epoch."""

        best, weights, since = np.inf, None, 0

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

    sizes = np.bincount(y, minlength=2)
    history = model.fit(
        x,
        y,
        batch_size=how.batch_size,
        epochs=how.epochs,
        validation_data=validation,
        class_weight={label: len(y) / (2 * size) for label, size in enumerate(sizes)},
        callbacks=[Follow()],
        verbose=0,
    )
    return model, {name: [float(v) for v in values] for name, values in history.history.items()}


@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Run directory to write.")
@click.option(
    "--network",
    default="cnn2d",
    help="cnn2d (images), cnn1d or rnn (particle lists), each with XAUGs joined, or mlp (XAUGs alone).",
)
@click.option("--xaug", default="all", help="all, none, no_flavour, authors5, or names separated by commas.")
@click.option(
    "--list",
    "particle_list",
    help="Columns of the particle list: all, four_momentum, or names separated by commas.  "
    "[default: all; of rnn: log_pt, delta_eta, delta_phi]",
)
@click.option("--rows-per-step", type=int, default=1, help="Rows of the list that rnn reads at a time.")
@click.option(
    "--trainings", type=int, default=Training.trainings, help="Independent trainings; their spread is the error."
)
@click.option("--epochs", type=int, default=Training.epochs, help="Epochs at most.")
@click.option("--patience", type=int, default=Training.patience, help="Epochs without a better validation loss.")
@click.option("--batch-size", type=int, default=Training.batch_size)
@click.option("--learning-rate", type=float, default=Training.learning_rate, help="Of Adam.")
@click.option("--seed", type=int, default=Training.seed)
@click.option("--max-jets", type=int, help="Train on this many jets at most (for learning curves).")
@click.option("--threads", type=int, default=Training.threads, help="Threads per training.")
@click.option(
    "--options",
    "choices",
    type=click.Choice(["paper-literal"]),
    help="Fit the scaling on all jets, not on the training split alone, as the authors' code does.",
)
@click.option("--workers", type=click.IntRange(1), help="Trainings at a time.  [default: cores / threads]")
@xaug_command
def main(dataset, output, workers, choices, **options) -> dict:
    """Train a network N times on a dataset, each from another seed; keep the best weights of each.

    Finished trainings are kept when a run is killed and started again.

    Example: python -m xaug.train zbb_jets --network cnn2d --xaug all --trainings 4 -o zbb_cnn2d
    """
    result = train(dataset, output, workers_wanted=workers, scale_on_all=choices == "paper-literal", **options)
    auc = np.array([m["auc"] for m in result["metrics"]])
    return {
        "output": str(output),
        "metrics": result["metrics"],
        "summary": [f"AUC {auc.mean():.4f} +- {auc.std():.4f} over {len(auc)} trainings (test split)"],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.train")
