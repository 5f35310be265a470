"""Make a reference network of a finished run: `python -m xaug.reference`."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import xaug_command
from xaug.core.types import JsonObject
from xaug.training.reference import card_of, export
from xaug.training.runs import load_run


@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write, named as the reference."
)
@click.option("--training", type=click.IntRange(0), default=0, help="Number of the training, counted from 0.")
@click.option("--limits", default="", help="Limits that a user of the network must know; the card states them.")
@xaug_command
def main(run: Path, output: Path, training: int, limits: str) -> JsonObject:
    """Make a reference of a finished run: the weights of one training, its scaler, and a card with its numbers.

    Example: python -m xaug.reference toy_standard/runs/cnn2d_xaug -o models/toy_cnn2d
    """
    opened = load_run(run)
    export(run, output, card_of(opened, output.name, limits, training), training)
    return {"output": str(output), "summary": [f"open {output / 'card.md'}"]}


if __name__ == "__main__":
    main(prog_name="python -m xaug.reference")
