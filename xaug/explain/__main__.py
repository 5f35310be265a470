"""`python -m xaug.explain`: a run to attributions."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.command import xaug_command


@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--method", default="lrp", help="lrp: layer-wise relevance propagation.")
@click.option(
    "--rule", help="preset_a, preset_b, epsilon, z, alpha1_beta0, ...  [default: preset_a for CNNs, else epsilon]"
)
@click.option("--epsilon", type=float, help="Stabiliser.  [default: 0.1 in preset_a, 1e-7 in epsilon]")
@click.option(
    "--engine",
    default="auto",
    help="innvestigate, native, or auto: iNNvestigate for what it does right, native for the rest.",
)
@click.option(
    "--bias",
    help="Where biases stand in denominators: innvestigate (as it has them), split by their sign (alpha-beta), "
    "or ignore.  [default: innvestigate]",
)
@click.option(
    "--force", is_flag=True, help="Let iNNvestigate explain what it does wrong (GRU, BatchNormalization): no LRP then."
)
@click.option(
    "--target",
    default="predicted",
    help="The neuron explained, before the softmax: predicted, signal, background, an index, or a difference as one "
    "neuron (signal-background: the log-odds).",
)
@click.option("--dataset", type=click.Path(path_type=Path), help="Another dataset than the run's own.")
@click.option("--max-events", type=click.IntRange(1), help="Explain about this many events of the test split.")
@xaug_command
def main(run, output, **options) -> dict:
    """Explain every training of a run on the test split; rank the features.

    Writes the relevance of every input element (HDF5, one file a training) and the ranking with its spread
    over trainings (relevance.csv).

    Example: python -m xaug.explain zbb_cnn2d --method lrp --rule preset_a -o zbb_cnn2d_lrp

    Example: python -m xaug.explain zbb_mlp --rule alpha1_beta0 --bias split --target signal-background -o zbb_mlp_lrp
    """
    from xaug.explain.stage import explain_run

    result = explain_run(run, output, **options)
    low, median, high = result["conserved_5_50_95"][0]
    return {
        "output": str(output),
        "top5": result["top5"],
        "conserved_5_50_95": result["conserved_5_50_95"],
        "summary": [
            f"{result['events']} events, {result['trainings']} trainings, {result['settings']}",
            f"largest relevance: {', '.join(result['top5'])}",
            f"sum of relevance / logit: median {median:.3f}, 90% of events in [{low:.3f}, {high:.3f}] (training 1)",
        ],
    }


if __name__ == "__main__":
    main(prog_name="python -m xaug.explain")
