"""THE table of figures: what each figure of the two papers shows, what it needs, and what draws it.

Those of toy jets and jets are of arXiv:2011.13466, those of events of J. Bardhan et al., Constructing sensible
baselines for Integrated Gradients.

Adding a figure is adding one entry here and one function that takes what it is drawn of and the stem of its
files, and returns a `Figure`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from xaug.core.errors import unknown_name
from xaug.jets.table import JET_XAUGS
from xaug.report import baselines, explanations, performance, samples
from xaug.report.material import Explained, Material

__all__ = ["CATALOGUE", "Entry", "chosen_entries", "requirements", "stem_of", "subjects"]


@dataclass(frozen=True)
class Entry:
    """A figure.

    Attributes
    ----------
    key
        its number in the paper, or a name for those that the paper does not have
    name
        of its files; those of single runs have the run's name appended
    kind
        of dataset; None: any
    shows
        in a line
    of
        "dataset"; "runs": all in one figure; "samples": runs by sample size, in one figure; "run": each;
        "explained": runs with attributions; "spread": such a run beside those on smaller samples;
        "baselines": all attributions by Integrated Gradients in one figure; "baseline": those with one `baseline`;
        "topk": curves of k best features; "ablation": of a network without its first features
    draw
        of the subject and the stem
    networks
        of explained runs: the figure is drawn for the first of these that there is, and of its runs for the one
        with the most expert variables
    every
        draw it for all runs of `networks` instead
    needs
        blocks and variables that must be among the inputs
    baseline
        as `xaug.explain --baseline` names it
    """

    key: str
    name: str
    kind: str | None
    shows: str
    of: str
    draw: Callable
    networks: tuple[str, ...] = ()
    every: bool = False
    needs: tuple[str, ...] = ()
    baseline: str = ""


ANY_NETWORK = ("cnn2d", "cnn1d", "rnn", "mlp")
FIG3 = ("z", "theta", "z1", "delta_alpha1", "r1", "delta_beta1")
FIG8 = ("pt", "mass", "softdrop_mass", "tau21", "n_charged_hadrons", "dxy_max")


def _explained(kind: str, key: str, name: str, shows: str, draw: Callable, networks=ANY_NETWORK, **options) -> Entry:
    return Entry(key, name, kind, shows, "explained", draw, networks, **{"needs": ("xaug",), **options})


_toy, _jets = partial(_explained, "toy"), partial(_explained, "jets")


def _map(x: str, y: str, **options) -> Callable:
    return partial(explanations.maps, x=x, y=y, **options)


LIST_FIRST = ("cnn1d", "cnn2d", "rnn", "mlp")
"""Figures 20-22 of the paper are of its 1D CNN."""
PAGES = -(-len(JET_XAUGS) // explanations.PAGE)

CATALOGUE = (
    Entry("3", "fig03_distributions", "toy", "Distributions of the toy model", "dataset",
          partial(samples.distributions, names=FIG3)),
    Entry("4", "fig04_images", "toy", "Mean images of the toy model", "dataset", samples.mean_images),
    Entry("8", "fig08_distributions", "jets", "Distributions of jet variables", "dataset",
          partial(samples.distributions, names=FIG8)),
    Entry("9", "fig09_images", "jets", "Mean jet images", "dataset", samples.mean_images),
    _toy("10", "fig10_heatmaps", "Single toy jets and the relevance of their pixels, 2D CNN",
         explanations.heatmaps, ("cnn2d",), every=True, needs=("image",)),
    _toy("11", "fig11_trainings", "Mean relevance of each feature, four trainings side by side, 2D CNN",
         explanations.trainings),
    _toy("12", "fig12_ranks", "Per cent of the jets in which a feature has rank 1, 2, ..., four trainings, 2D CNN",
         explanations.ranks),
    _toy("13", "fig13_score_map", "Score over z and theta, four trainings, 2D CNN",
         _map("z", "theta", of="score", side_by_side=True), needs=("z", "theta")),
    _toy("14", "fig14_relevance_map", "Relevance over z and theta, four trainings, 2D CNN",
         _map("z", "theta", side_by_side=True), needs=("z", "theta")),
    _toy("15", "fig15_profiles", "Distributions and relevance profiles of z and theta, 2D CNN",
         partial(explanations.relevance_profiles, names=("z", "theta")), needs=("z", "theta")),
    _toy("16", "fig16_relevance", "Mean relevance of each feature, 1D CNN and RNN",
         explanations.relevance, ("cnn1d", "rnn"), every=True),
    _toy("17", "fig17_relevance_map", "Relevance over z and theta, mean over trainings, 1D CNN and RNN",
         _map("z", "theta"), ("cnn1d", "rnn"), every=True, needs=("z", "theta")),
    _jets("18", "fig18_profiles", "Distributions and relevance profiles of the six most relevant variables, 2D CNN",
          partial(explanations.relevance_profiles, names=())),
    _jets("19", "fig19_heatmaps", "Single jets and the relevance of their pixels, 2D CNN",
          explanations.heatmaps, ("cnn2d",), every=True, needs=("image",)),
    _jets("20", "fig20_relevance_map", "Relevance over Delta R and z of the subjets, 1D CNN",
          _map("z", "delta_r_subjets"), LIST_FIRST, needs=("z", "delta_r_subjets")),
    _jets("21", "fig21_relevance_map", "Relevance over groomed mass and groomed tau_3, 1D CNN",
          _map("softdrop_mass", "tau3_sd_b10"), LIST_FIRST, needs=("softdrop_mass", "tau3_sd_b10")),
    _jets("22", "fig22_relevance_map", "Relevance over groomed and ungroomed mass, 1D CNN",
          _map("softdrop_mass", "mass"), LIST_FIRST, needs=("softdrop_mass", "mass")),
    _jets("23", "fig23_relevance", "Mean relevance of each feature, 2D CNN",
          explanations.relevance, ("cnn2d",), every=True),
    _jets("24", "fig24_relevance", "Mean relevance of each feature, 1D CNN",
          explanations.relevance, ("cnn1d",), every=True),
    Entry("25", "fig25_roc", "jets", "ROC curves of all networks", "runs", performance.rocs),
    *(
        _jets(str(26 + page), f"fig{26 + page}_profiles",
              f"Distributions and relevance profiles of all variables, 2D CNN, page {page + 1}",
              partial(explanations.relevance_profiles, page=page))
        for page in range(PAGES)
    ),
    Entry("roc", "roc", "toy", "ROC curves of all networks", "runs", performance.rocs),
    Entry("relevance", "relevance", "toy", "Mean relevance of each feature, other networks",
          "explained", explanations.relevance, ("mlp",), every=True, needs=("xaug",)),
    Entry("relevance", "relevance", "jets", "Mean relevance of each feature, other networks",
          "explained", explanations.relevance, ("rnn", "mlp"), every=True, needs=("xaug",)),
    Entry("1", "fig01_features", "events", "The 55 features of largest attribution, for each baseline",
          "baselines", baselines.features),
    Entry("2", "fig02_topk", "events", "Accuracy, AUC and significance against the number of features",
          "topk", baselines.topk_curves),
    *(
        Entry(key, f"fig0{key}_features", "events", f"The 20 features of largest attribution, {name} baseline",
              "baseline", baselines.top_features, baseline=name)
        for key, name in (("3", "blank"), ("4", "background"), ("5", "weighted"))
    ),
    Entry("ablation", "ablation", "events", "Accuracy and AUC without the first features, not trained again",
          "ablation", baselines.ablation_curves),
    Entry("agreement", "agreement", "events", "Agreement of the rankings of the baselines",
          "baselines", baselines.agreement),
    Entry("roc", "roc", "events", "ROC curves of all networks", "runs", performance.rocs),
    Entry("uncertainty", "uncertainty", None, "Spread over trainings of relevances and scores, stable ranks",
          "spread", explanations.spread, needs=("xaug",)),
    Entry("learning_curve", "learning_curve", None, "AUC against the size of the training sample",
          "samples", performance.learning_curve),
    Entry("history", "history", None, "Loss by epoch", "run", performance.histories),
)  # fmt: skip


def chosen_entries(kind: str, keys: Iterable[str] | None = None) -> list[Entry]:
    """The figures for a kind of dataset, in the order of the table; those with the given keys, if any are given."""
    # events with the missing momentum among the objects are events
    entries = [entry for entry in CATALOGUE if entry.kind in (kind.removesuffix("_met"), None)]
    if keys is None:
        return entries
    wanted = set(keys)
    known = list(dict.fromkeys(entry.key for entry in entries))
    for key in sorted(wanted):
        if key not in known:
            raise unknown_name(f"figure of {kind}", key, known)
    return [entry for entry in entries if entry.key in wanted]


def subjects(entry: Entry, material: Material) -> list:
    """What there is to draw the figure of; empty if the runs and attributions at hand do not allow it."""
    if entry.of == "dataset":
        return [material.data]
    if entry.of == "runs":
        return [material.runs]
    if entry.of == "run":
        return material.runs
    if entry.of == "samples":
        return [material.samples] if material.samples else []
    if entry.of == "topk":
        return [material.topk] if material.topk else []
    if entry.of == "ablation":
        return [material.ablation] if material.ablation else []
    if entry.of == "baselines":
        several = [explained for explained in material.explained if explained.baseline]
        return [several] if len(several) > 1 else []
    if entry.of == "baseline":
        return [explained for explained in material.explained if explained.baseline == entry.baseline]
    able = [explained for explained in material.explained if _has(explained, entry.needs)]
    if entry.of == "spread":
        several = [material.same_network(explained) for explained in able if len(explained.run) > 1]
        return [[explained for explained in group if len(explained.run) > 1] for group in several]
    if entry.every:
        return [explained for explained in able if explained.run.input_spec.network in entry.networks]
    for network in entry.networks:
        own = [explained for explained in able if explained.run.input_spec.network == network]
        if own:
            return [max(own, key=lambda explained: len(explained.xaugs))]
    return []


def _has(explained: Explained, needs: tuple[str, ...]) -> bool:
    inputs = explained.run.input_spec.columns
    return all(name in inputs or name in explained.xaugs for name in needs)


def stem_of(entry: Entry, subject, output: Path) -> Path:
    """Where a figure of a subject goes."""
    if entry.of in ("run", "explained"):
        return output / f"{entry.name}_{subject.name}"
    if entry.of == "spread":
        return output / f"{entry.name}_{subject[0].name}"
    return output / entry.name


def requirements(entry: Entry) -> str:
    """What a figure must be given, in words."""
    if entry.of == "samples":
        return "runs of one network on several sample sizes (xaug.train --max-jets)"
    if entry.of == "spread":
        return "attributions of at least two trainings of a network with expert variables"
    if entry.of == "explained":
        names = f" with {', '.join(entry.needs)}" if entry.needs else ""
        return f"attributions of a run of {' or '.join(entry.networks)}{names}"
    of_ig = "attributions of a run by Integrated Gradients with"
    return {
        "dataset": "a dataset",
        "runs": "runs",
        "run": "runs",
        "topk": "the output of xaug.topk (--topk)",
        "ablation": "the output of xaug.explain.analysis.ablations (--ablation)",
        "baselines": f"{of_ig} at least two baselines",
        "baseline": f"{of_ig} --baseline {entry.baseline}",
    }[entry.of]
