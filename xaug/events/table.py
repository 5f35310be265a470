"""The input variables of events (arXiv:2412.13864, appendix B).

To add a feature, write one row here and one function in `xaug.events.observables`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from xaug.data.variables import Variable, register
from xaug.events import observables
from xaug.events.objects import HADRONIC, OBJECTS, TAU_BETAS

__all__ = ["EVENT_FEATURES", "EVENT_FEATURES_MET"]

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

    def row(name: str, label: str, unit: str, compute: Callable[..., Any]) -> Variable:
        return Variable(name, f"${label}$", unit, "event", IG_BASELINES, compute)

    def together(prefix: str, names: tuple[str, ...], symbol: str, unit: str, compute: Callable[..., Any]) -> Variable:
        index = " ".join(SYMBOLS[name] for name in names)
        return row("_".join((prefix, *names)), f"{symbol}_{{{index}}}", unit, compute(*names))

    transverse = [
        row(f"pt_{name}", rf"p_T^{{{SYMBOLS[name]}}}", "GeV", observables.pt(name)) for name in ("lep", *HADRONIC)
    ]
    taus = [
        row(f"tau{n}{n - 1}_b{round(10 * beta)}", rf"\tau_{{{n}{n - 1}}}^{{({beta:g})}}", "", observables.tau(n, beta))
        for n in (2, 3)
        for beta in TAU_BETAS
    ]
    masses = [(name,) for name in HADRONIC] + [*combinations(objects, 2), *combinations(objects, 3)]
    return (
        row("ht", "H_T", "GeV", observables.ht),
        row("met", r"p_T^\mathrm{miss}", "GeV", observables.pt("met")),
        *transverse,
        *taus,
        *(together("delta_r", pair, r"\Delta R", "", observables.delta_r) for pair in combinations(objects, 2)),
        *(together("mass", names, "m", "GeV", observables.invariant_mass) for names in masses),
        *(
            row(f"{which}_{name}", f"{symbol}_{{{SYMBOLS[name]}}}", "", observables.moment(which, name))
            for which, symbol in MOMENT_LABELS.items()
            for name in HADRONIC
        ),
    )


EVENT_FEATURES = _event_rows(OBJECTS[:-1])
EVENT_FEATURES_MET = _event_rows(OBJECTS)
"""Features of events in which the missing momentum is a seventh object of the pairs and triples."""

register("events", "event", EVENT_FEATURES)
register("events_met", "event", EVENT_FEATURES_MET)
