"""Run a whole study, from collisions to an explained tagger: `python -m xaug.study`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from xaug.core.command import ManyOf, OneOf, SafeGroup, option_list, xaug_command
from xaug.core.types import JsonObject
from xaug.judge import known_tests
from xaug.studies import STUDIES
from xaug.studies.base import Study, StudyOption, known_methods
from xaug.studies.plan import planned


@click.group(cls=SafeGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run all stages of a study: generate, process, train, explain, report.

    Finished stages are kept: a killed study resumes, a finished study ends at once, and a study that is asked for
    more networks trains only these.
    """


def common_options(study: Study) -> list[click.Option]:
    """The options that all studies have."""
    return [
        click.Option(
            ["--scale"],
            default="quick",
            show_default=True,
            type=OneOf("scale", study.scales),
            help="quick (minutes), standard (hours) or paper (days).",
        ),
        click.Option(
            [study.size_flag],
            type=click.IntRange(1),
            help=f"Generated {study.size_flag[2:]} of each {study.size_of}, in place of the scale's number.",
        ),
        click.Option(
            ["--trainings"], type=click.IntRange(1), help="Trainings of each network, in place of the scale's number."
        ),
        click.Option(
            ["--epochs"], type=click.IntRange(1), help="Largest number of epochs, in place of the scale's number."
        ),
        click.Option(
            ["--seed"], type=int, default=1, show_default=True, help="Seed of generation, split and trainings."
        ),
        click.Option(["--workers"], type=click.IntRange(1), help="Processes at a time.  [default: one for each core]"),
        click.Option(
            ["-o", "--output"], type=click.Path(path_type=Path), help="Directory to write.  [default: STUDY_SCALE]"
        ),
        click.Option(
            ["--label"],
            help="Text above each figure, as 'CMS Simulation'; '' for none.  [default: processes, energy, generator "
            "and selection, as far as the dataset knows them]",
        ),
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="List the stages with their sizes and the times that they will take, and do nothing.",
        ),
    ]


def own_options(study: Study) -> list[click.Option]:
    """The options of one study alone."""
    return [
        click.Option(
            [one.flag], default=one.default, show_default=True, help=one.help,
            type=type_of(one),
        )
        for one in study.options
    ]  # fmt: skip


def type_of(option: StudyOption) -> Any:
    """The type of an option of a study, which tells wrong values before the study starts."""
    if option.names is not None:
        return ManyOf(option.keyword.removesuffix("s"), option.names)
    return OneOf(option.noun, option.choices) if option.choices else option.type


def shown(result: JsonObject) -> JsonObject:
    """The part of a study's result that the command prints."""
    lines = [f"{row['run']}: AUC {row['auc']}" for row in result["performance"]]
    content = {key: result[key] for key in ("output", "report", "performance")}
    return {**content, "summary": [*lines, f"open {result['report']}"]}


def command_of(study: Study) -> click.Command:
    """The command of a study."""

    def run(scale: str, output: Path | None, dry_run: bool, label: str | None, **options: Any) -> JsonObject:
        directory = output or Path(study.directory(scale, options))
        if dry_run and study.plan:
            return planned(study.plan(directory, scale=scale, **options), options["workers"], directory)
        from xaug.plots.figures import labelled

        with nullcontext() if label is None else labelled(label):
            return shown(study.run(directory, scale=scale, **options))

    run.__doc__ = study.help
    run.__name__ = study.name
    command = xaug_command(run)
    command.params += reversed([*own_options(study), *common_options(study)])  # as decorators would add them
    return command


@click.argument("studies", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--tests",
    type=ManyOf("test", known_tests),
    help="Tests of `python -m xaug.judge`, separated by commas, or all.  [default: the fast ones]",
)
@click.option(
    "--methods",
    type=ManyOf("method", known_methods),
    default="",
    help="Explain each run by these methods as well, separated by commas; those that take a baseline average over "
    "background events.",
)
@click.option("--max-events", type=click.IntRange(2), help="Events of each run that are judged, at most.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def judge(
    studies: tuple[Path, ...], tests: str | None, methods: str, max_events: int | None, output: Path
) -> JsonObject:
    """Judge the explanations of all runs of finished studies: which method, and which ranks, to believe.

    Every run below the directories STUDIES with attributions of its test events is judged as `python -m xaug.judge`
    does it. Attributions that you have added to a study, as those of another method, count as well.

    Example: python -m xaug.study judge zbb_quick toy_quick --methods ig --max-events 500 -o judged
    """
    from xaug.report.judgement.choices import Choices
    from xaug.report.judgement.studies import judge_studies

    choices = Choices() if max_events is None else Choices(events=max_events)
    named = None if tests is None else option_list(tests)
    found = judge_studies(studies, output, methods=option_list(methods), tests=named, choices=choices)
    page = output / "judge.html"
    return {"output": str(output), "believed": found["believed"], "summary": [*found["summary"], f"open {page}"]}


main.add_command(judge)
for _study in STUDIES.values():
    main.add_command(command_of(_study), _study.name)

if __name__ == "__main__":
    main(prog_name="python -m xaug.study")
