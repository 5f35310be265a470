"""The whole stage: figures and tables of runs and their attributions, and the page that shows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from xaug.core import provenance
from xaug.core.errors import ConfigurationError
from xaug.core.files import atomic_path, name_of
from xaug.core.progress import bar
from xaug.core.types import JsonObject
from xaug.plots.figures import chosen_label, labelled
from xaug.plots.printing import printed_beside
from xaug.report.alternatives import describe
from xaug.report.catalogue import AnyEntry, Catalogue
from xaug.report.discriminants import Discriminant, scored
from xaug.report.explored_events import pack_runs
from xaug.report.figures import GENERIC
from xaug.report.opening import summary_sentences
from xaug.report.origin import origin_of
from xaug.report.page import DrawnFigure, Page, make_page, room_left
from xaug.report.report_inputs import Sources, open_inputs
from xaug.report.run_label import run_label
from xaug.report.sample_label import labelled_sample
from xaug.report.several_explanations import SeveralExplanations
from xaug.report.subjects import ReportInputs, SeveralBaselines, SingleRun, Subject
from xaug.report.tables import NamedTable, RunColumn, tables_of

__all__ = ["ReportExtension", "report"]


@dataclass(frozen=True)
class ReportExtension:
    """The figures, columns and tables that a study adds to a report.

    Attributes
    ----------
    name
        name of the study
    figures
        its figures, in place of those of the general report
    columns
        further columns of the table of performance
    tables
        tables that stand before all others
    discriminants
        single numbers of an event whose ROC curves stand beside those of the runs
    config
        further settings by which a report on disk is known to be the same
    """

    name: str
    figures: Catalogue
    columns: Sequence[RunColumn] = ()
    tables: Callable[[ReportInputs], list[NamedTable]] = lambda inputs: []
    discriminants: Sequence[Discriminant] = ()
    config: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One figure of one subject, its files without their suffix, and the line above all that show the same."""

    entry: AnyEntry
    subject: Subject
    stem: Path
    heading: str


def report(
    runs: Sequence[str | Path],
    output: str | Path,
    attributions: Sequence[str | Path] = (),
    title: str = "xaug report",
    *,
    anew: bool = False,
    keys: Sequence[str] | None = None,
    topk: str | Path | None = None,
    ablation: str | Path | None = None,
    extension: ReportExtension | None = None,
    label: str | None = None,
) -> JsonObject:
    """Draw all figures that the runs allow, write all tables and the page `report.html`; return the manifest.

    Parameters
    ----------
    runs : sequence of path
        Run directories on one dataset. Runs that were trained with --max-jets appear in the learning curve and, if
        they are explained, in the figures of the spread over trainings.
    output : path
        Directory to write.
    attributions : sequence of path
        Directories of `xaug.explain`, of these runs on this dataset.
    title : str
        Title of the page.
    anew : bool
        Whether a report of other runs in the same place is drawn again instead of refused.
    keys : sequence of str, optional
        Keys of the figures to draw. Default: all figures of the catalogue.
    topk : path, optional
        Directory of `xaug.topk` on this dataset.
    ablation : path, optional
        Directory of `xaug.explain.analysis.ablations` of one of the runs.
    extension : ReportExtension, optional
        What a study adds.
    label : str, optional
        Text above each figure. Default: what the dataset knows of its events; "" for none.

    Returns
    -------
    dict
        The manifest of the report: `figures` are captions by the names of files, `performance` is a table.

    Raises
    ------
    ConfigurationError
        If the inputs do not belong together, or a figure was asked for that they do not allow.
    """
    figures = extension.figures if extension else GENERIC
    entries = figures.chosen(keys)
    sources = Sources(
        [Path(run) for run in runs], [Path(path) for path in attributions], Path(topk) if topk else None,
        Path(ablation) if ablation else None,
    )  # fmt: skip
    opened = open_inputs(sources)
    output = Path(output)
    inputs = opened.inputs
    if extension:
        inputs = replace(inputs, discriminants=scored(extension.discriminants, inputs.data))
    jobs = _jobs(entries, inputs, output, asked=keys is not None)
    config = opened.config | {"title": title, "figures": [entry.key for entry in entries]}
    if extension:
        config |= {"study": extension.name, **extension.config}
    if inputs.discriminants:
        config |= {"discriminants": [one.name for one in inputs.discriminants]}
    if anew and provenance.has_other_config(output, "report", config):
        shutil.rmtree(output)
    own = chosen_label() if label is None else label
    if own is not None:
        config["label"] = own
    finished = provenance.begin(output, "report", config)
    if finished:
        return finished

    with labelled_sample(inputs.data, own), printed_beside(len(jobs)):
        drawn = _draw(jobs, inputs)
    tables = tables_of(inputs, opened.all_runs, extension.columns if extension else ())
    performance = tables[0].content
    if extension:
        tables = [*extension.tables(inputs), *tables]
    for table in tables:
        with atomic_path(output / f"{table.name}.csv") as path:
            table.content.to_csv(path, index=False)
    origin = origin_of([inputs.data.path, *sources.directories])
    explored = pack_runs(inputs.explained, room_left(drawn))
    page = Page(title, summary_sentences(inputs), tables, drawn, origin, explored)
    with atomic_path(output / "report.html") as path:
        path.write_text(make_page(page), encoding="utf-8", errors="surrogateescape")
    return provenance.write(
        output, "report", config,
        figures={name_of(figure.stem): figure.caption for figure in drawn}, performance=performance.to_dict("records"),
    )  # fmt: skip


