"""THE table of input variables: processor, scaler, networks, plots and report read this and nothing else.

Adding an expert variable is adding one row here and one function in `xaug.jets.observables` (of jets) or
`xaug.events.observables` (of events).

A *kind* of dataset has *blocks* of inputs: "jets" and "toy" have "image" (pixels), "list" (columns of the particle
list) and "xaug" (one number a jet); "events" have "event" (one number an event), and "events_met" the same with
the missing momentum as a seventh object. Names, order and labels of each block are those of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from xaug.core.errors import unknown_name
from xaug.events import observables as kinematics
from xaug.jets import constituents as particles
from xaug.jets import observables

__all__ = [
    "GROUPS", "IMAGE_SHAPE", "LIST_LENGTH", "SELECTIONS", "TABLES", "Variable",
    "block_shape", "fields", "is_padded", "labels", "names", "rows", "select",
]  # fmt: skip

GROUPS = ("kinematic", "substructure", "flavour", "image", "list", "event")

XAUG_LRP = "arXiv:2011.13466"
PADDING = 0.0
"""Padded particles are 0 in every column, before and after scaling; the mask tells them apart."""


@dataclass(frozen=True)
class Variable:
    """One row: a variable of one block."""

    name: str
    label: str  # LaTeX, without the unit
    unit: str  # "" if dimensionless
    group: str  # one of GROUPS
    reference: str
    compute: Callable | None = None  # of Jets for XAUGs, Constituents for list columns, EventObjects for events
    padding: float | None = None  # value where there is no particle; None where that cannot be

    @property
    def axis_label(self) -> str:
        """Label with unit, as it stands at an axis."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


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
    return Variable(name, label, "", "flavour", f"{XAUG_LRP} sec. 4.1", observables.multiplicity(kind))


def _kinematic(name: str, label: str, unit: str, compute: Callable) -> Variable:
    return Variable(name, label, unit, "kinematic", f"{XAUG_LRP} sec. 4.1", compute)


def _substructure(name: str, label: str, reference: str, compute: Callable, unit: str = "") -> Variable:
    return Variable(name, label, unit, "substructure", reference, compute)


def _column(name: str, label: str, compute: Callable) -> Variable:
    return Variable(name, label, "", "list", f"{XAUG_LRP} table 2", compute, PADDING)


JET_XAUGS = (
    _kinematic("pt", r"$p_T$", "GeV", observables.pt),
    _kinematic("eta", r"$\eta$", "", observables.eta),
    _kinematic("phi", r"$\phi$", "", observables.phi),
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
    Variable("dxy_max", r"$\ln(d_{xy,\max}/\mathrm{mm})$", "", "flavour", f"{XAUG_LRP} sec. 4.1", observables.dxy_max),
    Variable("dz_max", r"$\ln(d_{z,\max}/\mathrm{mm})$", "", "flavour", f"{XAUG_LRP} sec. 4.1", observables.dz_max),
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
    _column("charge", r"$q/e$", particles.charge_column),
    _column("is_muon", r"is $\mu$", particles.is_kind("is_muon")),
    _column("is_electron", r"is $e$", particles.is_kind("is_electron")),
    _column("is_photon", r"is $\gamma$", particles.is_kind("is_photon")),
    _column("is_charged_hadron", "is charged hadron", particles.is_kind("is_charged_hadron")),
    _column("is_neutral_hadron", "is neutral hadron", particles.is_kind("is_neutral_hadron")),
    _column("dxy", r"$\ln(d_{xy}/\mathrm{mm})$", particles.dxy),
    _column("dz", r"$\ln(|d_z|/\mathrm{mm})$", particles.dz),
)

JET_IMAGE = (Variable("image", r"$p_T/p_T^\mathrm{jet}$", "", "image", f"{XAUG_LRP} sec. 4.4"),)


def _toy(name: str, label: str, unit: str, group: str) -> Variable:
    return Variable(name, label, unit, group, f"{XAUG_LRP} sec. 3")  # drawn, not computed


TOY_XAUGS = (
    _toy("theta", r"$\theta$", "", "kinematic"),
    _toy("z", r"$z$", "", "kinematic"),
    _toy("r1", r"$r_1$", "", "substructure"),
    _toy("r2", r"$r_2$", "", "substructure"),
)
"""All that tells toy jets apart; lengths are in units of the image's side."""

TOY_LIST = (
    _toy("z1", r"$z_1$", "", "list"),
    _toy("z2", r"$z_2$", "", "list"),
    _toy("delta_alpha1", r"$\delta\alpha_1$", "", "list"),
    _toy("delta_alpha2", r"$\delta\alpha_2$", "", "list"),
    _toy("delta_beta1", r"$\delta\beta_1$", "rad", "list"),
    _toy("delta_beta2", r"$\delta\beta_2$", "rad", "list"),
)
"""Of the ten particles of each subjet: always ten, so that there is no padding."""

TOY_IMAGE = (_toy("image", r"$p_T/p_T^\mathrm{jet}$", "", "image"),)

IG_BASELINES = "arXiv:2412.13864 app. B"
SYMBOLS = {"lep": r"\ell", "met": r"\mathrm{miss}", **{name: name for name in ("j1", "j2", "j3", "b")}, "fat": "J"}
"""Object of an event -> how it is written in LaTeX."""
MOMENT_LABELS = {
    "girth": "g",
    "girth_var": r"\mathrm{Var}",
    "girth_skew": r"\mathrm{Skew}",
    "girth_kurt": r"\mathrm{Kurt}",
}


