"""`python -m xaug.explain`: a run to attributions."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import xaug_command


@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--method", default="lrp", help="lrp: layer-wise relevance propagation; ig: Integrated Gradients.")
@click.option(
    "--rule", help="preset_a, preset_b, epsilon, z, alpha1_beta0, ...  [default: preset_a for CNNs, else epsilon]"
)
@click.option("--epsilon", type=float, help="Stabiliser.  [default: 0.1 in preset_a, 1e-7 in epsilon]")
@click.option(
    "--engine", help="innvestigate, native, or auto: iNNvestigate for what it does right.  [lrp; default: auto]"
)
@click.option(
    "--baseline",
    help="blank (zero after scaling), physical (zero before it), background (average over 20 validation events of each "
    "process), weighted (the same by cross section), mean, event:ROW of the test split, or a file .npz or .h5 of "
    "scaled arrays by input name.  [ig]",
)
@click.option("--output-kind", help="logit (log-odds) or probability.  [ig; default: logit]")
@click.option(
    "--tolerance", type=float, help="Of the sum of attributions, for 95% of events x baselines.  [ig; default: 1e-3]"
)
@click.option("--max-nodes", type=int, help="Of the quadrature.  [ig; default: 128]")
@click.option(
    "--bias",
    help="Where biases stand in denominators: innvestigate (as it has them), split by their sign (alpha-beta), "
    "or ignore.  [lrp; default: innvestigate]",
)
@click.option(
    "--force",
    is_flag=True,
    default=None,
    help="Let iNNvestigate explain what it does wrong (GRU, BatchNormalization): no LRP then.  [lrp]",
)
@click.option(
    "--target",
    help="What is explained, before the softmax: predicted, signal, background, an index, or with lrp a difference as "
    "one neuron (signal-background).  [default: lrp predicted, ig signal]",
)
@click.option("--dataset", type=click.Path(path_type=Path), help="Another dataset than the run's own.")
@click.option("--split", default="test", help="Events explained; rankings to train with come from validation.")
@click.option("--only", help="signal or background: explain events of this class only.")
@click.option("--max-events", type=click.IntRange(1), help="Explain about this many events.")
@click.option("--scheduler", metavar="URL", help="A running Dask scheduler (tcp://...) that shares these files.  [lrp]")
@click.option("--seed", type=click.IntRange(0), default=1, help="Of drawn baselines and of the bootstrap.  [ig]")
@xaug_command
def main(run, output, **options) -> dict:
    """Explain every training of a run on the test split; rank the features.

    Writes the relevance of every input element (HDF5, one file a training) and the ranking with its spread
    over trainings (relevance.csv); with --method ig also signed means and mean absolute values over the signal
    events, with errors from events and from baselines (class_level_0.csv, ...).

    Example: python -m xaug.explain zbb_cnn2d --method lrp --rule preset_a -o zbb_cnn2d_lrp

    Example: python -m xaug.explain zbb_mlp --rule alpha1_beta0 --bias split --target signal-background -o zbb_mlp_lrp

    Example: python -m xaug.explain zbb_mlp --method ig --baseline background -o zbb_mlp_ig
    """
    from xaug.explain.stage import explain_run

    result = explain_run(run, output, **options)
    low, median, high = result["conserved_5_50_95"][0]
    return {
        "output": str(output),
        "top5": result["top5"],
        "conserved_5_50_95": result["conserved_5_50_95"],
        "summary": [
            f"{result['events']} events, {result['trainings']} trainings, {_shown(result['settings'])}",
            f"largest relevance: {', '.join(result['top5'])}",
            f"sum of relevance / what it explains: median {median:.3f}, 90% of events in [{low:.3f}, {high:.3f}] "
            "(training 1)",
            *_baseline(result["settings"]),
        ],
    }


def _shown(settings: dict) -> dict:
    return {name: value for name, value in settings.items() if name != "baseline"}


def _baseline(settings: dict) -> list[str]:
    if "baseline" not in settings:
        return []
    known, effective = settings["baseline"], settings["effective_baselines"]
    distance = known["distance"]
    near, outside = distance["nearest_neighbour_percentile"], 100 * distance["features_outside"]
    names = f" ({', '.join(distance['outside'])})" if distance["outside"] else ""
    return [
        f"baseline: {known['kind']}, {known['events']} events, effectively {effective:.1f}",
        f"farther from its nearest event than {near:.0f}% of events are from theirs; "
        f"{outside:.1f}% of its features outside the range of the data{names}",
    ]


if __name__ == "__main__":
    main(prog_name="python -m xaug.explain")
