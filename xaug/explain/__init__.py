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
    "compare_engines": "xaug.explain.propagation.compare",
    "lrp": "xaug.explain.propagation.api",
    "Averaged": "xaug.explain.gradients.baselines",
    "Blank": "xaug.explain.gradients.baselines",
    "Event": "xaug.explain.gradients.baselines",
    "Mean": "xaug.explain.gradients.baselines",
    "Sample": "xaug.explain.gradients.samples",
    "ablation": "xaug.explain.analysis.ablations",
    "class_attribution": "xaug.explain.gradients.class_level",
    "feature_relevance": "xaug.explain.analysis.relevance",
    "integrated_gradients": "xaug.explain.gradients.api",
    "summary": "xaug.explain.analysis.relevance",
    "profile": "xaug.explain.analysis.binned",
    "profiles": "xaug.explain.analysis.binned",
    "relevance_map": "xaug.explain.analysis.binned",
    "score_map": "xaug.explain.analysis.binned",
    "rank_fractions": "xaug.explain.analysis.ranks",
    "stability": "xaug.explain.analysis.spread",
    "uncertainty": "xaug.explain.analysis.spread",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'xaug.explain' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__():
    return sorted(__all__)
