"""Training history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from xaug.plots.figures import series_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_history"]


def plot_history(histories: Sequence[Mapping[str, Sequence[float]]], ax: Axes, unit: str = "epoch") -> list[Artist]:
    """Draw training and validation loss by epoch or by step; dots mark those whose weights were kept.

    Parameters
    ----------
    histories : sequence of mapping
        For each training "loss" and "val_loss", a number for each epoch or validation; for steps also "steps", the
        number of steps before it.
    ax : matplotlib.axes.Axes
        Where to draw.
    unit : str
        "epoch" or "step", the unit of the horizontal axis.

    Returns
    -------
    list of matplotlib.artist.Artist
        For each training the line of the training loss, that of the validation loss, and the dot.
    """
    artists: list[Artist] = []
    for i, history in enumerate(histories):
        places = np.arange(1, len(history["loss"]) + 1) if unit == "epoch" else np.array(history["steps"])
        style = series_style(i)
        name = "training, in the same colour" if i == len(histories) - 1 else None
        artists += ax.plot(places, history["loss"], "--", color=style["color"], alpha=0.6, lw=1, label=name)
        artists += ax.plot(places, history["val_loss"], lw=1.4, label=f"validation, training {i + 1}", **style)
        best = int(np.argmin(history["val_loss"]))
        artists += ax.plot(
            places[best],
            history["val_loss"][best],
            "o",
            color=style["color"],
            ms=5,
            label="kept weights" if i == len(histories) - 1 else None,
        )
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if all(len(history["loss"]) == 1 for history in histories):
        ax.set_xlim(places[0] - 0.5, places[0] + 0.5)
    ax.set_xlabel(unit)
    ax.set_ylabel("cross-entropy")
    ax.legend()
    return artists
