"""`python -m xaug.study`: everything, from proton collisions to an explained tagger."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.command import xaug_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run all stages of a study: generate, process, train, explain, report.

    What is done already is kept: a killed study resumes, a finished one ends at once.
    """


@click.option("--scale", default="quick", help="quick (minutes), standard (hours) or paper (days).")
@click.option("--networks", default="all", help="all, or names separated by commas: mlp, cnn2d.")
@click.option("--seed", type=int, default=1, help="Seed of generation, split and trainings.")
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory.  [default: zbb_SCALE]")
@xaug_command
def zbb(scale, networks, seed, workers, output) -> dict:
    """Z -> b bbar against QCD jets (arXiv:2011.13466): images and expert variables, explained by LRP.

    Example: python -m xaug.study zbb --scale quick
    """
    from xaug.study.zbb import study

    output = output or Path(f"zbb_{scale}")
    result = study(output, scale=scale, networks=networks, seed=seed, workers=workers)
    lines = [f"{row['run']}: AUC {row['auc']}" for row in result["performance"]]
    content = {key: result[key] for key in ("output", "report", "performance")}
    return {**content, "summary": [*lines, f"open {result['report']}"]}


main.add_command(zbb, "zbb")

if __name__ == "__main__":
    main(prog_name="python -m xaug.study")