def _jobs(entries: Sequence[AnyEntry], inputs: ReportInputs, output: Path, asked: bool) -> list[Job]:
    """Every figure with each subject that it is drawn of; an error for one that was asked for and cannot be drawn."""
    jobs = []
    for entry in entries:
        found = entry.found_in(inputs)
        if asked and not found:
            raise ConfigurationError(f"figure {entry.key} ({entry.shows}) needs {entry.requirement}")
        heading = entry.heading(found)
        jobs += [Job(entry, subject, entry.stem(subject, output, len(found) == 1), heading) for subject in found]
    stems = [job.stem for job in jobs]
    for stem in stems:
        if stems.count(stem) > 1:
            raise ConfigurationError(
                f"two figures of this report would be called {stem.name}; give the directories of attributions names "
                "that differ from each other and from those of the runs"
            )
    return jobs


def _readable(subject: Subject) -> str:
    """The network of a figure, for the line above it; "" if the figure is of no single one."""
    if isinstance(subject, SingleRun):
        return run_label(subject.run)
    if isinstance(subject, SeveralBaselines):
        return run_label(subject.baselines[0].explained.run)
    if isinstance(subject, SeveralExplanations):
        return run_label(subject.explained[0].run)
    return subject.arrays_of.readable if subject.arrays_of else ""


def _draw(jobs: Sequence[Job], inputs: ReportInputs) -> list[DrawnFigure]:
    """The figures, in the order of the jobs; drawn run by run, so that the arrays of one run only are in memory."""
    explained = [*inputs.explained, *inputs.smaller]

    def place(job: Job) -> int:
        run = job.subject.arrays_of
        return explained.index(run) if run else -1

    drawn: dict[Path, DrawnFigure] = {}
    last, sample = None, chosen_label() or ""
    for job in bar(None, "report", "figures", iterable=sorted(jobs, key=place)):
        if last is not None and job.subject.arrays_of is not last:
            for one in explained:
                one.release()
        last = job.subject.arrays_of
        with labelled("; ".join(filter(None, (sample, sample and _readable(job.subject))))):
            caption = job.entry.draw(job.subject, job.stem)
        seen = describe(job.heading, job.subject.name, job.stem)
        drawn[job.stem] = DrawnFigure(job.stem, caption, job.heading, seen)
    return [drawn[job.stem] for job in jobs]
