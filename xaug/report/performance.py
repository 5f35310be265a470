"""Tables and figures of how well runs separate the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from xaug.explain.analysis.spread import operating_points
from xaug.networks.choice import choose_inputs
from xaug.networks.inputs import Inputs
from xaug.plots import figures
from xaug.plots.history import plot_history
from xaug.plots.roc import GRID, plot_learning_curve, plot_roc, roc_band
from xaug.report.material import Figure, noun
from xaug.training.metrics import EFFICIENCIES, effective_number
from xaug.training.runs import Run

__all__ = ["efficiencies", "histories", "learning_curve", "paper_auc", "performance", "rocs"]

PAPER_AUC = {
    ("mlp", "no_flavour"): 0.957,
    ("mlp", "all"): 0.976,
    ("cnn2d", "none"): 0.932,
    ("cnn2d", "all"): 0.984,
    ("cnn1d", "five"): 0.994,
    ("cnn1d", "all"): 0.995,
    ("rnn", "none"): 0.975,
    ("rnn", "tau21,n_charged_hadrons"): 0.975,
}
"""Network, its expert variables -> AUC on jets in arXiv:2011.13466, section 5.3; 552k jets, no floor on lifetimes."""


def paper_auc(inputs: Inputs) -> float | None:
    """AUC in the paper of a network with these inputs, None where it tells none. Any five variables are "five"."""
    own = inputs.columns.get("xaug", [])
    for (network, xaug), auc in PAPER_AUC.items() if inputs.kind == "jets" else ():
        chosen = own if (xaug, len(own)) == ("five", 5) else xaug
        if network == inputs.network and chosen != "five" and inputs == choose_inputs(inputs.table, network, chosen):
            return auc
    return None


def performance(runs: list[Run]) -> pd.DataFrame:
    """A row a run: AUC, accuracy and background rejections, mean and standard deviation over trainings.

    For jets the AUC of the paper stands beside ours.
    """
    rows = []
    for run in runs:
        row = {"run": run.name, "trainings": len(run), "parameters": run.metrics[0]["parameters"]}
        row[f"training {noun(run.input_spec.kind)}"] = run.training_events
        for name in ("auc", "accuracy", *(f"rejection_{round(100 * e)}" for e in EFFICIENCIES)):
            values = np.array([m[name] for m in run.metrics])
            limit = ">= " if any(name in m["rejection_limits"] for m in run.metrics) else ""
            digits = 1 if name.startswith("rejection") else 4
            row[name] = f"{limit}{values.mean():.{digits}f} ± {values.std():.{digits}f}"
        if run.input_spec.kind == "jets":
            # a sample that was made smaller on purpose is not to be compared
            auc = paper_auc(run.input_spec) if run.manifest["config"]["max_jets"] is None else None
            row["paper_auc"] = "" if auc is None else f"{auc:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def efficiencies(runs: list[Run]) -> pd.DataFrame:
    """A row a run: AUC, and signal efficiency at fixed background efficiencies.

    For each the mean and the standard deviation over trainings, and the value of the mean score of all trainings.
    A background efficiency below that of ten (effective) events is left out.
    """
    rows = []
    for run in runs:
        scores = [run.scores(i) for i in range(len(run))]
        label = scores[0]["label"]
        weight = scores[0]["weight"]
        found = operating_points(label, [s["score"] for s in scores], weight)
        background = effective_number(weight[label == 0])
        row = {"run": run.name}
        for at, point in found.iterrows():
            name, factor, digits = ("AUC", 1, 4) if at == "auc" else (f"signal % at {100 * at:g}% background", 100, 1)
            mean, rms, of_mean = (f"{factor * point[key]:.{digits}f}" for key in ("mean", "rms", "mean_score"))
            measured = at == "auc" or at * background >= 10
            row[name] = f"{mean} ± {rms}" if measured else "too few events"
            row[f"{name}, mean score"] = of_mean if measured else ""
        rows.append(row)
    return pd.DataFrame(rows)


def rocs(runs: list[Run], stem: Path) -> Figure:
    """ROC curves with the spread over trainings (figure 25)."""
    bands, n_background = {}, 0
    for run in runs:
        scores = [run.scores(i) for i in range(len(run))]
        bands[run.name] = roc_band([(s["label"], s["score"], s["weight"]) for s in scores])
        n_background = max(n_background, int((scores[0]["label"] == 0).sum()))
    with figures.figure(size=(6.4 if len(bands) <= 4 else 9.6, 4.6)) as (fig, ax):
        plot_roc(bands, ax, floor=0.5 / n_background)
        figures.save(fig, stem)
    columns = {"signal_efficiency": GRID}
    for name, band in bands.items():
        columns |= {f"{name}_background_efficiency": band.mean, f"{name}_rms": band.rms}
    figures.save_table(stem, columns)
    rows = noun(runs[0].input_spec.kind)
    return Figure(
        stem,
        f"ROC curves on the test split ({n_background} background {rows}): mean over trainings, "
        "band: their standard deviation. Curves end at the efficiency of half a background one.",
    )


def histories(run: Run, stem: Path) -> Figure:
    """Training history."""
    values = [run.history(i) for i in range(len(run))]
    with figures.figure() as (fig, ax):
        plot_history(values, ax)
        ax.set_title(run.name)
        figures.save(fig, stem)
    figures.save_numbers(stem, {str(i): v for i, v in enumerate(values)})
    return Figure(stem, f"{run.name}: loss by epoch.")


def learning_curve(samples: dict[str, list[Run]], stem: Path) -> Figure:
    """AUC against the number of training jets, for networks trained on several sample sizes."""
    points = {}
    for name, runs in samples.items():
        points[name] = []
        for run in runs:
            auc = np.array([m["auc"] for m in run.metrics])
            points[name].append((run.training_events, float(auc.mean()), float(auc.std())))
    with figures.figure() as (fig, ax):
        plot_learning_curve(points, ax)
        figures.save(fig, stem)
    rows = [(name, *point) for name, values in points.items() for point in sorted(values)]
    columns = dict(zip(("network", "training_jets", "auc", "rms"), zip(*rows, strict=True), strict=True))
    figures.save_table(stem, columns)
    return Figure(
        stem,
        "AUC on the test split against the number of training jets; error bars: standard deviation over trainings.",
    )
