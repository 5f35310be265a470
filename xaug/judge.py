"""Judge explanations of a run: `python -m xaug.judge`."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import TRUST, ManyOf, option_list, xaug_command
from xaug.core.types import JsonObject
from xaug.report.judgement.choices import Choices

DEFAULT = Choices()


def known_tests() -> list[str]:
    """Names of all tests, and that of all together."""
    import xaug.report.judgement.stage  # noqa: F401  (its import registers the tests)
    from xaug.report.judgement.measures import TESTS

    return [*TESTS, "all"]


@click.argument("run", type=click.Path(path_type=Path))
@click.argument("attributions", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option(
    "--tests",
    type=ManyOf("test", known_tests),
    help="Tests, separated by commas, or all; a wrong name is answered with all of them.  [default: all but those that "
    "explain events again]",
)
@click.option(
    "--replacement",
    default=DEFAULT.replacement,
    help="Stand-in for deleted values: those of a background event (background), of one that is near in what is left "
    "(nearest), the mean of the background, or blank.",
)
@click.option(
    "--groups",
    default=DEFAULT.groups,
    help="Groups that are deleted together: features, columns or particles of a list, inputs, elements (each number), "
    "or a YAML file of names by group.",
)
@click.option("--points", type=click.IntRange(1), default=DEFAULT.points, help="Points of a deletion curve.")
@click.option("--max-events", type=click.IntRange(2), default=DEFAULT.events, help="Events that are judged, at most.")
@click.option(
    "--changed-events",
    type=click.IntRange(2),
    default=DEFAULT.changed_events,
    help="Events that are explained again, at most, by tests that change weights or events.",
)
@click.option(
    "--symmetric", default=",".join(DEFAULT.symmetric), help="Variables that cannot matter, separated by commas."
)
@click.option("--seed", type=click.IntRange(0), default=DEFAULT.seed, help="Seed of all draws.")
@TRUST[0]
@TRUST[1]
@xaug_command
def main(
    run: Path, attributions: tuple[Path, ...], output: Path, tests: str | None, replacement: str, groups: str,
    points: int, max_events: int, changed_events: int, symmetric: str, seed: int, unsafe: bool, code: tuple[str, ...],
) -> JsonObject:  # fmt: skip
    """Judge explanations of RUN: which method to believe, and which ranks of features.

    ATTRIBUTIONS are outputs of xaug.explain, of the same run and events. Writes judgement.html, a page with methods x
    tests and a verdict for each feature, and its tables (tests.csv, features.csv, agreement.csv). A command that was
    interrupted goes on where it was.

    \b
    Example:
      python -m xaug.explain mlp --method lrp -o mlp_lrp
      python -m xaug.explain mlp --method ig --baseline background -o mlp_ig
      python -m xaug.judge mlp mlp_lrp mlp_ig -o mlp_judged
    """
    from xaug.report.judgement.stage import judge_run

    chosen = Choices(
        max_events, changed_events, replacement, groups, points, tuple(option_list(symmetric)), seed
    )  # fmt: skip
    asked = None if tests is None else option_list(tests)
    found = judge_run(run, attributions, output, tests=asked, choices=chosen, unsafe=unsafe, code=code)
    return {
        "output": str(output),
        "page": str(output / "judgement.html"),
        "believed": [one.feature for one in found.verdicts if one.believe],
        "verdicts": {one.feature: one.words for one in found.verdicts},
        "summary": [found.summary, f"open {output / 'judgement.html'}"],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.judge")
