"""The judge stage: tests of all explanations of a run beside each other, on one page."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

import xaug.report.judgement.of_data
import xaug.report.judgement.of_network  # noqa: F401  (these two modules register the tests)
from xaug.core import provenance
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import atomic_path, digest_file, digest_json, read_json, write_json
from xaug.core.progress import bar
from xaug.core.types import JsonObject
from xaug.explain.analysis.likelihood import LikelihoodTest
from xaug.explain.analysis.spread import ENOUGH_TRAININGS
from xaug.explain.faithfulness.agreement import between_methods
from xaug.explain.faithfulness.replacements import REPLACEMENTS
from xaug.plots import figures
from xaug.plots.faithfulness import plot_deletion
from xaug.report.explained_run import LIST_RELEVANCE
from xaug.report.judgement.choices import Choices
from xaug.report.judgement.judged import Judged, open_judged
from xaug.report.judgement.measures import TESTS, ExplanationTest, Measure, chosen_tests
from xaug.report.judgement.of_data import likelihood_tests
from xaug.report.judgement.verdict import FeatureVerdict, best_of, cell, feature_verdicts, summary_of, tolerance
from xaug.report.origin import origin_of
from xaug.report.page import DrawnFigure, Page, make_page
from xaug.report.sample_label import sample_label
from xaug.report.tables import NamedTable
from xaug.report.words import counted, noun, spread_over
from xaug.training.runs import load_run

__all__ = ["RunJudgement", "draw_curves", "groups_digest", "how_to_read", "judge_run"]

WORDS = {1: "larger is better", -1: "smaller is better", 0: ""}
"""The direction of a measure, in words."""


@dataclass(frozen=True)
class RunJudgement:
    """Results of the tests of the explanations of one run.

    Attributes
    ----------
    run : str
        name of the run
    methods : dict of str
        how events were explained, by name of the directory
    trainings, events : int
        numbers of trainings, and of judged events
    measures : dict of list of Measure
        by name of the directory
    verdicts : list of FeatureVerdict
    sample : str
        what the judged events are, for the line above figures
    """

    run: str
    methods: Mapping[str, str]
    trainings: int
    events: int
    measures: Mapping[str, Sequence[Measure]]
    verdicts: Sequence[FeatureVerdict]
    sample: str = ""

    @property
    def summary(self) -> str:
        """A sentence on the ranks that can be believed, and where methods disagree most."""
        return summary_of(self.run, self.verdicts, self.trainings, list(self.methods))

    def rows(self) -> dict[tuple[str, str], dict[str, Measure]]:
        """The measures by test and name, and then by directory."""
        found: dict[tuple[str, str], dict[str, Measure]] = {}
        for name, measures in self.measures.items():
            for one in measures:
                found.setdefault((one.test, one.name), {})[name] = one
        for key in [key for key in found if key[1] == TESTS[key[0]].words]:  # tests that are not defined
            defined = [other for other in found if other[0] == key[0] and other != key]
            for other in defined:
                found[other] = {**found[key], **found[other]}
            if defined:
                del found[key]
        order = list(TESTS)
        return dict(sorted(found.items(), key=lambda item: order.index(item[0][0])))

    def table(self) -> pd.DataFrame:
        """Methods x tests, as the page shows them; `best` names the best method where it is significantly so."""
        rows = []
        for (test, name), own in self.rows().items():
            better = WORDS[max((one.better for one in own.values()), key=abs)]
            cells = {method: cell(own.get(method)) for method in self.measures}
            notes = "; ".join(dict.fromkeys(one.note for one in own.values() if one.note and one.value == one.value))
            told = {"best": best_of(own) or "", "better": better, "note": notes}
            rows.append({"test": test, "measure": name, **cells, **told})
        table: pd.DataFrame = pd.DataFrame(rows)
        return table

    def best_cells(self) -> dict[int, list[str]]:
        """By the number of a row of `table`, the method that is significantly best there."""
        best = {i: best_of(own) for i, own in enumerate(self.rows().values())}
        return {i: [name] for i, name in best.items() if name}

    def features(self) -> pd.DataFrame:
        """A row a feature: its ranks, and whether to believe them."""
        rows = []
        for one in self.verdicts:
            ranks: dict[str, object] = {f"rank, {method}": rank for method, rank in one.ranks.items()}
            data: dict[str, object] = {
                f"correlation with the data, {method}": f"{value:.2f} ± {error:.2f}".replace("-", "−")
                for method, (value, error) in one.likelihood.items()
            }
            rows.append({"feature": one.feature, **ranks, **data, "verdict": one.words})
        table: pd.DataFrame = pd.DataFrame(rows).fillna("")
        return table


def judge_run(
    run: str | Path,
    attributions: Sequence[str | Path],
    output: str | Path,
    *,
    tests: Sequence[str] | None = None,
    choices: Choices | None = None,
    unsafe: bool = False,
    code: Sequence[str] = (),
) -> RunJudgement:
    """Test explanations of one run, and write their measures, the verdict on features, and a page.

    Parameters
    ----------
    run : path
        directory of a finished run
    attributions : list of path
        finished directories of `python -m xaug.explain` of this run
    output : path
        directory to write; an interrupted command of the same options is resumed
    tests : list of str, optional
        names in `TESTS`, or "all"; default: those that explain no events again
    choices : Choices, optional
        options of the tests
    unsafe, code
        what its model files may run, see `xaug.training.runs.load_run`

    Returns
    -------
    RunJudgement

    Raises
    ------
    ConfigurationError
        if attributions do not belong to the run, an option is unknown, or a test that was asked for by name is not
        defined for a method
    """
    options, chosen = choices or Choices(), chosen_tests(None if tests is None else list(tests))
    if options.replacement not in REPLACEMENTS:
        raise unknown_name("replacement", options.replacement, REPLACEMENTS)
    opened, directories, output = load_run(run, unsafe, code), [Path(one) for one in attributions], Path(output)
    judged = open_judged(opened, directories, options)
    if tests is not None and "all" not in tests:
        _refuse_undefined(chosen, judged)
    config = {
        "run": digest_json(opened.record.config), "tests": [test.name for test in chosen], "choices": asdict(options),
        "attributions": {one.name: digest_json(one.explained.explanation.config) for one in judged},
        **groups_digest(options),
    }  # fmt: skip
    judged[0].groups  # noqa: B018  (groups that overlap or leave inputs out are refused before anything is measured)
    finished = provenance.begin(output, "judge", config)
    measures = _measured(judged, chosen, output)
    likelihood: dict[str, Mapping[str, LikelihoodTest]] = {
        one.name: likelihood_tests(one) for one in judged if not TESTS["likelihood"].undefined(one)
    }
    judgement = RunJudgement(
        opened.name, {one.name: one.words for one in judged}, len(opened), len(judged[0].places), measures,
        feature_verdicts(judged, likelihood), sample_label(judged[0].explained.data),
    )  # fmt: skip
    if not finished:
        _write(judgement, judged, output, config, [Path(run), *directories])
    return judgement


def groups_digest(choices: Choices) -> JsonObject:
    """Digest of the file of groups, if they are given by one: other contents are another judgement."""
    file = Path(choices.groups)
    return {"groups_file": digest_file(file)} if file.is_file() else {}


def _refuse_undefined(tests: Sequence[ExplanationTest], judged: Sequence[Judged]) -> None:
    for test in tests:
        for one in judged:
            reason = test.undefined(one)
            if reason:
                raise ConfigurationError(f"test {test.name} is not defined for {one.name}: {reason}")


def _measured(judged: Sequence[Judged], tests: Sequence[ExplanationTest], output: Path) -> dict[str, list[Measure]]:
    """The measures of each explanation; those that an interrupted command has left are read."""
    places = {
        (one.name, test.name): output / "measures" / f"{one.name}_{test.name}.json" for one in judged for test in tests
    }
    with bar(len(places), "judge", "tests") as progress:
        progress.update(sum(path.exists() for path in places.values()))
        for one in judged:
            for test in tests:
                path = places[one.name, test.name]
                if path.exists():
                    continue
                reason = test.undefined(one)
                own = [Measure(test.name, test.words, float("nan"), note=reason)] if reason else _measure(test, one)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, {"measures": [measure.to_json() for measure in own]})
                progress.update()
    return {
        one.name: [
            Measure.from_json(measure)
            for test in tests
            for measure in read_json(places[one.name, test.name])["measures"]
        ]
        for one in judged
    }


def _measure(test: ExplanationTest, judged: Judged) -> list[Measure]:
    """The measures of a test.

    Warnings of methods that explain again are left out: they were told when the attribution was made, or are of
    networks with random weights, of which nothing is asked but how they differ.
    """
    with warnings.catch_warnings():
        if test.explains_again:
            warnings.simplefilter("ignore", UserWarning)
        return test.measure(judged)


def _write(
    judgement: RunJudgement, judged: Sequence[Judged], output: Path, config: JsonObject, sources: Sequence[Path]
) -> None:
    """Write tables, the figure, the page and the manifest."""
    tables = [
        NamedTable(
            "tests", "Tests of the explanations", judgement.table(), note=how_to_read(), bold=judgement.best_cells()
        ),
        NamedTable("features", "Which ranks to believe", judgement.features(), note=_how_believed(judgement)),
    ]
    if len(judged) > 1:
        ranked = "features" if judged[0].ranked_groups is None else f"groups {Path(judged[0].choices.groups).name}"
        note = f"Rank correlation of the mean relevance of all {ranked}, mean over trainings with its error."
        tables.append(NamedTable("agreement", "Agreement of the methods", _agreement(judged), note=note))
    for table in tables:
        with atomic_path(output / f"{table.name}.csv") as path:
            table.content.to_csv(path, index=False)
    drawn = draw_curves(judgement, judged[0].choices.replacement, output / "deletion")
    data = judged[0].explained.data
    page = Page(
        f"xaug judge: {judgement.run}", _sentences(judgement, judged), tables, drawn, origin_of([data.path, *sources])
    )
    with atomic_path(output / "judgement.html") as path:
        path.write_text(make_page(page), encoding="utf-8", errors="surrogateescape")
    provenance.write(
        output, "judge", config, summary=judgement.summary, events=judgement.events, trainings=judgement.trainings,
        believed=[one.feature for one in judgement.verdicts if one.believe],
        verdicts={one.feature: one.words for one in judgement.verdicts},
        measures=json.loads(json.dumps([one.to_json() | {"explanation": name} for name, own in
                                        judgement.measures.items() for one in own])),
    )  # fmt: skip


def how_to_read() -> str:
    """A sentence that explains the table of tests."""
    return (
        "Each number is a mean over trainings, with the statistical error of the finite sample and, behind it, the "
        "standard deviation over trainings, where they are known. The best method of a row is bold if it is ahead of "
        "every other one by two standard errors, those of few trainings widened by Student's t; the errors of two "
        "methods are added as if they were independent. With one training, the noise of training is in no error."
    )


def _how_believed(judgement: RunJudgement) -> str:
    allowed = tolerance(len(judgement.verdicts))
    within = f", within {allowed}," if allowed else ""
    return (
        f"A rank is believed if it is the same{within} in at least {ENOUGH_TRAININGS} trainings, by at least two "
        "methods, and in 95% of random halves of the sample, and if no method contradicts the data: where the ratio of "
        "densities of a variable says anything, the attribution must correlate with it. Features whose bins have too "
        "few events of one class, and those that are no variables, cannot be compared with the data."
    )


def _sentences(judgement: RunJudgement, judged: Sequence[Judged]) -> list[str]:
    methods = "; ".join(f"{name}: {words}" for name, words in judgement.methods.items())
    rows = noun(judged[0].explained.data.kind)
    return [
        judgement.summary,
        f"{counted(len(judged), 'explanation')} of {counted(judgement.trainings, 'training')} of {judgement.run} are "
        f"judged on {judgement.events:,} test {rows}. {methods}.",
    ]


def _agreement(judged: Sequence[Judged]) -> pd.DataFrame:
    """Rank correlations of all pairs of methods."""
    rows = []
    for one, other in combinations(judged, 2):
        found = between_methods(one.attributions, other.attributions, LIST_RELEVANCE, one.ranked_groups)
        measure = Measure("methods", "", found.value, found.error, better=1)
        rows.append({"method": one.name, "other": other.name, "rank correlation": cell(measure)})
    table: pd.DataFrame = pd.DataFrame(rows)
    return table


def draw_curves(judgement: RunJudgement, replacement: str, stem: Path) -> list[DrawnFigure]:
    """Draw the deletion and insertion curves, if these were measured.

    Parameters
    ----------
    judgement : RunJudgement
    replacement : str
        name of what stands in for deleted values
    stem : path
        the files without their suffix
    """
    curves = {name: one.curves for name, own in judgement.measures.items() for one in own if one.curves}
    if not curves:
        return []
    label = figures.chosen_label()
    labelled = figures.labelled(judgement.sample if label is None else label)
    with labelled, figures.figure(1, 2, size=(9.4, 3.9), sharey=True) as (fig, axes):
        for kind, ax in zip(("deletion", "insertion"), axes, strict=True):
            plot_deletion({n: (own["fraction"], own[kind], own[f"{kind}_spread"]) for n, own in curves.items()}, ax)
            verb = "deleted" if kind == "deletion" else "inserted"
            ax.set_xlabel(f"fraction of the features that is {verb}")
        axes[0].set_ylabel("output / output of whole events")
        axes[1].legend()
        figures.save(fig, stem)
    figures.save_numbers(stem, curves)
    words = REPLACEMENTS[replacement].words
    caption = (
        f"{judgement.run}: output of the network towards the predicted class, relative to whole events (1) and events "
        "that are replaced altogether (0), while the features of each event are deleted or inserted in the order of "
        f"their attribution, the largest first. In place of deleted values stand {words}. "
        f"{spread_over('bands', judgement.trainings)}"
    )
    return [DrawnFigure(stem, caption, "Deletion and insertion of features")]
