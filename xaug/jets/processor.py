"""The processor of jets: images, particle lists and expert variables of the selected jets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import hist
import numpy as np

from xaug.core.errors import BadValues, InputFileError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.parts import PartSettings, Rows
from xaug.formats.base import FinalState, Format, UnsuitableFile, Wanted
from xaug.formats.processor import Processor, register_processor
from xaug.jets.constituents import make_list
from xaug.jets.conventions import DEFAULT, Conventions
from xaug.jets.images import make_images
from xaug.jets.jets import Jets
from xaug.jets.selection import Selection, select_jets
from xaug.jets.table import JET_LIST, JET_XAUGS

__all__ = ["JetProcessor", "JetSettings"]


@dataclass(frozen=True)
class JetSettings(PartSettings):
    """All settings that decide what a dataset of jets holds, beside its input."""

    kind: str = "jets"
    selection: Selection = field(default_factory=Selection)
    conventions: Conventions = DEFAULT

    def check(self, path: str, metadata: JsonObject) -> None:
        """Refuse files of `xaug.generate zbb` that were generated without the neutrinos that are to be clustered."""
        if self.conventions.neutrinos and metadata.get("sample") == "zbb" and not metadata.get("neutrinos"):
            raise InputFileError(path, "was generated without neutrinos; generate with --options paper-literal")

    @property
    def config(self) -> JsonObject:
        """The settings as plain data; of the conventions, only those that are not the default."""
        settings = super().config
        del settings["conventions"]
        return settings | ({"conventions": self.conventions.changes} if self.conventions.changes else {})


def jet_columns(jets: Jets) -> Arrays:
    """The blocks "image", "list", "mask" and "xaug" of selected jets, float32, with the columns of the table."""
    lists, mask = make_list(jets, [variable.function for variable in JET_LIST])
    xaugs = [variable.function(jets) for variable in JET_XAUGS]
    return {
        "image": make_images(jets),
        "list": lists,
        "mask": mask,
        "xaug": np.stack(xaugs, axis=1).astype(np.float32).reshape(len(jets), len(xaugs)),
    }


class JetProcessor(Processor[JetSettings, FinalState]):
    """Cluster, groom, select and describe the jets of a chunk."""

    row = "jet"
    needs = "a jet that passes the pT cut"
    control = {  # noqa: RUF012 (declared a class variable by the base class)
        "pt": hist.axis.Regular(50, 0, 1000, label=r"leading jet $p_T$ [GeV]"),
        "eta": hist.axis.Regular(48, -2.4, 2.4, label=r"jet $\eta$"),
        "softdrop_mass": hist.axis.Regular(50, 0, 250, label=r"$m_\mathrm{SD}$ [GeV]"),
        "n_constituents": hist.axis.Regular(50, 0, 200, label="constituents"),
    }
    weighted = False

    @classmethod
    def default_settings(cls, kind: str) -> JetSettings:
        """The selection of arXiv:2011.13466, and the conventions of xaug."""
        return JetSettings(kind=kind)

    def wanted(self, label: int) -> Wanted:
        """The partons of signal, to match its b quarks; the status where a convention asks for it."""
        status = () if self.settings.conventions.status is None else ("status",)
        return Wanted(columns=status, partons=label == 1)

    def columns(self, source: Format, label: int) -> Collection[str]:
        """Columns of particles and, for signal, of partons."""
        wanted = self.wanted(label)
        try:
            return source.particle_columns(wanted)
        except UnsuitableFile as error:
            if not wanted.columns:
                raise
            source.particle_columns(replace(wanted, columns=()))  # fails for its own reason, if it is not the status
            raise UnsuitableFile(f"{error}{self._without_status()}") from None

    def remedy(self, source: Format, label: int, column: str) -> str:
        """The convention that needs the status of particles, and the way to do without."""
        plain = source.particle_columns(replace(self.wanted(label), columns=()))
        return "" if column in plain else self._without_status()

    def _without_status(self) -> str:
        status = self.settings.conventions.status
        return (
            f": the convention status = {status} (part of --options paper-literal) describes jets by those of their "
            "particles that have this status in Pythia. Give files that store it, as those of xaug.generate zbb, or "
            "add --convention status=any"
        )

    def read(self, source: Format, chunk: Any, label: int, first: int) -> FinalState:
        """Read particles and, for signal, partons; refuse particles of which none has the status that is described."""
        found = source.read_particles(chunk, self.wanted(label), first)
        status = self.settings.conventions.status
        if status is not None and len(found.particles["pt"]) and not (found.particles["status"] == status).any():
            raise BadValues(f"no particle of its events from {first} on has status {status}{self._without_status()}")
        return found

    def rows(self, content: FinalState, weights: Array, ids: Array) -> Rows:
        """Images, lists and expert variables of the selected jets; control histograms are not weighted."""
        jets, cut_flow = select_jets(content, self.settings.selection, conventions=self.settings.conventions)
        control = {
            "pt": jets.pt,
            "eta": jets.eta,
            "softdrop_mass": jets.softdrop_mass,
            "n_constituents": np.bincount(jets.jet_index, minlength=len(jets)),
        }
        return Rows(jets.event, weights[jets.event], jet_columns(jets), control, None, cut_flow)


register_processor("jets", JetProcessor)
