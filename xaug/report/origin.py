"""The origin of the numbers of a report: commands, seeds, versions, digests, and what to cite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xaug.core import provenance
from xaug.core.types import JsonObject

__all__ = ["CITATIONS", "Origin", "Step", "origin_of"]

CITATIONS = (
    "The xaug developers, xaug: see what a jet or event classifier has learned",
    "G. Agarwal et al., Explainable AI for ML jet taggers using expert variables and layerwise relevance propagation, "
    "arXiv:2011.13466",
    "J. Bardhan et al., Constructing sensible baselines for Integrated Gradients, arXiv:2412.13864",
)
"""The program, and the papers whose methods it follows."""
SHOWN = ("xaug", "python", "tensorflow", "innvestigate", "numpy", "pythia8mc", "fastjet", "coffea")
"""Packages whose versions the page shows; the manifest has all."""


@dataclass(frozen=True)
class Step:
    """A finished command behind a report.

    Attributes
    ----------
    name
        name of its directory
    stage
        what it did: process, train, explain, ...
    command
        the command as a user types it
    seed
        its seed; "" if it has none
    digest
        digest of its content: of a dataset the digest of its data, of all else that of the manifest
    """

    name: str
    stage: str
    command: str
    seed: str
    digest: str


@dataclass(frozen=True)
class Origin:
    """The commands and versions that a report was made with.

    Attributes
    ----------
    command
        the command that writes the report
    steps
        the commands behind it, in the order of their running
    versions
        versions of packages by name
    commit
        the commit of xaug, where it is known
    citations
        what to cite
    """

    command: str
    steps: Sequence[Step]
    versions: Mapping[str, str]
    commit: str
    citations: Sequence[str] = CITATIONS

    @property
    def script(self) -> str:
        """The commands, one on a line; a study that made several directories is there once."""
        return "\n".join(dict.fromkeys([*(step.command for step in self.steps if step.command), self.command]))


def origin_of(directories: Sequence[Path]) -> Origin:
    """Read the manifests of the directories that a report is made of.

    Parameters
    ----------
    directories : sequence of path
        Dataset, runs, attributions, ..., in the order in which they were made.

    Returns
    -------
    Origin
        Their commands, and the versions that are in use now.
    """
    steps = [_step(path, provenance.read(path)) for path in dict.fromkeys(path.resolve() for path in directories)]
    now = provenance.versions()
    shown = {name: now[name] for name in SHOWN if name in now}
    return Origin(provenance.command_line(), steps, shown, provenance.commit() or "")


def _step(path: Path, manifest: JsonObject) -> Step:
    seed = manifest.get("config", {}).get("seed", "")
    digest = manifest.get("digest") or manifest.get("seal") or ""
    return Step(path.name, manifest.get("stage", ""), manifest.get("command", ""), str(seed), str(digest))
