"""Explain a trained model: which features of an event its answer came from.

    A = xaug.explain.lrp(model, x)                                          # LRP, one Attribution for each model
    A = xaug.explain.integrated_gradients(model, x, xaug.explain.Blank())   # Integrated Gradients
    A.relevance["xaug"]                                                     # scores, with the shape of that input
    xaug.explain.summary([A1, A2, ...])                                     # a ranking, with its spread over trainings

Here `x` is a dict of scaled inputs by input name, for a run `xaug.load_run(path).inputs(arrays)`. The command
`python -m xaug.explain` does the same for all trainings of a run and writes the attributions to a directory.

Explain events
    lrp, rescale, integrated_gradients, class_attribution, expected_gradients; gradient_times_input,
    smooth_gradient; occlusion, permutation, shapley_values; compare_engines; Attribution, the result
Baselines
    Blank, Event, Mean, Averaged, Sample
Rank features
    summary, feature_relevance, rank_fractions
Find out where relevance lies
    profile, profiles, relevance_map, score_map
Check the result
    stability, uncertainty, ablation; likelihood_test, symmetry_test
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xaug.explain.analysis.ablations import ablation
    from xaug.explain.analysis.binned import profile, profiles, relevance_map, score_map
    from xaug.explain.analysis.likelihood import likelihood_test, symmetry_test
    from xaug.explain.analysis.ranks import rank_fractions
    from xaug.explain.analysis.relevance import feature_relevance, summary
    from xaug.explain.analysis.spread import stability, uncertainty
    from xaug.explain.attribution import Attribution
    from xaug.explain.gradients.api import integrated_gradients
    from xaug.explain.gradients.baselines import Averaged, Blank, Event, Mean
    from xaug.explain.gradients.class_level import class_attribution
    from xaug.explain.gradients.expectation import expected_gradients
    from xaug.explain.gradients.samples import Sample
    from xaug.explain.gradients.smoothing import smooth_gradient
    from xaug.explain.gradients.times_input import gradient_times_input
    from xaug.explain.perturbation.losses import occlusion, permutation
    from xaug.explain.perturbation.shapley import shapley_values
    from xaug.explain.propagation.api import lrp
    from xaug.explain.propagation.compare import compare_engines
    from xaug.explain.propagation.rescaling import rescale

__all__ = [
    "Attribution", "Averaged", "Blank", "Event", "Mean", "Sample", "ablation", "class_attribution", "compare_engines",
    "expected_gradients", "feature_relevance", "gradient_times_input", "integrated_gradients", "likelihood_test",
    "lrp", "occlusion", "permutation", "profile", "profiles", "rank_fractions", "relevance_map", "rescale",
    "score_map", "shapley_values", "smooth_gradient", "stability", "summary", "symmetry_test", "uncertainty",
]  # fmt: skip

# Module of each public name. It is imported when the name is first used, since most need TensorFlow or pandas.
_MODULES = {
    "Attribution": "xaug.explain.attribution",
    "Averaged": "xaug.explain.gradients.baselines",
    "Blank": "xaug.explain.gradients.baselines",
    "Event": "xaug.explain.gradients.baselines",
    "Mean": "xaug.explain.gradients.baselines",
    "Sample": "xaug.explain.gradients.samples",
    "ablation": "xaug.explain.analysis.ablations",
    "class_attribution": "xaug.explain.gradients.class_level",
    "compare_engines": "xaug.explain.propagation.compare",
    "expected_gradients": "xaug.explain.gradients.expectation",
    "feature_relevance": "xaug.explain.analysis.relevance",
    "gradient_times_input": "xaug.explain.gradients.times_input",
    "integrated_gradients": "xaug.explain.gradients.api",
    "likelihood_test": "xaug.explain.analysis.likelihood",
    "lrp": "xaug.explain.propagation.api",
    "occlusion": "xaug.explain.perturbation.losses",
    "permutation": "xaug.explain.perturbation.losses",
    "profile": "xaug.explain.analysis.binned",
    "profiles": "xaug.explain.analysis.binned",
    "rank_fractions": "xaug.explain.analysis.ranks",
    "relevance_map": "xaug.explain.analysis.binned",
    "rescale": "xaug.explain.propagation.rescaling",
    "score_map": "xaug.explain.analysis.binned",
    "shapley_values": "xaug.explain.perturbation.shapley",
    "smooth_gradient": "xaug.explain.gradients.smoothing",
    "stability": "xaug.explain.analysis.spread",
    "summary": "xaug.explain.analysis.relevance",
    "symmetry_test": "xaug.explain.analysis.likelihood",
    "uncertainty": "xaug.explain.analysis.spread",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'xaug.explain' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
