"""The input variables of jets: images, particle lists and expert variables (XAUGs).

A new expert variable is one row here and one function in `xaug.jets.observables`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xaug.data.variables import PADDING, Variable, register
from xaug.jets import constituents as particles
from xaug.jets import observables
from xaug.jets.images import make_images

__all__ = ["JET_IMAGE", "JET_LIST", "JET_XAUGS"]

KIND = "jets"
"""Kind of dataset that these variables are of."""
IMAGE_PIXELS = (16, 16)
"""Pixels of a jet image in phi and eta."""
XAUG_LRP = "arXiv:2011.13466"


def _tau_rows() -> list[Variable]:
    exponents = {0.5: "b05", 1.0: "b10", 2.0: "b20"}
    rows = []
    for groomed in (False, True):
        for axes in (1, 2, 3):
            for beta, suffix in exponents.items():
                name = f"tau{axes}_sd_{suffix}" if groomed else f"tau{axes}_{suffix}"
                mark = r",\mathrm{SD}" if groomed else ""
                label = rf"$\tau_{{{axes}{mark}}}^{{({beta:g})}}$"
                compute = observables.tau(axes, beta, groomed)
                rows.append(Variable(name, label, "", "substructure", "JHEP 03 (2011) 015", compute))
    return rows


def _multiplicity(name: str, label: str, kind: str) -> Variable:
    return Variable(name, label, "", "flavour", f"{XAUG_LRP} sec. 4.1", observables.multiplicity(kind), needs=("id",))


def _kinematic(name: str, label: str, unit: str, compute: Callable[..., Any]) -> Variable:
    return Variable(name, label, unit, "kinematic", f"{XAUG_LRP} sec. 4.1", compute)


def _substructure(name: str, label: str, reference: str, compute: Callable[..., Any], unit: str = "") -> Variable:
    return Variable(name, label, unit, "substructure", reference, compute)


def _displacement(name: str, label: str, compute: Callable[..., Any], *needs: str) -> Variable:
    return Variable(name, label, "", "flavour", f"{XAUG_LRP} sec. 4.1", compute, needs=("charge", "dxy", *needs))


def _column(name: str, label: str, compute: Callable[..., Any], *needs: str) -> Variable:
    return Variable(name, label, "", "list", f"{XAUG_LRP} table 2", compute, PADDING, needs=needs)


JET_XAUGS = (
    _kinematic("pt", r"$p_T$", "GeV", observables.pt),
    _kinematic("eta", r"$\eta$", "", observables.eta),
    Variable("phi", r"$\phi$", "", "kinematic", f"{XAUG_LRP} sec. 4.1", observables.phi, needs=("phi",)),
    _kinematic("mass", r"$m$", "GeV", observables.mass),
    _kinematic("softdrop_mass", r"$m_\mathrm{SD}$", "GeV", observables.softdrop_mass),
    _kinematic("delta_r_subjets", r"$\Delta R_\mathrm{subjets}$", "", observables.delta_r_subjets),
    _kinematic("z", r"$z$", "", observables.z),
    *_tau_rows(),
    _substructure("beta3", r"$\beta_3$", "PRD 100 (2019) 095016", observables.beta3),
    _substructure("beta3_sd", r"$\beta_{3,\mathrm{SD}}$", "PRD 100 (2019) 095016", observables.beta3_sd),
    _substructure("tau21", r"$\tau_{21}$", "JHEP 03 (2011) 015", observables.tau21),
    _substructure("pull_angle", r"$|\phi_\mathrm{pull}|$", "PRL 105 (2010) 022001", observables.pull_angle, "rad"),
    _multiplicity("n_charged_hadrons", r"$N_\mathrm{ch.had.}$", "is_charged_hadron"),
    _multiplicity("n_neutral_hadrons", r"$N_\mathrm{neut.had.}$", "is_neutral_hadron"),
    _multiplicity("n_photons", r"$N_\gamma$", "is_photon"),
    _multiplicity("n_electrons", r"$N_e$", "is_electron"),
    _multiplicity("n_muons", r"$N_\mu$", "is_muon"),
    _displacement("dxy_max", r"$\ln(d_{xy,\max}/\mathrm{mm})$", observables.dxy_max),
    _displacement("dz_max", r"$\ln(d_{z,\max}/\mathrm{mm})$", observables.dz_max, "dz"),
)

JET_LIST = (
    _column("log_pt", r"$\ln(p_T/\mathrm{GeV})$", particles.log_pt),
    _column("log_pt_rel", r"$\ln(p_T/p_T^\mathrm{jet})$", particles.log_pt_rel),
    _column("log_energy", r"$\ln(E/\mathrm{GeV})$", particles.log_energy),
    _column("abs_eta", r"$|\eta|$", particles.abs_eta),
    _column("delta_phi", r"$\Delta\phi(\mathrm{jet})$", particles.delta_phi_jet),
    _column("delta_eta", r"$\Delta\eta(\mathrm{jet})$", particles.delta_eta_jet),
    _column("delta_r", r"$\Delta R(\mathrm{jet})$", particles.delta_r_jet),
    _column("delta_r_subjet1", r"$\Delta R(\mathrm{subjet}_1)$", particles.delta_r_subjet(0)),
    _column("delta_r_subjet2", r"$\Delta R(\mathrm{subjet}_2)$", particles.delta_r_subjet(1)),
    _column("charge", r"$q/e$", particles.charge_column, "charge"),
    _column("is_muon", r"is $\mu$", particles.is_kind("is_muon"), "id"),
    _column("is_electron", r"is $e$", particles.is_kind("is_electron"), "id"),
    _column("is_photon", r"is $\gamma$", particles.is_kind("is_photon"), "id"),
    _column("is_charged_hadron", "is charged hadron", particles.is_kind("is_charged_hadron"), "id"),
    _column("is_neutral_hadron", "is neutral hadron", particles.is_kind("is_neutral_hadron"), "id"),
    _column("dxy", r"$\ln(d_{xy}/\mathrm{mm})$", particles.dxy, "dxy"),
    _column("dz", r"$\ln(|d_z|/\mathrm{mm})$", particles.dz, "dz"),
)

JET_IMAGE = (Variable("image", r"$p_T/p_T^\mathrm{jet}$", "", "image", f"{XAUG_LRP} sec. 4.4", make_images),)

register(KIND, "image", JET_IMAGE, shape=IMAGE_PIXELS)
register(
    KIND,
    "list",
    JET_LIST,
    shape=(particles.LIST_LENGTH,),
    selections={
        "four_momentum": (
            "log_pt", "log_pt_rel", "log_energy", "abs_eta", "delta_phi", "delta_eta", "delta_r", "delta_r_subjet1",
            "delta_r_subjet2",
        ),
        "displacements": ("dxy", "dz"),
        # the 15 columns of the recurrent network of figure 25 of arXiv:2011.13466
        "no_displacements": tuple(variable.name for variable in JET_LIST if variable.name not in ("dxy", "dz")),
    },
)  # fmt: skip
register(
    KIND,
    "xaug",
    JET_XAUGS,
    selections={
        "no_flavour": tuple(variable.name for variable in JET_XAUGS if variable.group != "flavour"),
        # the five that the authors of arXiv:2011.13466 add in their "+5" networks
        "authors5": ("dz_max", "dxy_max", "softdrop_mass", "tau2_sd_b05", "tau3_b10"),
        # the five that join the recurrent network of figure 25 there
        "authors5_rnn": ("softdrop_mass", "delta_r_subjets", "tau3_b05", "tau3_sd_b05", "tau3_b10"),
        "displacements": ("dxy_max", "dz_max"),
    },
)
