"""Images and heat maps of their relevance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from xaug.core.types import Array
from xaug.generate import toy_model
from xaug.jets import images
from xaug.plots.figures import BACKGROUND_TO_SIGNAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = ["FRAMES", "Frame", "frame_of", "plot_heatmap", "plot_image"]


@dataclass(frozen=True)
class Frame:
    """Axes of the images of a kind of dataset.

    Attributes
    ----------
    half_width : float or None
        Half the side of the image, in units of the axes; None counts pixels.
    x_label, y_label : str
        Labels of the axes.
    subjets : tuple of (float, float)
        Points that lie in the same place in all images, marked by crosses.
    caption : str
        Sentence that explains the crosses.
    """

    half_width: float | None
    x_label: str
    y_label: str
    subjets: tuple[tuple[float, float], ...] = ()
    caption: str = ""


FRAMES = {
    "jets": Frame(
        images.HALF_WIDTH, r"$\eta'\,/\,\Delta R$", r"$\phi'\,/\,\Delta R$", ((0, 0), (0, -1)),
        "Crosses mark the leading subjet at (0, 0) and the subleading one at (0, -1).",
    ),
    "toy": Frame(
        toy_model.HALF_WIDTH, r"$\eta'$", r"$\phi'$", ((0, 0),),
        "Crosses mark the leading subjet; the subleading one is below it.",
    ),
}  # fmt: skip
"""Frames of the kinds of datasets whose images have known axes."""
PIXELS = Frame(None, "pixel", "pixel")
"""The frame of all other images: axes count pixels."""


def frame_of(kind: str) -> Frame:
    """Choose the axes of the images of a kind of dataset.

    Parameters
    ----------
    kind : str
        Kind of dataset.

    Returns
    -------
    Frame
        The frame of this kind; axes count pixels if the kind has none.
    """
    return FRAMES.get(kind, PIXELS)


def plot_image(image: Array, ax: Axes, vmin: float = 1e-5, vmax: float = 1.0, frame: Frame = PIXELS) -> AxesImage:
    """Draw one image, or the mean of many, on a logarithmic scale.

    Parameters
    ----------
    image : ndarray (rows, columns)
        Values of the pixels; the first axis points up, the second one to the right.
    ax : matplotlib.axes.Axes
        Where to draw.
    vmin, vmax : float
        Ends of the scale; pixels up to `vmin` are left white.
    frame : Frame
        Axes, see `frame_of`.

    Returns
    -------
    matplotlib.image.AxesImage
        The image, for a colour bar.
    """
    artist = ax.imshow(
        np.where(image > vmin, image, np.nan), origin="lower", extent=_extent(frame, image), norm=LogNorm(vmin, vmax),
        cmap="viridis",
    )  # fmt: skip
    _draw_frame(ax, frame)
    return artist


def plot_heatmap(relevance: Array, ax: Axes, limit: float | None = None, frame: Frame = PIXELS) -> AxesImage:
    """Draw the relevance of an image: blue supports the explained class, orange opposes it.

    Parameters
    ----------
    relevance : ndarray (rows, columns)
        Relevance of the pixels; the first axis points up, the second one to the right.
    ax : matplotlib.axes.Axes
        Where to draw.
    limit : float, optional
        Relevance of the deepest blue, and minus that of the deepest orange. Default: the largest absolute relevance.
    frame : Frame
        Axes, see `frame_of`.

    Returns
    -------
    matplotlib.image.AxesImage
        The image, for a colour bar.
    """
    limit = limit or float(np.abs(relevance).max()) or 1.0
    artist = ax.imshow(
        relevance, origin="lower", extent=_extent(frame, relevance), vmin=-limit, vmax=limit, cmap=BACKGROUND_TO_SIGNAL
    )  # fmt: skip
    _draw_frame(ax, frame)
    return artist


def _draw_frame(ax: Axes, frame: Frame) -> None:
    ax.set_xlabel(frame.x_label)
    ax.set_ylabel(frame.y_label)
    if frame.half_width is not None:
        ticks = [-frame.half_width / 2, 0, frame.half_width / 2]
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
    if frame.subjets:
        x, y = zip(*frame.subjets, strict=True)
        ax.plot(x, y, "k+", ms=5, mew=0.8)


def _extent(frame: Frame, image: Array) -> tuple[float, float, float, float]:
    if frame.half_width is None:
        rows, columns = image.shape
        return (-0.5, columns - 0.5, -0.5, rows - 0.5)
    return (-frame.half_width, frame.half_width, -frame.half_width, frame.half_width)
