"""The Z -> b bbar study of arXiv:2011.13466: jets, networks, explanations, figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xaug.errors import unknown_name

__all__ = ["NETWORKS", "SCALES", "Scale", "study"]


@dataclass(frozen=True)
class Scale:
    """How large a study is."""

    jets: int  # selected jets a class
    trainings: int
    epochs: int
    patience: int
    learning: tuple[float, ...]  # fractions of the training split for the learning curve
    learning_trainings: int
    max_events: int | None  # explained events of the test split


SCALES = {
    "quick": Scale(6_000, 4, 30, 5, (0.125, 0.25, 0.5), 2, None),
    "standard": Scale(50_000, 4, 50, 6, (0.125, 0.25, 0.5), 2, 20_000),
    "paper": Scale(276_000, 4, 60, 8, (0.125, 0.25, 0.5), 2, 50_000),
}
"""quick: minutes on a laptop; standard: hours; paper: the 552k jets of the paper, days."""


@dataclass(frozen=True)
class NetworkChoice:
    """A network of the study, and the XAUGs joined to it."""

    network: str
    xaug: str


NETWORKS = {
    "mlp": {"mlp_xaug": NetworkChoice("mlp", "all")},
    "cnn2d": {"cnn2d_xaug": NetworkChoice("cnn2d", "all")},
}
"""What `--networks` switches -> the runs it stands for."""
LARGE_BATCH = 512
"""Batch size of dense networks, whose steps cost more in overhead than in arithmetic."""


def study(
    output: str | Path, *, scale: str = "quick", networks: str = "all", seed: int = 1, workers: int | None = None
) -> dict:
    """Run all stages that are not done yet; return what the study found and where."""
    from xaug.explain.stage import explain_run
    from xaug.generate.zbb import generate
    from xaug.process.processor import Settings
    from xaug.process.stage import process
    from xaug.report.stage import report
    from xaug.train import train

    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    size = SCALES[scale]
    runs = chosen_runs(networks)
    output = Path(output)
    generate(output / "files", jets=size.jets, seed=seed, workers=workers)
    data = output / "dataset"
    # the split follows the seed of the study, as everything random in it
    made = process([output / "files"], data, Settings(split_seed=seed), executor="futures", workers=workers)
    training_jets = sum(part["splits"]["train"] for part in made["parts"])

    trained, explained = [], []
    for name, choice in runs.items():
        options = {"network": choice.network, "xaug": choice.xaug, "seed": seed, "workers_wanted": workers}
        options |= {"epochs": size.epochs, "patience": size.patience}
        trained.append(output / "runs" / name)
        train(data, trained[-1], trainings=size.trainings, **options)
        explained.append(output / "attributions" / name)
        explain_run(trained[-1], explained[-1], method="lrp", max_events=size.max_events)
        for fraction in size.learning:
            jets = round(fraction * training_jets)
            trained.append(output / "runs" / f"{name}_{jets}_jets")
            train(data, trained[-1], trainings=size.learning_trainings, max_jets=jets, **options)
    result = report(trained, output / "report", explained, f"xaug study zbb, scale {scale}, seed {seed}")
    return {"output": str(output), "report": str(output / "report" / "report.html"), **result}


def chosen_runs(networks: str) -> dict[str, NetworkChoice]:
    """The runs that `--networks` stands for."""
    names = list(NETWORKS) if networks == "all" else [n.strip() for n in networks.split(",") if n.strip()]
    for name in names:
        if name not in NETWORKS:
            raise unknown_name("network of the study", name, ["all", *NETWORKS])
    return {run: choice for name in NETWORKS if name in names for run, choice in NETWORKS[name].items()}
