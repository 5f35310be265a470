"""Plots of data, trainings and explanations: numbers in, artists out, on axes of yours.

with xaug.plots.figure() as (fig, ax):
    xaug.plots.plot_relevance(xaug.explain.summary(found), dataset.table.labels(), ax)
    xaug.plots.save(fig, "relevance")
"""

from __future__ import annotations

import importlib

# Public name -> module, loaded on first use: none of them is needed to import the others.
_LAZY = {
    "class_histogram": "xaug.plots.distributions",
    "figure": "xaug.plots.figures",
    "frame_of": "xaug.plots.images",
    "plot_agreement": "xaug.plots.attribution",
    "plot_attribution": "xaug.plots.attribution",
    "plot_curves": "xaug.plots.topk",
    "plot_deletion": "xaug.plots.faithfulness",
    "plot_distribution": "xaug.plots.distributions",
    "plot_engine_differences": "xaug.plots.engines",
    "plot_engine_scatter": "xaug.plots.engines",
    "plot_heatmap": "xaug.plots.images",
    "plot_history": "xaug.plots.history",
    "plot_image": "xaug.plots.images",
    "plot_learning_curve": "xaug.plots.roc",
    "plot_likelihood": "xaug.plots.likelihood",
    "plot_map": "xaug.plots.binned",
    "plot_profile": "xaug.plots.binned",
    "plot_ranks": "xaug.plots.ranking",
    "plot_relevance": "xaug.plots.relevance",
    "plot_roc": "xaug.plots.roc",
    "plot_score_spread": "xaug.plots.spread",
    "plot_feature_spread": "xaug.plots.spread",
    "plot_scores": "xaug.plots.scores",
    "plot_topk": "xaug.plots.topk",
    "plot_trainings": "xaug.plots.relevance",
    "roc_band": "xaug.plots.roc",
    "save": "xaug.plots.figures",
    "save_frame": "xaug.plots.figures",
    "save_numbers": "xaug.plots.figures",
    "save_table": "xaug.plots.figures",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'xaug.plots' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
