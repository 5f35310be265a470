"""The judge of studies: every run of one or several studies whose attributions are of test events, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.core.files import atomic_path, digest_json
from xaug.core.types import JsonObject
from xaug.explain.explanation import Explanation
from xaug.explain.method import AnyMethod
from xaug.explain.methods import comparable_options, find_method
from xaug.explain.stage import explain_run
from xaug.report.judgement.choices import Choices
from xaug.report.judgement.stage import RunJudgement, draw_curves, groups_digest, how_to_read, judge_run
from xaug.report.origin import origin_of
from xaug.report.page import DrawnFigure, Page, make_page
from xaug.report.tables import NamedTable
from xaug.training.runs import load_run

__all__ = ["Found", "find_explained", "judge_studies"]

DEPTH = 3
"""Levels of directories below a study in which runs and attributions are looked for."""


@dataclass(frozen=True)
class Found:
    """A run and its attributions.

    Attributes
    ----------
    name : str
        name of the study and of the run
    run : Path
    attributions : tuple of Path
    """

    name: str
    run: Path
    attributions: tuple[Path, ...]


def find_explained(studies: Sequence[Path]) -> tuple[list[Found], list[str]]:
    """Find runs, and attributions of their test events, below directories.

    Parameters
    ----------
    studies : sequence of path
        directories of studies

    Returns
    -------
    found : list of Found
    left_out : list of str
        attributions that cannot be judged, each with the reason

    Raises
    ------
    ConfigurationError
        if a directory does not exist, or there is nothing to judge in any
    """
    found, left_out = [], []
    for study in studies:
        if not study.is_dir():
            raise ConfigurationError(f"{study} is not a directory; give the output of `python -m xaug.study`")
        runs: dict[str, Path] = {}
        explained: dict[str, list[Path]] = {}
        for directory in _finished(study):
            try:
                stage = provenance.read(directory)["stage"]
                if stage == "train":
                    runs[digest_json(load_run(directory).record.config)] = directory
                elif stage == "explain":
                    one = Explanation.open(directory)
                    if one.split == "test":
                        explained.setdefault(one.run_digest, []).append(directory)
                    else:
                        left_out.append(f"{directory.name} (it explains the {one.split} split)")
            except DatasetError as error:
                left_out.append(f"{directory.name} ({error})")
        for digest, paths in explained.items():
            if digest in runs:
                found.append(Found(f"{study.name}_{runs[digest].name}", runs[digest], tuple(paths)))
            else:
                left_out += [f"{path.name} (its run is not below {study.name})" for path in paths]
    if not found:
        why = f": {'; '.join(left_out)}" if left_out else ""
        raise ConfigurationError(
            f"no run with attributions of test events below {', '.join(map(str, studies))}{why}. Explain a run first, "
            "or name runs in `python -m xaug.judge`"
        )
    return found, left_out


def _finished(study: Path) -> list[Path]:
    """Directories below a study that have a manifest, but not those below them."""
    found, level = [], [study]
    for _ in range(DEPTH):
        inner = sorted(path for directory in level for path in directory.iterdir() if path.is_dir())
        found += [path for path in inner if (path / provenance.NAME).exists()]
        level = [path for path in inner if not (path / provenance.NAME).exists()]
    return found


def judge_studies(
    studies: Sequence[str | Path],
    output: str | Path,
    *,
    methods: Sequence[str] = (),
    tests: Sequence[str] | None = None,
    choices: Choices | None = None,
) -> JsonObject:
    """Judge every explained run of some studies, and write one page.

    Parameters
    ----------
    studies : sequence of path
        directories that `python -m xaug.study` wrote
    output : path
        directory to write; it gets a directory for each run as well
    methods : sequence of str
        methods by which each run is explained as well, unless it is already; with averaged background events where they
        take a baseline
    tests, choices
        as for `judge_run`

    Returns
    -------
    dict
        the manifest
    """
    output, sources = Path(output), [Path(one) for one in studies]
    found, left_out = find_explained(sources)
    chosen = [find_method(name) for name in methods]
    config = {
        "runs": {one.name: digest_json(load_run(one.run).record.config) for one in found},
        "attributions": [path.name for one in found for path in one.attributions],
        "tests": None if tests is None else list(tests), "choices": asdict(choices or Choices()),
        "methods": [method.name for method in chosen], **groups_digest(choices or Choices()),
    }  # fmt: skip
    finished = provenance.begin(output, "judge_studies", config)
    if finished:
        return finished
    found = [_explained_by(chosen, one, output / "attributions", choices or Choices()) for one in found]
    judged = {
        one.name: judge_run(one.run, one.attributions, output / one.name, tests=tests, choices=choices) for one in found
    }
    tables = [NamedTable("verdicts", "All runs", _overview(judged))]
    drawn: list[DrawnFigure] = []
    for name, one in judged.items():
        tables.append(
            NamedTable(f"{name}_tests", f"{name}: tests", one.table(), note=how_to_read(), bold=one.best_cells())
        )  # fmt: skip
        tables.append(NamedTable(f"{name}_features", f"{name}: which ranks to believe", one.features()))
        drawn += draw_curves(one, (choices or Choices()).replacement, output / f"{name}_deletion")
    for table in tables:
        with atomic_path(output / f"{table.name}.csv") as path:
            table.content.to_csv(path, index=False)
    sentences = [one.summary for one in judged.values()]
    if left_out:
        sentences.append(f"Left out: {'; '.join(left_out)}.")
    directories = [directory for one in found for directory in (one.run, *one.attributions)]
    page = Page("xaug study judge", sentences, tables, drawn, origin_of(directories))
    with atomic_path(output / "judge.html") as path:
        path.write_text(make_page(page), encoding="utf-8", errors="surrogateescape")
    return provenance.write(
        output, "judge_studies", config, left_out=left_out, summary=sentences,
        believed={name: [v.feature for v in one.verdicts if v.believe] for name, one in judged.items()},
    )  # fmt: skip


def _explained_by(methods: Sequence[AnyMethod], one: Found, directory: Path, choices: Choices) -> Found:
    """A run with its attributions, to which those by further methods are added."""
    known = [Explanation.open(path).method for path in one.attributions]
    added = []
    for method in methods:
        if method not in known:
            place = directory / f"{one.name}_{method.name}"
            options: dict[str, Any] = comparable_options(method, load_run(one.run).classes)
            explain_run(one.run, place, method=method.name, max_events=choices.events, seed=choices.seed, **options)
            added.append(place)
    return replace(one, attributions=(*one.attributions, *added))


def _overview(judged: dict[str, RunJudgement]) -> pd.DataFrame:
    """A row a run: methods, trainings, events, and how many ranks can be believed."""
    rows = []
    for name, one in judged.items():
        believed = [verdict.feature for verdict in one.verdicts if verdict.believe]
        rows.append(
            {
                "run": name,
                "explanations": ", ".join(one.methods),
                "trainings": one.trainings,
                "events": one.events,
                "ranks to believe": f"{len(believed)} of {len(one.verdicts)}",
                "features": ", ".join(believed),
            }
        )
    table: pd.DataFrame = pd.DataFrame(rows)
    return table
