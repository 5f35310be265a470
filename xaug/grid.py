"""Search the sizes of the event network: `python -m xaug.grid`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from xaug.core.command import OneOf, option_list, xaug_command
from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject
from xaug.data.weights import WEIGHTS
from xaug.networks.registry import find_network
from xaug.training.grid import NETWORK, grid_search


def _numbers(name: str, text: str, kind: type[int] | type[float]) -> list[float]:
    """The numbers in `1,2,3`."""
    try:
        return [kind(part) for part in option_list(text)]
    except ValueError:
        raise ConfigurationError(f"--{name} {text!r}: must be numbers separated by commas") from None


@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--layers", default="1,2,3", help="Numbers of Dense layers to try, separated by commas.")
@click.option("--width", default="64,128,256", help="Numbers of units of each layer to try.")
@click.option("--dropout", default="0.2", help="Shares of the units that a step of the training leaves out, to try.")
@click.option("--weights", type=OneOf("weights", WEIGHTS), help="Weight of each event, as in xaug.train.")
@click.option("--trainings", type=click.IntRange(1), default=2, help="Trainings of each combination.")
@click.option("--epochs", type=click.IntRange(1), default=50, help="Largest number of epochs.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=6,
    help="Stop after this many epochs without a better validation loss.",
)
@click.option("--batch-size", type=click.IntRange(1), default=512, help="Events in one step.")
@click.option("--learning-rate", type=float, default=1e-3, help="Learning rate of Adam.")
@click.option("--seed", type=click.IntRange(0), default=1, help="Seed from which those of the trainings follow.")
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one for each core]")
@xaug_command
def main(dataset: Path, output: Path, layers: str, width: str, dropout: str, **options: Any) -> JsonObject:
    """Search the sizes of the event network: train every combination and list them by validation loss.

    The command writes grid.csv, and each network as a run of its own below runs/. A command that was killed goes on
    where it was. Train with the sizes that win, `python -m xaug.train --network event --layers 2 --width 128`, or use
    their run.

    Example: python -m xaug.grid vlq_events --layers 1,2,3 --width 64,128,256 -o vlq_grid
    """
    from xaug.report.single import draw_histories

    sizes = {
        "layers": _numbers("layers", layers, int),
        "width": _numbers("width", width, int),
        "dropout": _numbers("dropout", dropout, float),
    }
    table = grid_search(dataset, output, sizes, **options)
    draw_histories(output)
    shown = table.head(5).drop(columns=["run"]).round(4).to_string(index=False)
    default = find_network(NETWORK).default_sizes
    return {
        "output": str(output),
        "best": table["run"].iloc[0],
        "summary": [
            *shown.splitlines(),
            f"the default network has {', '.join(f'{name} {value:g}' for name, value in default.items())}",
        ],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.grid")
