"""The study of Constructing sensible baselines for Integrated Gradients: a search with ten backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xaug.core.errors import unknown_name
from xaug.studies.scales import sized

__all__ = ["BASELINES", "SCALES", "EventScale", "study"]


@dataclass(frozen=True)
class EventScale:
    """How large a study of events is."""

    events: int  # generated, of each process
    trainings: int
    epochs: int
    patience: int
    explained: int  # signal events of the validation split
    sizes: str  # numbers of features to retrain on
    topk_trainings: int
    topk_epochs: int
    ht_minima: tuple[float, ...]  # other thresholds on HT [GeV]: is it first because of the selection?


SCALES = {
    "quick": EventScale(8_000, 2, 40, 5, 1_000, "1,2,3,5,8,12,16,20,all", 2, 25, (600.0,)),
    "standard": EventScale(110_000, 4, 60, 8, 5_000, "1-20,all", 3, 40, (300.0, 600.0, 800.0)),
    "paper": EventScale(1_100_000, 4, 60, 8, 5_000, "1-20,all", 3, 40, (300.0, 600.0, 800.0)),
}
"""quick: minutes; standard: hours; paper: its million selected events, days."""
BASELINES = {"B0": "blank", "B0_physical": "physical", "Bbg": "background", "Bbgw": "weighted"}
"""Name of a ranking -> what `xaug.explain --baseline` calls it. B0_physical is zero before scaling."""
BATCH = 512


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    weights: str = "event",
    by: str = "mean",
    events: int | None = None,
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
    events, trainings, epochs
        instead of those of the scale; events of each process
    weights
        of events in training, see `xaug.data.weights.WEIGHTS`
    by
        how attributions rank, see `xaug.training.rankings.BY`
    """
    from xaug.data.weights import WEIGHTS
    from xaug.events.processor import EventSettings
    from xaug.events.selection import EventSelection
    from xaug.explain.analysis.ablations import ablate_run
    from xaug.explain.stage import explain_run
    from xaug.generate.vlq import generate
    from xaug.process.stage import process
    from xaug.report.single import draw_history, draw_topk
    from xaug.report.stage import report
    from xaug.training.rankings import BY
    from xaug.training.retrain import topk
    from xaug.training.stage import train

    for kind, name, known in (("weights", weights, WEIGHTS), ("way to rank", by, BY)):
        if name not in known:
            raise unknown_name(kind, name, known)
    size = sized(SCALES, scale, events=events, trainings=trainings, epochs=epochs)
    output = Path(output)
    generate(output / "files", events=size.events, seed=seed, workers=workers)
    options = {"network": "event", "batch_size": BATCH, "weights": weights, "seed": seed}

    def explained_network(selection: EventSelection, suffix: str = "") -> tuple[Path, Path, dict[str, Path]]:
        """Dataset of a selection, the network trained on it, and its attributions by baseline."""
        data, run = output / f"dataset{suffix}", output / "runs" / f"event{suffix}"
        settings = EventSettings(split_seed=seed, selection=selection)
        process([output / "files"], data, settings, executor="futures", workers=workers)
        train(data, run, trainings=size.trainings, epochs=size.epochs, patience=size.patience, **options,
              workers=workers)  # fmt: skip
        draw_history(run)
        explained = {name: output / f"attributions{suffix}" / name for name in BASELINES}
        for name, baseline in BASELINES.items():
            # rankings come from the validation split and are judged on the test split
            explain_run(
                run, explained[name], method="ig", baseline=baseline, split="validation", only="signal",
                max_events=size.explained, seed=seed,
            )  # fmt: skip
        return data, run, explained

    data, run, explained = explained_network(EventSelection())
    varied = {}
    for ht_min in size.ht_minima:
        _, _, found = explained_network(EventSelection(ht_min=ht_min), f"_ht{ht_min:g}")
        varied[f"HT > {ht_min:g} GeV"] = list(found.values())
    curves, ablation = output / f"topk_{by}", output / f"ablation_{by}"
    found = topk(
        data, curves, explained, sizes=size.sizes, by=by, trainings=size.topk_trainings, epochs=size.topk_epochs,
        patience=size.patience, workers=workers, **options,
    )  # fmt: skip
    draw_topk(curves)
    ablate_run(run, ablation, found["config"]["rankings"], found["config"]["sizes"], seed=seed)
    title = f"xaug study vlq, scale {scale}, seed {seed}"
    result = report(
        [run], output / "report", list(explained.values()), title, anew=True, topk=curves, ablation=ablation,
        varied=varied,
    )  # fmt: skip
    return {"output": str(output), "report": str(output / "report" / "report.html"), **result}
