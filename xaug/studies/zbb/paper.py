"""The figures and the AUC values of arXiv:2011.13466, which the Z -> b bbar study adds to a report."""

from __future__ import annotations

from xaug.core.errors import ConfigurationError
from xaug.networks.choice import choose_inputs
from xaug.networks.inputs import Inputs
from xaug.report.stage import ReportExtension
from xaug.report.tables import RunColumn
from xaug.studies.zbb.figures import FIGURES
from xaug.studies.zbb.runs import DISCRIMINANTS
from xaug.training.runs import Run

__all__ = ["PAPER_AUC", "extension", "paper_auc"]

PAPER_AUC = {
    ("mlp", None, "no_flavour"): 0.957,
    ("mlp", None, "all"): 0.976,
    ("cnn2d", None, "none"): 0.932,
    ("cnn2d", None, "all"): 0.984,
    ("cnn1d", None, "five"): 0.994,
    ("cnn1d", None, "all"): 0.995,
    ("rnn", None, "none"): 0.975,
    ("rnn", None, "tau21,n_charged_hadrons"): 0.975,
    ("rnn", "no_displacements", "none"): 0.975,
    ("rnn", "no_displacements", "authors5_rnn"): 0.975,
}
"""Network, columns of its list, its expert variables -> AUC in section 5.3 of the paper; its lifetimes have no floor.
The paper describes a recurrent network of three columns, but its code draws that of 15 columns in figure 25."""
NOT_DRAWN = " (of rnn_15)"
"""Addition to the AUC of the recurrent network that the paper describes, but does not draw."""


def paper_auc(inputs: Inputs) -> float | None:
    """The AUC in the paper of a network with these inputs, None if it quotes none; any five variables are "five"."""
    if inputs.kind != "jets":
        return None
    own = inputs.columns.get("xaug", [])
    for (network, particle_list, xaug), auc in PAPER_AUC.items():
        chosen: str | list[str] = own if (xaug, len(own)) == ("five", 5) else xaug
        if network == inputs.network and chosen != "five" and _reads(inputs, chosen, particle_list):
            return auc
    return None


def _reads(inputs: Inputs, xaug: str | list[str], particle_list: str | None) -> bool:
    """Whether a network reads just this choice of variables; not, if its dataset lacks one or a selection."""
    try:
        return inputs == choose_inputs(inputs.table, inputs.network, xaug, particle_list)
    except ConfigurationError:
        return False


def auc_beside(run: Run) -> str:
    """The AUC in the paper of the network of a run; "" if there is none, or the run was given fewer jets on purpose."""
    auc = paper_auc(run.input_spec) if run.record.max_jets is None else None
    if auc is None:
        return ""
    described = run.input_spec.network == "rnn" and len(run.input_spec.columns["list"]) == 3
    return f"{auc:.3f}{NOT_DRAWN if described else ''}"


def extension() -> ReportExtension:
    """The figures of the paper, its AUC beside ours, and the discriminants that need no training."""
    column = RunColumn("paper_auc", "AUC in the paper", auc_beside)
    return ReportExtension("zbb", FIGURES, [column], discriminants=list(DISCRIMINANTS.values()))
