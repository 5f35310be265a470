"""Search the sizes of the event network: `python -m xaug.grid`."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import option_list, xaug_command
from xaug.core.errors import ConfigurationError
from xaug.networks.registry import find_network
from xaug.training.grid import NETWORK, grid_search


def numbers(name: str, text: str, kind: type) -> list[float]:
    """`1,2,3` as numbers."""
    try:
        return [kind(part) for part in option_list(text)]
    except ValueError:
        raise ConfigurationError(f"--{name} {text!r}: must be numbers separated by commas") from None


@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--layers", default="1,2,3", help="Dense layers.")
@click.option("--width", default="64,128,256", help="Units of each.")
@click.option("--dropout", default="0.2", help="Share of them dropped in training.")
@click.option("--trainings", type=int, default=2, help="Trainings a combination.")
@click.option("--epochs", type=int, default=50, help="Epochs at most.")
@click.option("--patience", type=int, default=6, help="Epochs without a better validation loss.")
@click.option("--batch-size", type=int, default=512)
@click.option("--learning-rate", type=float, default=1e-3, help="Of Adam.")
@click.option("--weights", help="What an event counts for: unit, event or cross_section, as in xaug.train.")
@click.option("--seed", type=click.IntRange(0), default=1)
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def main(dataset, output, layers, width, dropout, **options) -> dict:
    """Search the sizes of the event network: train every combination, list them by validation loss.

    Writes grid.csv, and each network as a run of its own below runs/; a killed command resumes. Train with the sizes
    that win, `python -m xaug.train --network event --layers 2 --width 128`, or go on with that run.

    Example: python -m xaug.grid vlq_events --layers 1,2,3 --width 64,128,256 -o vlq_grid
    """
    from xaug.report.single import draw_histories

    sizes = {
        "layers": numbers("layers", layers, int),
        "width": numbers("width", width, int),
        "dropout": numbers("dropout", dropout, float),
    }
    table = grid_search(dataset, output, sizes, **options)
    draw_histories(output)
    shown = table.head(5).drop(columns=["run"]).round(4).to_string(index=False)
    paper = find_network(NETWORK).default_sizes
    return {
        "output": str(output),
        "best": table["run"].iloc[0],
        "summary": [*shown.splitlines(), f"the paper has {', '.join(f'{k} {v:g}' for k, v in paper.items())}"],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.grid")
