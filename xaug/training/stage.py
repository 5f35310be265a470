"""Stage `train`: make a run of a dataset, that is N trainings of one network (`python -m xaug.train`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import atomic_path, read_json
from xaug.core.progress import bar
from xaug.core.types import JsonObject
from xaug.core.workers import cores, run_tasks
from xaug.data.dataset import Dataset
from xaug.data.splits import SPLITS
from xaug.data.variables import Table
from xaug.data.weights import DEFAULT_WEIGHTS, event_weights
from xaug.networks.choice import choose_inputs
from xaug.networks.own_networks import SOURCE, OwnNetwork, is_own
from xaug.networks.registry import find_network
from xaug.training.config import TrainingConfig
from xaug.training.input_scaling import check_scaling, fit_scaler
from xaug.training.rankings import best_xaugs
from xaug.training.reweighting import FILE as REWEIGHTING
from xaug.training.reweighting import fit_reweighting, read_binning
from xaug.training.sample import MEMORY
from xaug.training.task import TrainingTask, result_path

__all__ = ["PlannedRun", "train", "train_all"]

Names = str | Sequence[str]
"""Names of variables or of selections, as a list or separated by commas."""


class PlannedRun:
    """A run that is claimed on disk: its scaler is fitted, and its trainings wait.

    Parameters
    ----------
    dataset, output : path
        dataset to train on, and directory to write
    network, particle_list, rows_per_step, event, sizes
        see `xaug.networks.choice.choose_inputs`
    xaug : str or list of str, optional
        expert variables, see `xaug.networks.choice.choose_inputs`, or "top5"
    ranking : path, optional
        finished directory of `xaug.explain`, whose five best expert variables "top5" means
    weights : str, optional
        what an event counts for, see `xaug.data.weights.WEIGHTS`; default: that of the kind of dataset
    memory : float, optional
        inputs of a split that each training holds in memory, in MB; larger ones are read anew in each pass
    settings
        fields of `xaug.training.config.TrainingConfig`; default of batch_size and learning_rate: those of the network

    Attributes
    ----------
    inputs : Inputs
    config : TrainingConfig
    recorded : dict
        the settings that decide whether a run in the same place is the same one
    finished : dict or None
        the manifest of the run, if all its trainings are done

    Raises
    ------
    ConfigurationError
        if a setting is unknown or not possible, or the directory holds another run
    DatasetError
        if the dataset lacks events of a class
    """

    def __init__(
        self,
        dataset: str | Path,
        output: str | Path,
        *,
        network: str = "cnn2d",
        xaug: Names | None = None,
        ranking: str | Path | None = None,
        particle_list: Names | None = None,
        rows_per_step: int = 1,
        event: Names | None = None,
        sizes: Mapping[str, float] | None = None,
        weights: str | None = None,
        memory: float | None = None,
        **settings: Any,
    ) -> None:
        self.data, self.output = Dataset.open(dataset), Path(output)
        self.memory = MEMORY if memory is None else memory
        if len(self.data.classes) < 2:
            only = self.data.classes[0]
            raise DatasetError(f"{dataset} has one class only, {only}; process files of all classes together")
        xaug = _expert_variables(xaug, ranking, self.data.table)
        self.own_network = OwnNetwork.read(network) if is_own(network) else None
        if self.own_network:
            network = self.own_network.register(self.data.classes).name
        self.inputs = choose_inputs(
            self.data.table, network, xaug, particle_list, rows_per_step, event, sizes, len(self.data.classes)
        )
        own = find_network(network).defaults
        defaults: JsonObject = {"batch_size": own.batch_size, "learning_rate": own.learning_rate}
        given = {name: value for name, value in settings.items() if value is not None}
        self.config = TrainingConfig(**{**defaults, **given}, weights=weights or DEFAULT_WEIGHTS[self.data.kind])
        check_scaling(self.data, self.inputs, self.config)
        self._check_data()
        binning = read_binning(self.config.reweight) if self.config.reweight else None
        reweighting = None
        if binning and self.config.reference:
            reweighting = fit_reweighting(
                self.data, binning, self.config.reference, self.config.weights, self.config.max_jets
            )
        self.recorded: JsonObject = {"dataset": self.data.digest, **self.inputs.config, **self.config.config}
        if self.own_network:
            self.recorded["network_digest"] = self.own_network.digest
        self.finished = provenance.begin(self.output, "train", self.recorded, made_with_training)
        if self.own_network and not self.finished:
            with atomic_path(self.output / SOURCE) as path:
                path.write_text(self.own_network.source, encoding="utf-8")
        if reweighting and not self.finished:
            reweighting.save(self.output / REWEIGHTING)
        scaler = self.output / "scaler.json"
        if not self.finished and not scaler.exists():
            fit_scaler(self.data, self.inputs, self.config).save(scaler)

    def _check_data(self) -> None:
        """Find what would make each training fail, before any is started."""
        for split in SPLITS:
            labels = {own.label for part in self.data.parts for own in part.contents if own.splits[split]}
            for label, lacking in enumerate(self.data.classes):
                if label not in labels:
                    raise DatasetError(
                        f"{self.data.path}: its {split} split has no {lacking}; process more events of it"
                    )
        processes = np.array(list(self.data.processes))
        event_weights(self.config.weights, np.ones(len(processes)), processes, self.data.weight_scales)

    def waiting(self) -> list[TrainingTask]:
        """The trainings that are left to do."""
        if self.finished:
            return []
        dataset, run = self.data.path.resolve(), self.output.resolve()
        return [
            TrainingTask(dataset, run, training, self.inputs, self.config, self.own_network, self.memory)
            for training in range(self.config.trainings)
            if not result_path(self.output, training).exists()
        ]

    def finish(self) -> JsonObject:
        """Write the manifest of the run, with the results of all trainings, and return it."""
        if self.finished:
            return self.finished
        results = [read_json(result_path(self.output, training)) for training in range(self.config.trainings)]
        dataset = self.data.path.resolve()
        return provenance.write(
            self.output,
            "train",
            self.recorded,
            dataset=str(dataset),
            dataset_from_here=os.path.relpath(dataset, self.output.resolve()),
            classes=list(self.data.classes),
            training_events=len(self.data.rows("train", self.config.max_jets)),
            inputs=self.inputs.to_json(),
            metrics=[{key: value for key, value in result.items() if key != "history"} for result in results],
        )


def made_with_training(name: str) -> list[str]:
    """Files that are only made together with a file of a run: all of one training."""
    place, slash, _ = name.partition("/")
    return [f"{place}/*"] if slash else []


def _expert_variables(xaug: Names | None, ranking: str | Path | None, table: Table) -> Names | None:
    """The chosen expert variables, in which "top5" is replaced by the five best of a ranking."""
    if xaug != "top5":
        if ranking is not None:
            raise ConfigurationError(f"--ranking {ranking} goes with --xaug top5 only")
        return xaug
    if ranking is None:
        raise ConfigurationError(
            "--xaug top5: name the ranking whose five best variables to take: --ranking DIRECTORY of xaug.explain"
        )
    return best_xaugs(ranking, table)


def train(dataset: str | Path, output: str | Path, *, workers: int | None = None, **options: Any) -> JsonObject:
    """Train a network N times.

    Parameters
    ----------
    dataset, output : path
        dataset to train on, and directory to write
    workers : int, optional
        trainings at a time; default: as many as the cores allow
    options
        further arguments of `PlannedRun`

    Returns
    -------
    dict
        the manifest of the run
    """
    run = PlannedRun(dataset, output, **options)
    train_all([run], f"train {run.output.name}", workers)
    return run.finish()


def train_all(runs: Sequence[PlannedRun], title: str, workers: int | None = None, per_process: int = 1) -> None:
    """Do all trainings that wait in some runs, with one progress bar.

    Parameters
    ----------
    runs : list of PlannedRun
    title : str
        text before the progress bar
    workers : int, optional
        processes at a time; default: as many as the cores allow
    per_process : int
        trainings that one process does, one after the other
    """
    waiting = [task for run in runs for task in run.waiting()]
    if not waiting:
        return
    total = sum(run.config.trainings * run.config.length for run in runs if not run.finished)
    threads = max(run.config.threads for run in runs)
    left = sum(task.config.length for task in waiting)
    with bar(total, title, waiting[0].config.unit, initial=total - left) as progress:

        def count(report: JsonObject) -> None:
            progress.update(report["done"])
            if "loss" in report:
                progress.set_postfix_str(f"validation loss {report['loss']:.3f}", refresh=False)

        at_once = workers or max(1, cores() // threads)
        environment = {"OMP_NUM_THREADS": str(threads), "TF_NUM_INTRAOP_THREADS": str(threads)}
        tasks = [task.to_json() for task in waiting]
        if per_process > 1:
            results = run_tasks(
                "xaug.training.loop:train_several", _grouped(tasks, per_process), at_once, count, environment
            )
        else:
            results = run_tasks("xaug.training.loop:train_once", tasks, at_once, count, environment)
        for _ in results:
            pass


def _grouped(tasks: Sequence[JsonObject], size: int) -> Iterable[JsonObject]:
    """Tasks of `xaug.training.loop:train_several`, each of which holds several trainings."""
    for start in range(0, len(tasks), size):
        yield {"tasks": tasks[start : start + size]}
