"""The line above each figure of a report that says what its events are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xaug.data.dataset import Dataset
from xaug.plots.figures import chosen_label, labelled
from xaug.report.words import listed

__all__ = ["labelled_sample", "sample_label"]

OWN_FORMAT = "xaug_tree"
"""Format of the files of xaug's generator, which hold the card that they were made with."""


def sample_label(data: Dataset) -> str:
    """Processes, energy, generator, selection, and that it is a simulation, as far as the dataset knows them.

    Parameters
    ----------
    data : Dataset
        The dataset of a report.
    """
    config = data.manifest.get("config", {})
    if data.kind == "toy":
        return f"xaug toy model, overlap {config.get('overlap', 'unknown')}; simulation, no detector"
    inputs = data.manifest.get("inputs", [])
    files = inputs if isinstance(inputs, list) else []
    own = bool(files) and all(file.get("format") == OWN_FORMAT for file in files)
    parts = [_processes(data), _generated(files) if own else "", _selection(config.get("selection", {}))]
    parts.append(_detector(config) if own else "sample of the user")
    return "; ".join(part for part in parts if part)


@contextmanager
def labelled_sample(data: Dataset, label: str | None = None) -> Iterator[str | None]:
    """Write above every figure that is saved within the block what its events are.

    Parameters
    ----------
    data : Dataset
        The dataset of the figures.
    label : str, optional
        Text of the user. Default: that of an enclosing `labelled`, or else `sample_label`.

    Yields
    ------
    str or None
        The text of the user, if there is one.
    """
    own = chosen_label() if label is None else label
    with labelled(sample_label(data) if own is None else own):
        yield own


def _generated(files: Sequence[Mapping[str, Any]]) -> str:
    """Beams, energies and generator of files of xaug's generator; what their cards do not tell is left out."""
    beams = list(dict.fromkeys(str(file.get("beams", "")) for file in files))
    return ", ".join([*([listed(beams)] if all(beams) else []), "Pythia 8"])


def _processes(data: Dataset) -> str:
    """The classes, with their processes where these have other names."""
    names = list(data.counts)
    return listed([str(name) for name in data.classes]) if len(names) > 4 or not names else listed(names)


def _detector(config: Mapping[str, Any]) -> str:
    """Whether the simulation has a detector."""
    smeared = config.get("detector", {}).get("smear")
    return "simulation, parametrised detector" if smeared else "simulation, no detector"


def _selection(cuts: Mapping[str, Any]) -> str:
    """The main cuts of a selection of jets or of events."""
    texts = []
    if "ht_min" in cuts:
        texts.append(f"HT > {cuts['ht_min']:g} GeV")
        if cuts.get("lepton_pt"):
            texts.append(f"lepton pT > {cuts['lepton_pt']:g} GeV")
    elif "pt_min" in cuts:
        if cuts["pt_min"]:
            texts.append(f"jet pT > {cuts['pt_min']:g} GeV")
        low, high = cuts.get("mass_min", 0), float(cuts.get("mass_max", "inf"))
        if low or high < float("inf"):
            texts.append(f"{low:g} < m_SD < {high:g} GeV")
    return ", ".join(texts)
