"""Stage `explain`: what in the input a trained model's answer came from.

A = xaug.explain.lrp(model, x)              # one Attribution per model
A = xaug.explain.integrated_gradients(model, x, xaug.explain.Blank())
xaug.explain.summary([A1, A2, ...])         # a row a feature, with the spread over trainings
"""

from __future__ import annotations

import importlib

# Public name -> module, loaded on first use: none of them is needed to import the others.
_LAZY = {
    "Attribution": "xaug.explain.attribution",
    "compare_engines": "xaug.explain.comparison",
    "lrp": "xaug.explain.propagation",
    "Averaged": "xaug.explain.baselines",
    "Blank": "xaug.explain.baselines",
    "Event": "xaug.explain.baselines",
    "Mean": "xaug.explain.baselines",
    "Sample": "xaug.explain.samples",
    "ablation": "xaug.explain.faithfulness",
    "class_attribution": "xaug.explain.classlevel",
    "feature_relevance": "xaug.explain.relevance",
    "integrated_gradients": "xaug.explain.gradients",
    "summary": "xaug.explain.relevance",
    "profile": "xaug.explain.binned",
    "profiles": "xaug.explain.binned",
    "relevance_map": "xaug.explain.binned",
    "score_map": "xaug.explain.binned",
    "rank_fractions": "xaug.explain.ranking",
    "stability": "xaug.explain.spread",
    "uncertainty": "xaug.explain.spread",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'xaug.explain' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__():
    return sorted(__all__)
