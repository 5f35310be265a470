"""Readable names of runs, for figures and pages: the network and what it reads, in place of the name of a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xaug.networks.inputs import Inputs
from xaug.networks.registry import networks
from xaug.training.runs import Run

__all__ = ["network_label", "run_label", "run_labels", "run_title"]

NOUNS = {"xaug": "XAUGs", "event": "event features", "list": "columns"}
"""Block -> the noun for its columns."""


def network_label(run: Run) -> str:
    """The network of a run and its inputs, as `2D CNN + 5 of 36 XAUGs (authors5)`; or the name of the run."""
    spec = run.input_spec
    network = networks().get(spec.network)
    if network is None or not network.label:
        return run.name
    text = network.label
    usual = network.list_columns or spec.table.names(network.block)
    if network.reads_vector or set(spec.columns[network.block]) != set(usual):
        text += f", {_chosen(spec, network.block)}"
    if network.joins_xaug and "xaug" in spec.columns:
        text += f" + {_chosen(spec, 'xaug')}"
    further = [f"{name} {value:g}" for name, value in spec.sizes.items()]
    return ", ".join([text, *further])


def run_label(run: Run) -> str:
    """The network of a run, and how far it was trained where this was chosen."""
    steps, most = run.record.config.get("steps"), run.record.max_jets
    chosen = [f"{steps:,} steps"] if steps else []
    chosen += [f"at most {most:,} for training"] if most else []
    return ", ".join([network_label(run), *chosen])


def _chosen(spec: Inputs, block: str) -> str:
    """The columns of a block that a network reads, as `29 of 36 XAUGs (no flavour)`."""
    known, own = spec.table.block(block), spec.columns[block]
    noun = NOUNS.get(block, "columns")
    if len(own) == len(known.names):
        return f"{len(own)} {noun}"
    named = [name for name, chosen in known.selections.items() if set(chosen) == set(own)]
    words = f" ({named[0].replace('_', ' ')})" if named else ""
    return f"{len(own)} of {len(known.names)} {noun}{words}"


def run_labels(runs: Iterable[Run], label: Callable[[Run], str] = run_label) -> dict[str, str]:
    """Readable names by the names of the runs; those that would be the same have the name of the run as well."""
    found = {run.name: label(run) for run in runs}
    shared = [label for label in found.values() if list(found.values()).count(label) > 1]
    return {name: run_title(label, name) if label in shared else label for name, label in found.items()}


def run_title(label: str, name: str) -> str:
    """A readable name, and the name of the directory in brackets, as captions and choosers tell it."""
    return name if label == name else f"{label} ({name})"
