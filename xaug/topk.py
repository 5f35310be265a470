"""Judge rankings by retraining on their first features: `python -m xaug.topk`."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import option_list, xaug_command
from xaug.core.errors import ConfigurationError
from xaug.training.rankings import CONTROLS
from xaug.training.retrain import topk


def _named(values: tuple[str, ...]) -> dict[str, str]:
    """`NAME=DIR` options as a dict."""
    found = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or not name or not path:
            raise ConfigurationError(f"--ranking {value!r}: must be NAME=DIRECTORY of xaug.explain")
        if name in found:
            raise ConfigurationError(f"--ranking {name!r} is given twice")
        found[name] = path
    return found


@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--ranking", multiple=True, required=True, metavar="NAME=DIR",
    help="Output of xaug.explain, and what to call it; repeat. Explain the validation split: the test split judges.",
)  # fmt: skip
@click.option("-k", "sizes", default="1-20,all", metavar="SIZES", help="Numbers of features, as 1,2,5-10,all.")
@click.option("--by", default="mean", help="Rank by mean (signed) or mean_absolute attribution of the class.")
@click.option("--controls", default=",".join(CONTROLS), help="Rankings to compare with: random, univariate, or ''.")
@click.option("--network", default="event", help="event (features of events) or mlp (XAUGs of jets).")
@click.option("--trainings", type=int, default=3, help="Trainings a set of features; their spread is the band.")
@click.option("--epochs", type=int, default=50, help="Epochs at most.")
@click.option("--patience", type=int, default=6, help="Epochs without a better validation loss.")
@click.option("--batch-size", type=int, default=512)
@click.option("--weights", help="What an event counts for: unit, event or cross_section, as in xaug.train.")
@click.option("--seed", type=click.IntRange(0), default=1)
@click.option("--workers", type=click.IntRange(1), help="Processes at a time.  [default: one a core]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@xaug_command
def main(dataset, output, ranking, controls, **options) -> dict:
    """Judge rankings: retrain on the k best features of each, for every k, and draw accuracy, AUC and significance.

    A good ranking rises fast with k. Rankings of Integrated Gradients go by the attribution of the signal class,
    others by mean relevance. Two controls know nothing of a network: a random ranking, and one by the AUC of each
    feature alone. Writes topk.csv (a row a training) and fig02_topk; a killed command resumes.

    \b
    Example:
      python -m xaug.explain vlq_run --method ig --baseline blank --split validation --only signal -o ig_blank
      python -m xaug.explain vlq_run --method ig --baseline background --split validation --only signal -o ig_background
      python -m xaug.topk vlq_events --ranking B0=ig_blank --ranking Bbg=ig_background -o vlq_topk
    """
    from xaug.report.single import draw_topk

    result = topk(dataset, output, _named(ranking), controls=tuple(option_list(controls)), **options)
    draw_topk(output)
    lines = [f"{name}: AUC within its error of the last from k = {k}" for name, k in result["plateau"].items()]
    return {"output": str(output), "plateau": result["plateau"], "sets": result["sets"], "summary": lines}


if __name__ == "__main__":
    main(prog_name="python -m xaug.topk")
