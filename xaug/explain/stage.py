"""The whole stage: explain every training of a run on events of its dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import atomic_path, digest_file, digest_json
from xaug.data.dataset import Dataset
from xaug.explain.attribution import Attribution
from xaug.explain.parts import cluster
from xaug.explain.targets import CLASSES
from xaug.training.runs import Run, load_run

__all__ = ["METHODS", "explain_run", "load_attributions"]

METHODS = ("lrp", "ig")
OPTIONS = {
    "lrp": {"rule": None, "target": "predicted", "engine": "auto", "epsilon": None, "bias": None, "force": False},
    "ig": {"baseline": None, "target": "signal", "output_kind": "logit", "tolerance": 1e-3, "max_nodes": 128},
}
"""Options of each method, with their defaults; a baseline has none."""
NEIGHBOURS = 2000
"""Training events that baselines are compared with."""
REPLICAS = 200
"""Of the bootstrap."""


def attribution_path(directory: Path, training: int) -> Path:
    """Where the attribution of one training is."""
    return directory / f"attribution_{training}.h5"


def load_attributions(directory: str | os.PathLike) -> list[Attribution]:
    """The attributions of a finished directory, one a training."""
    content = provenance.read(directory, "explain")
    return [Attribution.load(attribution_path(Path(directory), i)) for i in range(content["trainings"])]


def explain_run(
    run: str | Path,
    output: str | Path,
    *,
    method: str = "lrp",
    dataset: str | Path | None = None,
    split: str = "test",
    only: str | None = None,
    max_events: int | None = None,
    seed: int = 1,
    scheduler: str | None = None,
    **options,
) -> dict:
    """Explain all trainings of a run; return the manifest.

    Parameters
    ----------
    dataset
        another dataset than the run's own
    split
        whose events are explained
    only
        "signal" or "background": events of this class only
    max_events
        at most about this many
    seed
        of baselines and bootstrap (Integrated Gradients)
    scheduler
        address of a running Dask scheduler, whose workers explain part by part (LRP)
    options
        of the method, see `OPTIONS`; None: the default
    """
    options = choose_options(method, options)
    if scheduler and method != "lrp":
        raise ConfigurationError(f"--scheduler goes with --method lrp; {method} takes all cores here")
    run = load_run(run)
    data = run.dataset(dataset)
    output = Path(output)
    config = {
        "run": digest_json(run.manifest["config"]),
        "dataset": data.digest,
        "split": split,
        "only": only,
        "max_events": max_events,
        "method": method,
        **options,
    }
    if method == "ig":
        file = Path(options["baseline"])
        config |= {"seed": seed, "baseline_file": digest_file(file) if file.is_file() else None}
    finished = provenance.begin(output, "explain", config)
    if finished:
        return finished
    waiting = [i for i in range(len(run)) if not attribution_path(output, i).exists()]
    if waiting:
        rows = _rows(data, split, only, max_events)
        with cluster(scheduler) as client, bar(len(run) * len(rows), f"explain {run.name}", "events") as progress:
            progress.update((len(run) - len(waiting)) * len(rows))
            if method == "lrp":
                explain = partial(_lrp, run, data, rows, split, options, client, output)
            else:
                explain = _gradients(run, data, rows, split, output, options, seed)
            for i in waiting:
                found = explain(i, progress.update)
                replace(found, settings={**found.settings, "training": i}).save(attribution_path(output, i))
    done = [Attribution.load(attribution_path(output, i)) for i in range(len(run))]
    from xaug.explain.analysis.relevance import summary

    table = summary(done)
    with atomic_path(output / "relevance.csv") as path:
        table.to_csv(path)
    conserved = [np.nanpercentile(a.conserved, [5, 50, 95]).round(4).tolist() for a in done]
    return provenance.write(
        output, "explain", config,
        run=str(run.path.resolve()), dataset=str(data.path.resolve()), trainings=len(run), events=len(done[0]),
        settings=done[0].settings, conserved_5_50_95=conserved, top5=list(table.index[:5]),
    )  # fmt: skip


def _rows(data: Dataset, split: str, only: str | None, max_events: int | None) -> np.ndarray:
    """Rows of the split that are explained, ascending."""
    if only is None:
        rows = data.rows(split, max_events)
    else:
        if only not in CLASSES:
            raise unknown_name("class", only, CLASSES)
        rows = np.flatnonzero(data.load("label", split)["label"] == CLASSES.index(only))
        if max_events is not None and max_events < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, max_events).round().astype(int)]
    if len(rows) == 0:
        what = "is empty" if only is None else f"has no {only} events"
        raise DatasetError(f"{data.path}: its {split} split {what}; there is nothing to explain")
    return rows


def choose_options(method: str, options: dict) -> dict:
    """Options of a method, with defaults where they are None."""
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    known = OPTIONS[method]
    for name, value in options.items():
        if name not in known and value is not None:
            others = [other for other in METHODS if name in OPTIONS[other]]
            if not others:
                raise unknown_name(f"option of method {method}", name, known)
            raise ConfigurationError(f"--{name.replace('_', '-')} belongs to --method {others[0]}, not to {method}")
    chosen = {name: default if options.get(name) is None else options[name] for name, default in known.items()}
    if method == "ig" and chosen["baseline"] is None:
        from xaug.explain.gradients.baselines import CHOICES

        raise ConfigurationError(f"--method ig needs a baseline to compare with: --baseline {' | '.join(CHOICES)}")
    return chosen


def _lrp(run, data, rows, split, options, client, output, training: int, on_events) -> Attribution:
    from xaug.explain.parts import explain_parts

    return explain_parts(run, data, training, rows, split, options, client, output, on_events)


def _gradients(
    run: Run, data: Dataset, rows: np.ndarray, split: str, output: Path, options: dict, seed: int
) -> Callable:
    """What explains one training by Integrated Gradients and writes the attributions of the class, with a baseline that
    is drawn once for all trainings."""
    from xaug.explain.gradients.api import Explained, attribute
    from xaug.explain.gradients.baselines import named_baseline
    from xaug.explain.gradients.class_level import ClassSums
    from xaug.explain.gradients.distance import distance_from_data
    from xaug.explain.gradients.samples import sample_of

    arrays = data.load_rows([*run.input_spec.fields, "label"], split, rows)
    x, label = run.inputs(arrays), arrays["label"]
    sample = sample_of(named_baseline(options["baseline"], run, data, seed), run.model(0), x, run.variables)
    near = run.inputs(data.load(run.input_spec.fields, "train", NEIGHBOURS))
    distance = distance_from_data(sample, near, run.variables)
    sample = replace(sample, provenance={**sample.provenance, "distance": distance})
    of_class = label == (0 if options["target"] == "background" else 1)

    def explain(training: int, on_events: Callable[[int], None]) -> Attribution:
        job = Explained(
            run.model(training), x, sample, options["target"], options["output_kind"], options["tolerance"],
            options["max_nodes"], True, run.variables,
        )  # fmt: skip
        if of_class.sum() < 2:
            return replace(attribute(job, on_events=on_events), rows=rows, label=label)
        sums = ClassSums(job, REPLICAS, np.random.default_rng([seed, training]), chosen=of_class)
        found = attribute(job, also=sums.add, on_events=on_events)
        with atomic_path(output / f"class_level_{training}.csv") as path:
            sums.result(found.settings).table.to_csv(path)
        return replace(found, rows=rows, label=label)

    return explain
