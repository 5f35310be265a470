"""`python -m xaug.study`: everything, from collisions to an explained tagger."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from xaug.core.command import xaug_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run all stages of a study: generate, process, train, explain, report.

    What is done already is kept: a killed study resumes, a finished one ends at once, and one that is asked
    for more networks trains those only.
    """


def study_options(function, sample="--jets", each="class"):
    """What all studies are asked."""
    options = [
        click.option("--scale", default="quick", help="quick (minutes), standard (hours) or paper (days)."),
        click.option(sample, type=int, help=f"Generated for each {each}, instead of those of the scale."),
        click.option("--trainings", type=int, help="Trainings of each network, instead of those of the scale."),
        click.option("--epochs", type=int, help="Epochs at most, instead of those of the scale."),
        click.option("--seed", type=int, default=1, help="Seed of generation, split and trainings."),
        click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]"),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory.  [default: STUDY_SCALE]"),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def shown(result: dict) -> dict:
    """What the command prints of a study's result."""
    lines = [f"{row['run']}: AUC {row['auc']}" for row in result["performance"]]
    content = {key: result[key] for key in ("output", "report", "performance")}
    return {**content, "summary": [*lines, f"open {result['report']}"]}


@click.option(
    "--networks",
    help="all, or names separated by commas: mlp, cnn2d, cnn1d, rnn, or single runs, as cnn2d_xaug.  "
    "[default: mlp_xaug,cnn2d_xaug at quick scale, all at others]",
)
@click.option(
    "--five", default="ours", help="The five XAUGs of the +5 networks: ours (best by our LRP) or authors (the paper's)."
)
@click.option(
    "--options",
    type=click.Choice(["paper-literal"]),
    help="The literal choices of the paper's authors, their lifetime leak among them; a study of its own.",
)
@study_options
@xaug_command
def zbb(scale, output, **options) -> dict:
    """Z -> b bbar against QCD jets (arXiv:2011.13466): images, particle lists and expert variables, explained by LRP.

    Example: python -m xaug.study zbb --scale quick
    """
    from xaug.studies.zbb import study

    name = "_".join(["zbb", scale, *([options["options"].replace("-", "_")] if options["options"] else [])])
    return shown(study(output or Path(name), scale=scale, **options))


@click.option(
    "--networks",
    help="all, or names separated by commas: mlp, cnn2d, cnn1d, rnn, or single runs, as cnn2d_xaug.  [default: all]",
)
@click.option("--overlap", default="medium", help="Overlap of the classes: small, medium, large or table1.")
@study_options
@xaug_command
def toy(scale, output, **options) -> dict:
    """The toy model (arXiv:2011.13466, section 3): four numbers that say all, hidden in images and lists.

    Example: python -m xaug.study toy --scale quick
    """
    from xaug.studies.toy import study

    return shown(study(output or Path(f"toy_{scale}"), scale=scale, **options))


@click.option("--weights", default="event", help="Of events in training: event, cross_section or unit.")
@click.option("--by", default="mean", help="Rank by mean (signed) or mean_absolute attribution.")
@partial(study_options, sample="--events", each="process")
@xaug_command
def vlq(scale, output, **options) -> dict:
    """A search for vectorlike quarks with ten backgrounds: Integrated Gradients from several baselines, judged.

    Generates the signal and its backgrounds, trains a dense network on 87 features, and ranks them by four baselines:
    blank (B0 after scaling, B0_physical before it), averaged background (Bbg) and the same by cross section (Bbgw).
    Each ranking is judged by training again on its k first features, and by taking them from the trained network.
    The report begins with a table: what the paper says, and what these networks say.

    Example: python -m xaug.study vlq --scale quick -o vlq

    Example: python -m xaug.study vlq --by mean_absolute -o vlq   (the same networks and attributions, ranked otherwise)
    """
    from xaug.studies.vlq import study

    return shown(study(output or Path(f"vlq_{scale}"), scale=scale, **options))


main.add_command(toy, "toy")
main.add_command(zbb, "zbb")
main.add_command(vlq, "vlq")

if __name__ == "__main__":
    main(prog_name="python -m xaug.study")
