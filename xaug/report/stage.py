"""The whole stage: figures and tables of runs and their attributions, and the page that shows them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from xaug import manifest
from xaug.command import bar
from xaug.errors import ConfigurationError
from xaug.evaluate import EFFICIENCIES
from xaug.explain.stage import load_attributions
from xaug.report import figures
from xaug.report.page import make_page
from xaug.runs import Run, load_run
from xaug.storage import atomic_path, digest_json

__all__ = ["report"]

HEADINGS = {"auc": "AUC"} | {f"rejection_{round(100 * e)}": f"rejection at {100 * e:.0f}%" for e in EFFICIENCIES}
"""What the page calls the columns of performance.csv; rejections are 1 / background efficiency."""


def performance(runs: list[Run]) -> pd.DataFrame:
    """A row a run: AUC, accuracy and background rejections, mean and standard deviation over trainings."""
    rows = []
    for run in runs:
        row = {"run": run.name, "trainings": len(run), "parameters": run.metrics[0]["parameters"]}
        fitted = run.scaler.fitted_on
        row["training jets"] = fitted["signal"] + fitted["background"]
        for name in ("auc", "accuracy", *(f"rejection_{round(100 * e)}" for e in EFFICIENCIES)):
            values = np.array([m[name] for m in run.metrics])
            limit = ">= " if any(name in m["rejection_limits"] for m in run.metrics) else ""
            digits = 1 if name.startswith("rejection") else 4
            row[name] = f"{limit}{values.mean():.{digits}f} ± {values.std():.{digits}f}"
        rows.append(row)
    return pd.DataFrame(rows)


def grouped(runs: list[Run]) -> tuple[list[Run], dict[str, list[Run]]]:
    """Runs on the full sample, and for each of them all runs of the same network by sample size."""
    full = [run for run in runs if run.manifest["config"]["max_jets"] is None]
    groups = {}
    for run in full:
        same = [other for other in runs if other.input_spec == run.input_spec]
        if len(same) > 1:
            groups[run.name] = same
    return full, groups


def report(
    runs: Sequence[str | Path],
    output: str | Path,
    attributions: Sequence[str | Path] = (),
    title: str = "xaug report",
    anew: bool = False,
) -> dict:
    """Draw all figures, write all tables and the page `report.html`; return the manifest.

    Parameters
    ----------
    runs
        run directories on one dataset; those trained with --max-jets appear in the learning curve only
    attributions
        directories of `xaug.explain`, of these runs
    anew
        whether a report of other runs in the same place is drawn again, instead of refused
    """
    if not runs:
        raise ConfigurationError("a report needs at least one run")
    opened = [load_run(path) for path in runs]
    full, groups = grouped(opened)
    if not full:
        raise ConfigurationError("all runs were trained with --max-jets; a report needs one on the full sample")
    explained = {}
    for path in attributions:
        content = manifest.read(path, "explain")
        owner = [run for run in full if digest_json(run.manifest["config"]) == content["config"]["run"]]
        if not owner:
            raise ConfigurationError(f"{path} explains {content['run']}, which is not among the runs of this report")
        explained[str(path)] = (owner[0], content)
    config = {
        "runs": {run.name: digest_json(run.manifest["config"]) for run in opened},
        "attributions": {Path(path).name: digest_json(content["config"]) for path, (_, content) in explained.items()},
        "title": title,
    }
    output = Path(output)
    if anew and manifest.has_other_config(output, "report", config):
        shutil.rmtree(output)
    finished = manifest.begin(output, "report", config)
    if finished:
        return finished

    data = full[0].dataset()
    jobs = [
        lambda: figures.distributions(data, output),
        lambda: figures.images(data, output),
        lambda: figures.rocs(full, output),
    ]
    if groups:
        jobs.append(lambda: figures.learning_curve(groups, output))
    for path, (run, _) in explained.items():
        found = load_attributions(path)
        if "image" in run.variables:
            jobs.append(lambda run=run, found=found: figures.heatmaps(run, found, data, output))
        jobs.append(lambda run=run, found=found: figures.relevance(run, found, output))
    jobs += [lambda run=run: figures.histories(run, output) for run in full]
    drawn = [job() for job in bar(None, "report", "figures", iterable=jobs)]

    table = performance(opened)
    with atomic_path(output / "performance.csv") as path:
        table.to_csv(path, index=False)
    counts = ", ".join(f"{n} {name}" for name, n in data.manifest["jets"].items())
    introduction = [
        f"Dataset: {counts} jets; test split {data.size('test')}. Errors are standard deviations over trainings.",
    ]
    page = make_page(title, introduction, {"Performance on the test split": table.rename(columns=HEADINGS)}, drawn)
    with atomic_path(output / "report.html") as path:
        path.write_text(page)
    return manifest.write(
        output, "report", config,
        figures={figure.stem.name: figure.caption for figure in drawn},
        performance=table.to_dict("records"),
    )  # fmt: skip
