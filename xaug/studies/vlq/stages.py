"""All stages of the study of baselines of Integrated Gradients in a search with ten backgrounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.progress import begin_stage
from xaug.core.types import JsonObject
from xaug.studies.plan import announced
from xaug.studies.runner import report_of
from xaug.studies.vlq.planned import chosen_size, stages_of
from xaug.studies.vlq.runs import BASELINES, BATCH, EventScale
from xaug.studies.vlq.sample import generate_files, select_events, suffix

__all__ = ["study"]


@dataclass(frozen=True)
class Plan:
    """The settings that all stages of the study share.

    Attributes
    ----------
    output
        directory of the study
    files
        directory of the generated files
    size
        how large the study is
    preset
        name of the selection, see `xaug.events.presets`
    weights
        weights of events in training, see `xaug.data.weights.WEIGHTS`
    seed
        seed of everything that is random
    workers
        processes at a time; None is one for each core
    """

    output: Path
    files: Path
    size: EventScale
    preset: str
    weights: str
    seed: int
    workers: int | None


def study(
    output: str | Path,
    *,
    scale: str = "quick",
    preset: str = "tight",
    least_effective: str | float = 200.0,
    weights: str = "event",
    by: str = "mean",
    events: int | None = None,
    events_of: str = "",
    files: str | Path | None = None,
    trainings: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    workers: int | None = None,
) -> JsonObject:
    """Run all stages that are not done yet; return the numbers of the study and where its files are.

    Parameters
    ----------
    output
        directory of the study
    scale
        a name in SCALES
    preset
        name of the selection, see `xaug.events.presets`
    least_effective
        effective number of events of a class below which no conclusion is drawn
    weights
        weights of events in training, see `xaug.data.weights.WEIGHTS`
    by
        how attributions rank, see `xaug.training.rankings.BY`
    events, trainings, epochs
        numbers in place of those of the scale; generated events of each process
    events_of
        generated events of single processes in place of `events`, as "wjets=20000,tt1l=8000"; "": those of the scale,
        unless `events` is given
    files
        directory of the generated files, which studies of several selections can share; default: below `output`
    seed
        seed of generation, split, trainings and baselines
    workers
        processes at a time; default: one for each core
    """
    from xaug.data.weights import WEIGHTS
    from xaug.events import presets
    from xaug.explain.analysis.ablations import ablate_run
    from xaug.studies.vlq.paper import extension
    from xaug.training.rankings import BY

    selection, least = presets.preset(preset), number(least_effective)
    for kind, name, known in (("weights", weights, WEIGHTS), ("way to rank", by, BY)):
        if name not in known:
            raise unknown_name(kind, name, known)
    size = chosen_size(scale, events, events_of, trainings, epochs)
    where = Path(files) if files else Path(output) / "files"
    plan = Plan(Path(output), where, size, preset, weights, seed, workers)
    announced(
        stages_of(
            plan.output, scale=scale, preset=preset, by=by, events=events, events_of=events_of, files=files,
            trainings=trainings, epochs=epochs,
        )
    )  # fmt: skip
    begin_stage("generate")
    generate_files(where, size, preset, seed, workers)
    data, run, explained = explained_network(plan)
    varied = {}
    for factor in plan.size.ht_factors:
        ht_min = factor * selection.ht_min
        _, _, found = explained_network(plan, ht_min)
        varied[f"HT > {ht_min:g} GeV"] = list(found.values())
    curves, rankings, sizes = judged(plan, data, explained, by)
    ablation = plan.output / f"ablation_{by}"
    begin_stage("ablation")
    ablate_run(run, ablation, rankings, sizes, seed=seed)
    title = f"xaug study vlq, selection {preset}, scale {scale}, seed {seed}"
    added = extension(varied, preset, least)
    return report_of(plan.output, [run], list(explained.values()), title, added, topk=curves, ablation=ablation)


def number(text: str | float) -> float:
    """The least effective number of events that an option names.

    Raises
    ------
    ConfigurationError
        if it is not a number >= 0
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise ConfigurationError(f"--least-effective {text}: must be a number >= 0")
    return found


def explained_network(plan: Plan, ht_min: float | None = None) -> tuple[Path, Path, dict[str, Path]]:
    """Select events, train the network on them, and explain it with each baseline.

    Returns
    -------
    directories of the dataset, of the run, and of attributions by ranking
    """
    from xaug.data.dataset import Dataset
    from xaug.explain.gradients.baselines import PER_PROCESS
    from xaug.explain.gradients.processes import Backgrounds
    from xaug.explain.stage import explain_run
    from xaug.report.single import draw_history
    from xaug.training.stage import train

    size, ending = plan.size, suffix(ht_min)
    begin_stage(f"process{ending}")
    data = select_events(plan.files, plan.output, plan.preset, ht_min, plan.seed, plan.workers)
    run = plan.output / "runs" / f"event{ending}"
    begin_stage(f"train event{ending}")
    train(
        data, run, network="event", batch_size=BATCH, weights=plan.weights, seed=plan.seed, trainings=size.trainings,
        epochs=size.epochs, patience=size.patience, workers=plan.workers,
    )  # fmt: skip
    draw_history(run)
    per_process = Backgrounds(Dataset.open(data), "equal", "validation", 0, None).drawable(PER_PROCESS)
    explained = {name: plan.output / f"attributions{ending}" / name for name in BASELINES}
    for name, baseline in BASELINES.items():
        begin_stage(f"explain event{ending} by {name}")
        # rankings come from the validation split and are judged on the test split; pairs are integrated as in the paper
        explain_run(
            run, explained[name], method="ig", baseline=baseline, split="validation", only="signal",
            max_events=size.explained, seed=plan.seed, per_process=per_process, precision=0.0,
        )  # fmt: skip
    return data, run, explained


def judged(plan: Plan, data: Path, explained: dict[str, Path], by: str) -> tuple[Path, dict[str, list[str]], list[int]]:
    """Retrain on the first features of each ranking.

    Returns
    -------
    directory of the curves, features by ranking, and the numbers of features that were tried
    """
    from xaug.report.single import draw_topk
    from xaug.training.retrain import topk

    size, curves = plan.size, plan.output / f"topk_{by}"
    begin_stage("topk")
    found = topk(
        data, curves, explained, sizes=size.sizes, by=by, trainings=size.topk_trainings, epochs=size.topk_epochs,
        patience=size.patience, workers=plan.workers, network="event", batch_size=BATCH, weights=plan.weights,
        seed=plan.seed,
    )  # fmt: skip
    draw_topk(curves)
    return curves, found["config"]["rankings"], found["config"]["sizes"]
