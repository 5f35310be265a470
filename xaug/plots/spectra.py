"""Spectra of one variable by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xaug.core.types import Array
from xaug.plots.figures import class_colors, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import StepPatch

__all__ = ["plot_spectra"]


def plot_spectra(shares: Array, edges: Sequence[float], classes: Sequence[str], ax: Axes) -> list[StepPatch]:
    """Draw the share of each class in each bin as steps.

    Parameters
    ----------
    shares : array (K, bins)
    edges : sequence of float
        edges of the bins
    classes : sequence of str
        names of the classes
    ax : Axes
        where to draw

    Returns
    -------
    list of StepPatch
        the steps of each class
    """
    steps = [
        ax.stairs(own, edges, color=color, label=literal(name), lw=1.3)
        for own, color, name in zip(shares, class_colors(len(classes)), classes, strict=True)
    ]
    ax.legend()
    return steps
