"""Training history."""

from __future__ import annotations

import numpy as np

__all__ = ["plot_history"]


def plot_history(histories: list[dict[str, list[float]]], ax) -> list:
    """Training and validation loss by epoch, a line a training; dots mark the weights that were kept.

    Parameters
    ----------
    histories
        one dict per training with "loss" and "val_loss" by epoch
    ax : matplotlib axes

    Returns
    -------
    list of artists
    """
    artists = []
    for i, history in enumerate(histories):
        epochs = np.arange(1, len(history["loss"]) + 1)
        first = i == 0
        artists += ax.plot(epochs, history["loss"], "--", color="tab:gray", lw=1, label="training" if first else None)
        artists += ax.plot(epochs, history["val_loss"], color=f"C{i}", lw=1.4, label=f"validation, training {i + 1}")
        best = int(np.argmin(history["val_loss"]))
        artists += ax.plot(
            best + 1,
            history["val_loss"][best],
            "o",
            color=f"C{i}",
            ms=5,
            label="kept weights" if i == len(histories) - 1 else None,
        )
    ax.set_xlabel("epoch")
    ax.set_ylabel("cross-entropy")
    ax.legend()
    return artists
