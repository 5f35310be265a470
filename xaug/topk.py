"""Judge rankings by retraining on their first features: `python -m xaug.topk`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from xaug.core.command import OneOf, option_list, xaug_command
from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject
from xaug.data.weights import WEIGHTS
from xaug.networks.registry import networks
from xaug.training.rankings import BY, CONTROLS
from xaug.training.retrain import topk


def _named(values: Iterable[str]) -> dict[str, str]:
    """The options `NAME=DIR` as a dict."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or not name or not path:
            raise ConfigurationError(f"--ranking {value!r}: must be NAME=DIRECTORY of xaug.explain")
        if name in found:
            raise ConfigurationError(f"--ranking {name!r} is given twice")
        found[name] = path
    return found


FEATURE_NETWORKS = {
    name: network.summary for name, network in networks().items() if network.reads_vector or network.joins_xaug
}
_MEANINGS = " or ".join(f"{name} ({summary})" for name, summary in FEATURE_NETWORKS.items())


@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option(
    "--ranking",
    multiple=True,
    required=True,
    metavar="NAME=DIR",
    help="A ranking: its name in the figure, and the output of xaug.explain that holds it; repeat the option for more. "
    "Explain the validation split, since the test split judges.",
)
@click.option("-k", "sizes", default="1-20,all", metavar="SIZES", help="Numbers of features, as 1,2,5-10,all.")
@click.option(
    "--by",
    default="mean",
    type=OneOf("way to rank", BY),
    help="How the attributions of the class rank; mean keeps the sign.",
)
@click.option(
    "--controls",
    default=",".join(CONTROLS),
    help=f"Rankings to compare with: {', '.join(CONTROLS)}, separated by commas, or '' for none.",
)
@click.option(
    "--network",
    type=OneOf("network", FEATURE_NETWORKS),
    help=f"Network to train: {_MEANINGS}. The k best expert variables join networks of images and lists.  "
    "[default: event for events, else mlp]",
)
@click.option("--weights", type=OneOf("weights", WEIGHTS), help="Weight of each event, as in xaug.train.")
@click.option(
    "--trainings", type=click.IntRange(1), default=3, help="Trainings of each feature set, whose spread is the band."
)
@click.option("--epochs", type=click.IntRange(1), default=50, help="Largest number of epochs.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=6,
    help="Stop after this many epochs without a better validation loss.",
)
@click.option("--batch-size", type=click.IntRange(1), default=512, help="Events in one step.")
@click.option("--seed", type=click.IntRange(0), default=1, help="Seed of the trainings and of the random ranking.")
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one for each core]")
@xaug_command
def main(dataset: Path, output: Path, ranking: tuple[str, ...], controls: str, **options: Any) -> JsonObject:
    """Judge rankings: retrain on the k best features of each, for every k, and draw accuracy, AUC and significance.

    With a good ranking, performance rises fast with k. Integrated Gradients rank by the attribution of the signal
    class, other methods by mean relevance. Two controls know nothing of a network: a random ranking, and one by the AUC
    of each feature alone. The command writes topk.csv (one row for each training) and the figure topk_curves. A
    command that was killed goes on where it was.

    \b
    Example:
      python -m xaug.explain vlq_run --method ig --baseline blank --split validation --only signal -o ig_blank
      python -m xaug.explain vlq_run --method ig --baseline background --split validation --only signal -o ig_background
      python -m xaug.topk vlq_events --ranking B0=ig_blank --ranking Bbg=ig_background -o vlq_topk
    \b
    Example, jets and LRP:
      python -m xaug.explain zbb_cnn2d --method lrp --split validation -o lrp
      python -m xaug.topk zbb_jets --ranking LRP=lrp --network cnn2d -k 1,2,5,10 -o zbb_topk
    """
    from xaug.report.single import draw_topk

    result = topk(dataset, output, _named(ranking), controls=option_list(controls), **options)
    draw_topk(output)
    lines = [f"{name}: AUC within its error of the last from k = {k}" for name, k in result["plateau"].items()]
    return {"output": str(output), "plateau": result["plateau"], "sets": result["sets"], "summary": lines}


if __name__ == "__main__":
    main(prog_name="python -m xaug.topk")
