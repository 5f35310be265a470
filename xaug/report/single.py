"""Draw the one figure that belongs to a finished training, or to a finished comparison of rankings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from xaug.core import provenance
from xaug.core.errors import XaugError
from xaug.core.integrity import verified
from xaug.plots.figures import figure, formula, literal, save
from xaug.plots.history import plot_history
from xaug.plots.spectra import plot_spectra
from xaug.plots.topk import plot_curves
from xaug.report.sample_label import labelled_sample
from xaug.training.retrain import METRICS, REPLICAS_FILE
from xaug.training.reweighting import FILE, Reweighting
from xaug.training.runs import Run, load_run

__all__ = ["draw_histories", "draw_history", "draw_reweighting", "draw_topk"]

SUFFIXES = (".png", ".pdf")


def draw_history(directory: str | Path) -> None:
    """Draw the loss by epoch of all trainings of a run into its directory, unless the figure is there already.

    Parameters
    ----------
    directory
        a finished run, as `xaug.train` writes it; the figure is `history.png` and `history.pdf`
    """
    stem = Path(directory) / "history"
    if _is_drawn(stem):
        return
    run = load_run(directory)
    with _labelled(run), figure() as (fig, ax):
        plot_history([run.history(training) for training in range(len(run))], ax, run.unit)
        save(fig, stem)
    provenance.record_files(directory, [stem.with_name(stem.name + suffix) for suffix in SUFFIXES])


def draw_reweighting(directory: str | Path) -> None:
    """Draw the spectra of the classes before and after reweighting, unless the run has none or they are drawn already.

    Parameters
    ----------
    directory
        a finished run of `xaug.train --reweight`; the figure is `reweighting.png` and `reweighting.pdf`
    """
    stem = Path(directory) / "reweighting"
    if _is_drawn(stem) or not (Path(directory) / FILE).is_file():
        return
    run = load_run(directory)
    found = Reweighting.load(verified(Path(directory) / FILE))
    label = formula(run.table.labels()[found.binning.variable].axis_label)
    with _labelled(run), figure(1, 2, size=(9.0, 3.8), sharey=True) as (fig, axes):
        for shares, title, ax in zip((found.before, found.after), ("before", "after"), axes, strict=True):
            plot_spectra(shares[:, 1:-1], found.binning.edges, run.classes, ax)
            ax.set_xlabel(label)
            ax.set_title(literal(f"{title} reweighting to {found.reference}"))
        axes[0].set_ylabel("share of the class in each bin")
        save(fig, stem)
    provenance.record_files(directory, [stem.with_name(stem.name + suffix) for suffix in SUFFIXES])


def draw_histories(directory: str | Path) -> None:
    """Draw the history of every run below a directory of `xaug.topk` or `xaug.grid`."""
    for run in sorted((Path(directory) / "runs").iterdir()):
        draw_history(run)


def draw_topk(directory: str | Path) -> None:
    """Draw performance against the number of features, and the history of every run that was trained for it.

    Figures that are there already are kept.

    Parameters
    ----------
    directory
        the finished output of `xaug.topk`; the figure is `topk_curves.png` and `topk_curves.pdf`
    """
    draw_histories(directory)
    stem = Path(directory) / "topk_curves"
    if _is_drawn(stem):
        return
    table = pd.read_csv(verified(Path(directory) / "topk.csv"))
    shown = [metric for metric in METRICS if metric in table]
    replicas = Path(directory) / REPLICAS_FILE
    drawn = pd.read_csv(verified(replicas)) if replicas.exists() else None
    first = load_run(min((Path(directory) / "runs").iterdir()))
    with _labelled(first), figure(1, len(shown), size=(4.6 * len(shown), 4.1), squeeze=False) as (fig, axes):
        plot_curves(table, shown, fig, axes[0], drawn)
        save(fig, stem)
    provenance.record_files(directory, [stem.with_name(stem.name + suffix) for suffix in SUFFIXES])


@contextmanager
def _labelled(run: Run) -> Iterator[None]:
    """Say in figures what the events of a run are, unless its dataset is no longer where it was."""
    try:
        data = run.dataset()
    except XaugError:
        yield
        return
    with labelled_sample(data):
        yield


def _is_drawn(stem: Path) -> bool:
    return all(stem.with_name(stem.name + suffix).exists() for suffix in SUFFIXES)
