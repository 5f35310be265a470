"""The whole stage: figures and tables of runs and their attributions, and the page that shows them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from xaug.core import provenance
from xaug.core.command import bar
from xaug.core.errors import ConfigurationError
from xaug.core.files import atomic_path, digest_json
from xaug.data.dataset import Dataset
from xaug.report.baselines import claims, distances
from xaug.report.catalogue import Entry, chosen_entries, requirements, stem_of, subjects
from xaug.report.material import Explained, Figure, Material, noun
from xaug.report.page import make_page
from xaug.report.performance import efficiencies, performance
from xaug.training.metrics import EFFICIENCIES
from xaug.training.runs import Run, load_run

__all__ = ["report"]

HEADINGS = {"auc": "AUC", "paper_auc": "AUC in the paper"} | {
    f"rejection_{round(100 * e)}": f"rejection at {100 * e:.0f}%" for e in EFFICIENCIES
}
"""What the page calls the columns of performance.csv; rejections are 1 / background efficiency."""


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
    keys: Sequence[str] | None = None,
    topk: str | Path | None = None,
    ablation: str | Path | None = None,
    varied: Mapping[str, Sequence[Path]] | None = None,
) -> dict:
    """Draw all figures that the runs allow, write all tables and the page `report.html`; return the manifest.

    Parameters
    ----------
    runs
        run directories on one dataset; those trained with --max-jets appear in the learning curve and, if they
        are explained, in the figures of the spread over trainings
    attributions
        directories of `xaug.explain`, of these runs, on this dataset
    anew
        whether a report of other runs in the same place is drawn again, instead of refused
    keys
        of the figures in `xaug.report.catalogue`; None: all
    topk
        directory of `xaug.topk` on this dataset
    ablation
        directory of `xaug.explain.analysis.ablations` of one of the runs
    varied
        what was varied -> directories of `xaug.explain`, by Integrated Gradients, of networks on other datasets
    """
    if not runs:
        raise ConfigurationError("a report needs at least one run")
    opened = [load_run(path) for path in runs]
    names = [run.name for run in opened]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two runs of this report are called {name!r}; name each once, or rename one")
    full, groups = grouped(opened)
    if not full:
        raise ConfigurationError("all runs were trained with --max-jets; a report needs one on the full sample")
    data = full[0].dataset()
    entries = chosen_entries(data.kind, keys)
    explained = _explained(attributions, opened, data)
    config = {
        "runs": {run.name: digest_json(run.manifest["config"]) for run in opened},
        "attributions": {e.directory.name: digest_json(e.manifest["config"]) for e in explained},
        "title": title,
        "figures": [entry.key for entry in entries],
    }
    if topk:
        curves = provenance.read(topk, "topk")["config"]
        if curves["dataset"] != data.digest:
            raise ConfigurationError(f"{topk} is of another dataset than the runs of this report")
        config["topk"] = digest_json(curves)
    if ablation:
        ablated = provenance.read(ablation, "ablation")["config"]
        if ablated["run"] not in config["runs"].values():
            raise ConfigurationError(f"{ablation} is of a run that is not among those of this report")
        config["ablation"] = digest_json(ablated)
    if varied:
        config["varied"] = {
            label: [digest_json(provenance.read(path, "explain")["config"]) for path in directories]
            for label, directories in varied.items()
        }
    material = Material(
        data, full, groups, [e for e in explained if e.run in full], [e for e in explained if e.run not in full],
        Path(topk) if topk else None, Path(ablation) if ablation else None,
    )  # fmt: skip
    jobs = _jobs(entries, material, keys is not None)
    output = Path(output)
    if anew and provenance.has_other_config(output, "report", config):
        shutil.rmtree(output)
    finished = provenance.begin(output, "report", config)
    if finished:
        return finished

    drawn = _draw(jobs, explained, output)
    tables = {"performance": performance(opened), "efficiency": efficiencies(full)}
    counts = ", ".join(f"{n} {name}" for name, n in data.counts.items())
    introduction = [
        f"Dataset: {counts} {noun(data.kind)}; test split {data.size('test')}. "
        "Errors are standard deviations over trainings.",
    ]
    headed = {
        "Performance on the test split": tables["performance"].rename(columns=HEADINGS),
        "Signal efficiency at fixed background efficiency": tables["efficiency"],
    }
    with_baseline = [e for e in explained if e.baseline]
    if with_baseline:
        tables["baselines"] = headed["Baselines, and how far they lie from the data"] = distances(with_baseline)
        found = claims(with_baseline, material.topk, material.ablation, varied or {})
        if len(found):
            tables["answers"] = found
            headed = {"What the paper says, and what these networks say": found, **headed}
    for name, table in tables.items():
        with atomic_path(output / f"{name}.csv") as path:
            table.to_csv(path, index=False)
    page = make_page(title, introduction, headed, drawn)
    with atomic_path(output / "report.html") as path:
        path.write_text(page)
    return provenance.write(
        output, "report", config,
        figures={figure.stem.name: figure.caption for figure in drawn},
        performance=tables["performance"].to_dict("records"),
    )  # fmt: skip


def _explained(directories: Sequence[str | Path], runs: list[Run], data: Dataset) -> list[Explained]:
    """The explained runs; an error for attributions that do not belong to this report."""
    owners = {}
    for path in map(Path, directories):
        config = (content := provenance.read(path, "explain"))["config"]
        owner = [run for run in runs if digest_json(run.manifest["config"]) == config["run"]]
        if not owner:
            raise ConfigurationError(f"{path} explains {content['run']}, which is not among the runs of this report")
        if config["dataset"] != data.digest:
            raise ConfigurationError(f"{path} explains jets of {content['dataset']}, not of {data.path}")
        # figures of events are of classes, not of single events beside their scores
        if config["split"] != "test" and not data.kind.startswith("events"):
            raise ConfigurationError(f"{path} explains the {config['split']} split; a report is of the test split")
        owners[path] = owner[0]
    several = [run for run in runs if list(owners.values()).count(run) > 1]
    return [Explained(path.name if run in several else run.name, run, path, data) for path, run in owners.items()]


def _jobs(entries: list[Entry], material: Material, asked: bool) -> list[tuple[Entry, object]]:
    """Every figure with what it is drawn of; an error for one that was asked for and cannot be drawn."""
    jobs = []
    for entry in entries:
        found = subjects(entry, material)
        if asked and not found:
            raise ConfigurationError(f"figure {entry.key} ({entry.shows}) needs {requirements(entry)}")
        jobs += [(entry, subject) for subject in found]
    return jobs


def _draw(jobs: list[tuple[Entry, object]], explained: list[Explained], output: Path) -> list[Figure]:
    """The figures, in the order of the jobs; drawn run by run, so that the arrays of one only are in memory."""
    runs = {id(e): i for i, e in enumerate(explained)}
    places = sorted(range(len(jobs)), key=lambda i: runs.get(id(_owner(jobs[i][1])), -1))
    drawn: list[Figure | None] = [None] * len(jobs)
    last = None
    for place in bar(None, "report", "figures", iterable=places):
        entry, subject = jobs[place]
        if last is not None and _owner(subject) is not last:
            for one in explained:
                one.release()
        last = _owner(subject)
        drawn[place] = entry.draw(subject, stem_of(entry, subject, output))
    return drawn


def _owner(subject):
    """The explained run that a figure is of; the subject itself where it is of something else."""
    return subject[0] if isinstance(subject, list) else subject