def _event_rows(objects: tuple[str, ...]) -> tuple[Variable, ...]:
    """The features of events with these objects: pairs and triples of all of them."""

    def row(name: str, label: str, unit: str, compute: Callable) -> Variable:
        return Variable(name, f"${label}$", unit, "event", IG_BASELINES, compute)

    def together(prefix: str, names: tuple[str, ...], symbol: str, unit: str, compute: Callable) -> Variable:
        index = " ".join(SYMBOLS[name] for name in names)
        return row("_".join((prefix, *names)), f"{symbol}_{{{index}}}", unit, compute(*names))

    hadronic = kinematics.HADRONIC
    transverse = [
        row(f"pt_{name}", rf"p_T^{{{SYMBOLS[name]}}}", "GeV", kinematics.pt(name)) for name in ("lep", *hadronic)
    ]
    taus = [
        row(f"tau{n}{n - 1}_b{round(10 * beta)}", rf"\tau_{{{n}{n - 1}}}^{{({beta:g})}}", "", kinematics.tau(n, beta))
        for n in (2, 3)
        for beta in kinematics.TAU_BETAS
    ]
    masses = [(name,) for name in hadronic] + [*combinations(objects, 2), *combinations(objects, 3)]
    return (
        row("ht", "H_T", "GeV", kinematics.ht),
        row("met", r"p_T^\mathrm{miss}", "GeV", kinematics.pt("met")),
        *transverse,
        *taus,
        *(together("delta_r", pair, r"\Delta R", "", kinematics.delta_r) for pair in combinations(objects, 2)),
        *(together("mass", names, "m", "GeV", kinematics.invariant_mass) for names in masses),
        *(
            row(f"{which}_{name}", f"{symbol}_{{{SYMBOLS[name]}}}", "", kinematics.moment(which, name))
            for which, symbol in MOMENT_LABELS.items()
            for name in hadronic
        ),
    )


EVENT_FEATURES = _event_rows(kinematics.OBJECTS[:-1])
EVENT_FEATURES_MET = _event_rows(kinematics.OBJECTS)
"""The same with the missing momentum as a seventh object."""

TABLES: dict[str, dict[str, tuple[Variable, ...]]] = {
    "jets": {"image": JET_IMAGE, "list": JET_LIST, "xaug": JET_XAUGS},
    "toy": {"image": TOY_IMAGE, "list": TOY_LIST, "xaug": TOY_XAUGS},
    "events": {"event": EVENT_FEATURES},
    "events_met": {"event": EVENT_FEATURES_MET},
}

LIST_LENGTH = {"jets": particles.LIST_LENGTH, "toy": 10}
"""Rows of the particle list of a kind of dataset."""
IMAGE_SHAPE = (16, 16, 1)

SELECTIONS = {
    ("jets", "xaug"): {
        "no_flavour": tuple(row.name for row in JET_XAUGS if row.group != "flavour"),
        # the five that the authors of arXiv:2011.13466 add in their "+5" networks
        "authors5": ("dz_max", "dxy_max", "softdrop_mass", "tau2_sd_b05", "tau3_b10"),
    },
    ("jets", "list"): {
        "four_momentum": tuple(row.name for row in JET_LIST[: [row.name for row in JET_LIST].index("charge")]),
    },
}
"""Named choices of variables of a block, beside "all" and "none"."""


def rows(kind: str, block: str) -> tuple[Variable, ...]:
    """The rows of one block of a kind of dataset, in column order."""
    if kind not in TABLES:
        raise unknown_name("kind of dataset", kind, TABLES)
    if block not in TABLES[kind]:
        raise unknown_name(f"block of {kind}", block, TABLES[kind])
    return TABLES[kind][block]


def names(kind: str, block: str) -> list[str]:
    """Column names of a block, in order."""
    return [variable.name for variable in rows(kind, block)]


def block_shape(kind: str, block: str, columns: int) -> tuple[int, ...]:
    """Shape of so many columns of a block, without the event axis."""
    if block == "image":
        return IMAGE_SHAPE
    return (LIST_LENGTH[kind], columns) if block == "list" else (columns,)


def is_padded(kind: str) -> bool:
    """Whether lists of this kind can be shorter than their length, so that a mask goes with them."""
    return any(variable.padding is not None for variable in TABLES[kind].get("list", ()))


def fields(kind: str, blocks: Iterable[str]) -> list[str]:
    """The fields of a dataset that some blocks are read with: themselves, and the mask of a padded list."""
    blocks = list(blocks)
    return [*blocks, *(["mask"] if "list" in blocks and is_padded(kind) else [])]


def labels(kind: str) -> dict[str, Variable]:
    """All variables of a kind by name, for plots and tables."""
    return {variable.name: variable for block in TABLES[kind].values() for variable in block}


def select(kind: str, block: str, choice: str | Iterable[str]) -> list[str]:
    """Names of the variables that a choice means, in the order of the table.

    Parameters
    ----------
    choice
        names of variables, "all", "none" or names in SELECTIONS, together (a list, or separated by commas)

    Raises
    ------
    ConfigurationError
        if a name is unknown; the message suggests the nearest
    """
    known = names(kind, block)
    named = {"all": known, "none": (), **SELECTIONS.get((kind, block), {})}
    if isinstance(choice, str):
        choice = [name.strip() for name in choice.split(",") if name.strip()]
    chosen = {name for part in choice for name in named.get(part, [part])}
    for name in sorted(chosen):
        if name not in known:
            raise unknown_name(f"{block} variable", name, [*named, *known])
    return [name for name in known if name in chosen]
