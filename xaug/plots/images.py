"""Jet images and heat maps of their relevance."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm

from xaug.process.images import HALF_WIDTH

__all__ = ["plot_heatmap", "plot_image"]

_EXTENT = (-HALF_WIDTH, HALF_WIDTH, -HALF_WIDTH, HALF_WIDTH)


def _frame(ax) -> None:
    ax.set_xlabel(r"$\eta'\,/\,\Delta R$")
    ax.set_ylabel(r"$\phi'\,/\,\Delta R$")
    ax.plot([0, 0], [0, -1], "k+", ms=5, mew=0.8)  # where the two subjets are


def plot_image(image: np.ndarray, ax, vmin: float = 1e-5, vmax: float = 1.0):
    """One image (16, 16), or the mean of many, on a logarithmic scale; crosses mark the subjets."""
    artist = ax.imshow(
        np.where(image > vmin, image, np.nan), origin="lower", extent=_EXTENT, norm=LogNorm(vmin, vmax), cmap="viridis"
    )
    _frame(ax)
    return artist


def plot_heatmap(relevance: np.ndarray, ax, limit: float | None = None):
    """Relevance (16, 16) of an image: blue supports the explained class, red opposes it."""
    limit = limit or float(np.abs(relevance).max()) or 1.0
    artist = ax.imshow(relevance, origin="lower", extent=_EXTENT, vmin=-limit, vmax=limit, cmap="RdBu")
    _frame(ax)
    return artist
