"""The toy study of arXiv:2011.13466, section 3: three networks with and without expert variables."""

from __future__ import annotations

from pathlib import Path

from xaug.studies.runner import NetworkRun, Scale, chosen_runs, train_and_explain
from xaug.studies.scales import sized

__all__ = ["RUNS", "SCALES", "study"]

SCALES = {
    "quick": Scale(8_000, 4, 6, 2, "all", max_events=4_000),
    "standard": Scale(100_000, 4, 30, 4, "all", (0.1,), 4, 20_000),
    "paper": Scale(500_000, 4, 30, 4, "all", (0.1,), 4, 50_000),
}
"""quick: minutes; standard: hours; paper: its million jets."""
RUNS = {
    "cnn2d": NetworkRun("cnn2d"),
    "cnn2d_xaug": NetworkRun("cnn2d", "all", learning=True),
    "cnn1d": NetworkRun("cnn1d"),
    "cnn1d_xaug": NetworkRun("cnn1d", "all", learning=True),
    "rnn": NetworkRun("rnn"),
    "rnn_xaug": NetworkRun("rnn", "all", learning=True),
    "mlp_xaug": NetworkRun("mlp", "all"),
}


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    networks: str | None = None,
    overlap: str = "medium",
    jets: int | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    workers: int | None = None,
) -> dict:
    """Run all stages that are not done yet; return what the study found and where.

    Parameters
    ----------
    scale
        a name in SCALES
    jets, trainings, epochs
        instead of those of the scale; jets of each class
    networks
        see `chosen_runs`; default: all
    overlap
        of the classes, see `xaug.generate.toy.OVERLAPS`
    """
    from xaug.generate.toy import generate
    from xaug.report.stage import report

    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    runs = chosen_runs(networks or size.networks, RUNS)
    output = Path(output)
    data = output / "dataset"
    generate(data, jets=size.jets, overlap=overlap, seed=seed, workers=workers)
    trained, explained = train_and_explain(data, output, runs, size, seed, workers)
    title = f"xaug study toy, scale {scale}, overlap {overlap}, seed {seed}"
    result = report(trained, output / "report", explained, title, anew=True)
    return {"output": str(output), "report": str(output / "report" / "report.html"), **result}
