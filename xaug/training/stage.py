"""Stage `train`: a dataset to a run, N trainings of one network (`python -m xaug.train`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import read_json
from xaug.core.workers import cores, run_tasks
from xaug.data.dataset import SPLITS, Dataset
from xaug.data.scaling import Scaler
from xaug.data.weights import DEFAULT_WEIGHTS, event_weights
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import find_network
from xaug.training.loop import Training, metrics_path
from xaug.training.rankings import best_xaugs

__all__ = ["PlannedRun", "train", "train_all"]


"""Jets a class where no dataset is given."""


class PlannedRun:
    """A run that is claimed on disk, its scaler fitted, and its trainings waiting.

    Parameters
    ----------
    network, xaug, particle_list, rows_per_step, event, sizes
        see `xaug.networks.inputs.choose_inputs`; xaug may be "top5" as well
    ranking
        finished directory of `xaug.explain`, whose five best expert variables "top5" are
    weights
        see `xaug.data.weights.WEIGHTS`; default: that of the kind of dataset
    options
        fields of `Training`; default of batch_size and learning_rate: the network's own

    Attributes
    ----------
    finished : dict or None
        its manifest, if all is done already
    """

    def __init__(
        self,
        dataset: str | Path,
        output: str | Path,
        *,
        network: str = "cnn2d",
        xaug: str | list[str] | None = None,
        ranking: str | Path | None = None,
        particle_list: str | list[str] | None = None,
        rows_per_step: int = 1,
        event: str | list[str] | None = None,
        sizes: dict[str, float] | None = None,
        weights: str | None = None,
        **options,
    ):
        self.data, self.output = Dataset.open(dataset), Path(output)
        if xaug == "top5":
            if ranking is None:
                raise ConfigurationError(
                    "--xaug top5: name the ranking whose five best these are: --ranking DIRECTORY of xaug.explain"
                )
            xaug = best_xaugs(ranking, self.data.table)
        elif ranking is not None:
            raise ConfigurationError(f"--ranking {ranking} goes with --xaug top5 only")
        self.inputs = choose_inputs(self.data.table, network, xaug, particle_list, rows_per_step, event, sizes)
        defaults = find_network(network).defaults
        own = {"batch_size": defaults.batch_size, "learning_rate": defaults.learning_rate}
        given = {name: value for name, value in options.items() if value is not None}
        self.how = Training(**(own | given), weights=weights or DEFAULT_WEIGHTS[self.data.kind])
        self._check_data()
        self.config = {"dataset": self.data.digest, **self.inputs.config, **self.how.config}
        self.finished = provenance.begin(self.output, "train", self.config)
        if self.finished:
            return
        scaler_path = self.output / "scaler.json"
        if not scaler_path.exists():
            rows = (None, None) if self.how.scale_on_all else (self.how.max_jets, "train")
            Scaler.fit(self.data, self.inputs.columns, *rows).save(scaler_path)

    def _check_data(self) -> None:
        """What would fail in each training, before any is started."""
        for split in SPLITS:
            labels = {part["label"] for part in self.data.parts if part["splits"][split]}
            for label, lacking in enumerate(("background", "signal")):
                if label not in labels:
                    raise DatasetError(
                        f"{self.data.path}: its {split} split has no {lacking}; process more events of it"
                    )
        processes = np.array(list(self.data.processes))
        event_weights(self.how.weights, np.ones(len(processes)), processes, self.data.weight_scales)

    def waiting(self) -> list[dict]:
        """The tasks of `xaug.training.loop:train_once` that are left to do."""
        if self.finished:
            return []
        return [
            {
                "dataset": str(self.data.path.resolve()),
                "run": str(self.output.resolve()),
                "training": i,
                "inputs": self.inputs.to_json(),
                "how": asdict(self.how),
            }
            for i in range(self.how.trainings)
            if not metrics_path(self.output, i).exists()
        ]

    def finish(self) -> dict:
        """Write what all trainings together gave; return the run's manifest."""
        if self.finished:
            return self.finished
        metrics = [read_json(metrics_path(self.output, i)) for i in range(self.how.trainings)]
        results = [{key: value for key, value in m.items() if key != "history"} for m in metrics]
        _plot_history(self.output, [m["history"] for m in metrics])
        from_here = os.path.relpath(self.data.path.resolve(), self.output.resolve())
        return provenance.write(
            self.output, "train", self.config,
            dataset=str(self.data.path.resolve()), dataset_from_here=from_here, inputs=self.inputs.to_json(),
            metrics=results,
        )  # fmt: skip


def train(dataset: str | Path, output: str | Path, *, workers: int | None = None, **options) -> dict:
    """Train a network N times; return the run's manifest.

    Parameters
    ----------
    workers
        trainings at a time; default: as many as the cores allow
    options
        of `PlannedRun`
    """
    run = PlannedRun(dataset, output, **options)
    train_all([run], f"train {run.output.name}", workers)
    return run.finish()


def train_all(runs: list[PlannedRun], title: str, workers: int | None = None, per_process: int = 1) -> None:
    """Do all that waits in some runs, with one progress bar.

    Parameters
    ----------
    per_process
        trainings that one process does, one after the other
    """
    waiting = [task for run in runs for task in run.waiting()]
    if not waiting:
        return
    total = sum(run.how.trainings * run.how.epochs for run in runs if not run.finished)
    threads = max(run.how.threads for run in runs)
    with bar(total, title, "epochs") as progress:
        progress.update(total - sum(task["how"]["epochs"] for task in waiting))

        def count(report: dict) -> None:
            progress.update(report["epochs"])
            if "loss" in report:
                progress.set_postfix_str(f"validation loss {report['loss']:.3f}", refresh=False)

        at_once = workers or max(1, cores() // threads)
        environment = {"OMP_NUM_THREADS": str(threads), "TF_NUM_INTRAOP_THREADS": str(threads)}
        function, tasks = "xaug.training.loop:train_once", waiting
        if per_process > 1:
            function, tasks = "xaug.training.loop:train_several", list(_grouped(waiting, per_process))
        for _ in run_tasks(function, tasks, at_once, count, environment):
            pass


def _grouped(tasks: list[dict], size: int) -> Iterable[dict]:
    for start in range(0, len(tasks), size):
        yield {"tasks": tasks[start : start + size]}


def _plot_history(output: Path, histories: list[dict]) -> None:
    from xaug.plots.figures import figure, save
    from xaug.plots.history import plot_history

    with figure() as (fig, ax):
        plot_history(histories, ax)
        save(fig, output / "history")
