"""The whole stage: explain every training of a run on events of its dataset."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from xaug import manifest
from xaug.command import bar
from xaug.errors import DatasetError, unknown_name
from xaug.explain.attribution import Attribution
from xaug.runs import Run, load_run
from xaug.storage import atomic_path, digest_json

__all__ = ["METHODS", "explain_run", "load_attributions"]

METHODS = ("lrp",)
SPLIT = "test"


def attribution_path(directory: Path, training: int) -> Path:
    """Where the attribution of one training is."""
    return directory / f"attribution_{training}.h5"


def load_attributions(directory: str | os.PathLike) -> list[Attribution]:
    """The attributions of a finished directory, one a training."""
    content = manifest.read(directory, "explain")
    return [Attribution.load(attribution_path(Path(directory), i)) for i in range(content["trainings"])]


def explain_run(
    run: str | Path,
    output: str | Path,
    *,
    method: str = "lrp",
    rule: str | None = None,
    target: str | int = "predicted",
    engine: str = "auto",
    epsilon: float | None = None,
    bias: str | None = None,
    force: bool = False,
    dataset: str | Path | None = None,
    max_events: int | None = None,
) -> dict:
    """Explain all trainings of a run; return the manifest.

    Parameters
    ----------
    rule, target, engine, epsilon, bias, force
        as in `xaug.explain.lrp`
    dataset
        another dataset than the run's own
    max_events
        of the test split, at most about this many
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    run = load_run(run)
    data = run.dataset(dataset)
    output = Path(output)
    options = {"rule": rule, "target": target, "engine": engine, "epsilon": epsilon, "bias": bias, "force": force}
    config = {
        "run": digest_json(run.manifest["config"]),
        "dataset": data.digest,
        "split": SPLIT,
        "max_events": max_events,
        "method": method,
        **options,
    }
    finished = manifest.begin(output, "explain", config)
    if finished:
        return finished
    waiting = [i for i in range(len(run)) if not attribution_path(output, i).exists()]
    if waiting:
        arrays = data.load([*run.input_spec.fields, "label"], SPLIT, max_events)
        n = len(arrays["label"])
        if n == 0:
            raise DatasetError(f"{data.path}: its {SPLIT} split is empty; there is nothing to explain")
        rows = data.rows(SPLIT, max_events)
        _explain(run, waiting, run.inputs(arrays), arrays["label"], rows, output, options)
    done = [Attribution.load(attribution_path(output, i)) for i in range(len(run))]
    from xaug.explain.relevance import summary

    table = summary(done)
    with atomic_path(output / "relevance.csv") as path:
        table.to_csv(path)
    conserved = [np.nanpercentile(a.conserved, [5, 50, 95]).round(4).tolist() for a in done]
    return manifest.write(
        output, "explain", config,
        run=str(run.path.resolve()), dataset=str(data.path.resolve()), trainings=len(run), events=len(done[0]),
        settings=done[0].settings, conserved_5_50_95=conserved, top5=list(table.index[:5]),
    )  # fmt: skip


def _explain(
    run: Run, waiting: list[int], x: dict, label: np.ndarray, rows: np.ndarray, output: Path, options: dict
) -> None:
    from xaug.explain.propagation import lrp

    n = len(label)
    with bar(len(run) * n, f"explain {run.name}", "events") as progress:
        progress.update((len(run) - len(waiting)) * n)
        for i in waiting:
            found = lrp(run.model(i), x, **options, variables=run.variables, on_events=progress.update)
            settings = {**found.settings, "training": i}
            Attribution(found.relevance, found.logit, found.variables, settings, rows, label).save(
                attribution_path(output, i)
            )
