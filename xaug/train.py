"""Train one network N times: `python -m xaug.train`, a dataset to a run."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from xaug.core.command import xaug_command
from xaug.training.config import TrainingConfig
from xaug.training.stage import train

TOY_JETS = 10_000
"""Jets per class of the toy model, for a command without a dataset."""


@click.argument("dataset", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Run directory to write.")
@click.option(
    "--network",
    default="cnn2d",
    help="cnn2d (images), cnn1d or rnn (particle lists), each with XAUGs joined; mlp (XAUGs alone); "
    "event (features of events).",
)
@click.option(
    "--xaug",
    help="all, none, no_flavour, authors5, top5 (of --ranking), or names separated by commas.  [default: all]",
)
@click.option("--ranking", metavar="DIR", help="Directory of xaug.explain, whose five best XAUGs --xaug top5 takes.")
@click.option(
    "--list",
    "particle_list",
    help="Columns of the particle list: all, four_momentum, or names separated by commas.  "
    "[default: all; of rnn: log_pt, delta_eta, delta_phi]",
)
@click.option("--event", help="Features of events: all, or names separated by commas.  [default: all]")
@click.option(
    "--weights",
    help="What an event counts for: unit, event (its weight, each process as its number of events) or cross_section.  "
    "[default: unit for jets, event for events]",
)
@click.option("--layers", type=int, help="Dense layers of network event.  [default: 2]")
@click.option("--width", type=int, help="Units of each of them.  [default: 128]")
@click.option("--dropout", type=float, help="Share of them dropped in training.  [default: 0.2]")
@click.option("--rows-per-step", type=int, default=1, help="Rows of the list that rnn reads at a time.")
@click.option(
    "--trainings", type=int, default=TrainingConfig.trainings, help="Independent trainings; their spread is the error."
)
@click.option("--epochs", type=int, default=TrainingConfig.epochs, help="Epochs at most.")
@click.option("--patience", type=int, default=TrainingConfig.patience, help="Epochs without a better validation loss.")
@click.option("--batch-size", type=int, help="Events a step.  [default: 128; of rnn: 256]")
@click.option("--learning-rate", type=float, help="Of Adam.  [default: 0.001; of rnn: 0.003]")
@click.option("--seed", type=int, default=TrainingConfig.seed)
@click.option("--max-jets", type=int, help="Train on this many jets at most (for learning curves).")
@click.option("--threads", type=int, default=TrainingConfig.threads, help="Threads per training.")
@click.option("--workers", type=click.IntRange(1), help="Trainings at a time.  [default: cores / threads]")
@click.option(
    "--options",
    "choices",
    type=click.Choice(["paper-literal"]),
    help="Fit the scaling on all jets, not on the training split alone, as the authors' code does.",
)
@xaug_command
def main(dataset, output, workers, choices, layers, width, dropout, **options) -> dict:
    """Train a network N times on a dataset, each from another seed; keep the best weights of each.

    Finished trainings are kept when a run is killed and started again. Without DATASET, it trains on 10000 jets a
    class of the toy model, which it makes in RUN/toy.

    Example: python -m xaug.train zbb_jets --network cnn2d --xaug all --trainings 4 -o zbb_cnn2d
    """
    from xaug.report.single import draw_history

    if dataset is None:
        from xaug.generate.toy import generate

        dataset = output / "toy"
        generate(dataset, jets=TOY_JETS, seed=options["seed"], workers=workers)
    asked = {"layers": layers, "width": width, "dropout": dropout}
    sizes = {name: value for name, value in asked.items() if value is not None}
    literal = choices == "paper-literal"
    result = train(dataset, output, workers=workers, scale_on_all=literal, sizes=sizes, **options)
    draw_history(output)
    auc = np.array([m["auc"] for m in result["metrics"]])
    return {
        "output": str(output),
        "metrics": result["metrics"],
        "summary": [f"AUC {auc.mean():.4f} +- {auc.std():.4f} over {len(auc)} trainings (test split)"],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.train")
