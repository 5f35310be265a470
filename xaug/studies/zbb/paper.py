"""The figures and the AUC values of arXiv:2011.13466, which the Z -> b bbar study adds to a report."""

from __future__ import annotations

from xaug.networks.choice import choose_inputs
from xaug.networks.inputs import Inputs
from xaug.report.stage import ReportExtension
from xaug.report.tables import RunColumn
from xaug.studies.zbb.figures import FIGURES
from xaug.training.runs import Run

__all__ = ["PAPER_AUC", "extension", "paper_auc"]

PAPER_AUC = {
    ("mlp", "no_flavour"): 0.957,
    ("mlp", "all"): 0.976,
    ("cnn2d", "none"): 0.932,
    ("cnn2d", "all"): 0.984,
    ("cnn1d", "five"): 0.994,
    ("cnn1d", "all"): 0.995,
    ("rnn", "none"): 0.975,
    ("rnn", "tau21,n_charged_hadrons"): 0.975,
}
"""Network, its expert variables -> AUC in section 5.3 of the paper; its lifetimes have no floor."""


def paper_auc(inputs: Inputs) -> float | None:
    """The AUC in the paper of a network with these inputs, None if it quotes none; any five variables are "five"."""
    if inputs.kind != "jets":
        return None
    own = inputs.columns.get("xaug", [])
    for (network, xaug), auc in PAPER_AUC.items():
        chosen: str | list[str] = own if (xaug, len(own)) == ("five", 5) else xaug
        if network == inputs.network and chosen != "five" and inputs == choose_inputs(inputs.table, network, chosen):
            return auc
    return None


def auc_beside(run: Run) -> str:
    """The AUC in the paper of the network of a run; "" if there is none, or the run was given fewer jets on purpose."""
    auc = paper_auc(run.input_spec) if run.record.max_jets is None else None
    return "" if auc is None else f"{auc:.3f}"


def extension() -> ReportExtension:
    """The figures of the paper, and its AUC beside ours."""
    return ReportExtension("zbb", FIGURES, [RunColumn("paper_auc", "AUC in the paper", auc_beside)])
