"""The Z -> b bbar study of arXiv:2011.13466: jets, networks, explanations, figures."""

from __future__ import annotations

from pathlib import Path

from xaug.core.errors import unknown_name
from xaug.studies.runner import NetworkRun, Scale, check_five, chosen_runs, train_and_explain
from xaug.studies.scales import sized

__all__ = ["RUNS", "SCALES", "study"]

SCALES = {
    "quick": Scale(6_000, 4, 30, 5, "mlp_xaug,cnn2d_xaug", (0.125, 0.25, 0.5)),
    "standard": Scale(50_000, 4, 50, 6, "all", (0.1,), 4, 20_000),
    "paper": Scale(276_000, 4, 60, 8, "all", (0.1,), 4, 50_000),
}
"""quick: minutes on a laptop; standard: hours; paper: the 552k jets of the paper, days."""
RUNS = {
    "mlp_no_flavour": NetworkRun("mlp", "no_flavour"),
    "mlp_xaug": NetworkRun("mlp", "all", learning=True),
    "cnn2d": NetworkRun("cnn2d"),
    "cnn2d_five": NetworkRun("cnn2d", "five"),
    "cnn2d_xaug": NetworkRun("cnn2d", "all", learning=True),
    "cnn1d_four_momentum": NetworkRun("cnn1d", particle_list="four_momentum"),
    "cnn1d": NetworkRun("cnn1d"),
    "cnn1d_five": NetworkRun("cnn1d", "five"),
    "cnn1d_xaug": NetworkRun("cnn1d", "all", learning=True),
    "rnn": NetworkRun("rnn"),
    "rnn_two": NetworkRun("rnn", "tau21,n_charged_hadrons"),
    "rnn_xaug": NetworkRun("rnn", "all", learning=True),
}
"""The networks of table 3 of the paper; "rnn_two" is its recurrent network, with the two XAUGs it joins."""


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    networks: str | None = None,
    jets: int | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    five: str = "ours",
    options: str | None = None,
) -> dict:
    """Run all stages that are not done yet; return what the study found and where.

    Parameters
    ----------
    scale
        a name in SCALES
    jets, trainings, epochs
        instead of those of the scale; jets of each class
    networks
        see `chosen_runs`; default: those of the scale
    five
        see `xaug.studies.runner.FIVE`
    options
        a name in `xaug.jets.conventions.OPTIONS`: the choices of the paper's authors, to the letter
    """
    from xaug.generate.zbb import generate
    from xaug.jets.conventions import DEFAULT, OPTIONS
    from xaug.jets.processor import Settings
    from xaug.process.stage import process
    from xaug.report.stage import report

    size = sized(SCALES, scale, jets=jets, trainings=trainings, epochs=epochs)
    runs = chosen_runs(networks or size.networks, RUNS)
    check_five(five)  # before the hours that come first
    output = Path(output)
    if options is not None and options not in OPTIONS:
        raise unknown_name("options", options, OPTIONS)
    conventions = OPTIONS[options] if options else DEFAULT
    generate(output / "files", jets=size.jets, seed=seed, workers=workers, neutrinos=conventions.neutrinos)
    data = output / "dataset"
    # the split follows the seed of the study, as everything random in it
    settings = Settings(split_seed=seed, conventions=conventions)
    process([output / "files"], data, settings, executor="futures", workers=workers)
    how = {"scale_on_all": True} if options else {}
    trained, explained = train_and_explain(data, output, runs, size, seed, workers, five, **how)
    title = f"xaug study zbb, scale {scale}, seed {seed}" + (f", options {options}" if options else "")
    result = report(trained, output / "report", explained, title, anew=True)
    return {"output": str(output), "report": str(output / "report" / "report.html"), **result}
