"""Jet images and heat maps of their relevance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LogNorm

from xaug.generate import toy
from xaug.jets import images

__all__ = ["FRAMES", "Frame", "plot_heatmap", "plot_image"]


@dataclass(frozen=True)
class Frame:
    """Axes of the images of a kind of dataset."""

    half_width: float  # of the window, in units of the axes
    x_label: str
    y_label: str
    subjets: tuple[tuple[float, float], ...]  # axes whose place is the same in all images
    caption: str


FRAMES = {
    "jets": Frame(
        images.HALF_WIDTH, r"$\eta'\,/\,\Delta R$", r"$\phi'\,/\,\Delta R$", ((0, 0), (0, -1)),
        "Crosses mark the leading subjet at (0, 0) and the subleading one at (0, -1).",
    ),
    "toy": Frame(
        toy.HALF_WIDTH, r"$\eta'$", r"$\phi'$", ((0, 0),),
        "Crosses mark the leading subjet; the subleading one is below it.",
    ),
}  # fmt: skip


def _frame(ax, frame: Frame) -> None:
    ax.set_xlabel(frame.x_label)
    ax.set_ylabel(frame.y_label)
    ticks = [-frame.half_width / 2, 0, frame.half_width / 2]
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    ax.plot(*zip(*frame.subjets, strict=True), "k+", ms=5, mew=0.8)


def _extent(frame: Frame) -> tuple[float, float, float, float]:
    return (-frame.half_width, frame.half_width, -frame.half_width, frame.half_width)


def plot_image(image: np.ndarray, ax, vmin: float = 1e-5, vmax: float = 1.0, frame: Frame = FRAMES["jets"]):
    """One image (16, 16), or the mean of many, on a logarithmic scale; crosses mark the subjets."""
    artist = ax.imshow(
        np.where(image > vmin, image, np.nan), origin="lower", extent=_extent(frame), norm=LogNorm(vmin, vmax),
        cmap="viridis",
    )  # fmt: skip
    _frame(ax, frame)
    return artist


def plot_heatmap(relevance: np.ndarray, ax, limit: float | None = None, frame: Frame = FRAMES["jets"]):
    """Relevance (16, 16) of an image: blue supports the explained class, red opposes it."""
    limit = limit or float(np.abs(relevance).max()) or 1.0
    artist = ax.imshow(relevance, origin="lower", extent=_extent(frame), vmin=-limit, vmax=limit, cmap="RdBu")
    _frame(ax, frame)
    return artist
