"""Generate the zbb sample: Z -> b bbar jets from pp -> ZZ, and QCD jets (arXiv:2011.13466, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import awkward as ak
import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.core.types import Array, Arrays, JsonObject
from xaug.formats.base import FinalState
from xaug.formats.momenta import NEUTRINOS, kinematics
from xaug.formats.tree_writer import Collection, TreeWriter
from xaug.generate import blocks
from xaug.generate.blocks import BlockTask, Process
from xaug.generate.pythia import BATCH, Batch, Generator, read_card, seed_of
from xaug.jets import clustering
from xaug.jets.conventions import Conventions
from xaug.jets.selection import Selection, select_jets

__all__ = ["PROCESSES", "generate", "generate_block", "selected", "shipped_card", "stored_events"]

PROCESSES = {"signal": ("zbb", 1), "qcd": ("qcd", 0)}
"""Card name -> process name and label."""
STORED_PT = 170.0
"""Least pT of a jet that is stored [GeV]: below the 200 GeV of the selection, whose cut can so be lowered a little."""
STORED_JETS = 2
"""Leading jets of an event that are stored."""
SMALLEST_BATCH = 50
"""Least number of events in a batch, when the last jets of a block are generated."""


def shipped_card(name: str) -> Path:
    """Path of a card file that comes with xaug."""
    return Path(str(resources.files("xaug.generate") / "cards" / f"zbb_{name}.cmnd"))


def generate(
    output: str | Path,
    *,
    jets: int | None = None,
    events: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    cards: dict[str, str] | None = None,
    neutrinos: bool = False,
) -> JsonObject:
    """Generate the sample as ROOT files.

    Parameters
    ----------
    output : path
        directory of the files
    jets, events : int, optional
        selected jets of each class, or generated events of each process; exactly one of the two
    seed : int
        seed of the whole sample
    workers : int, optional
        processes at a time; default: one for each processor
    cards : dict, optional
        "signal" or "qcd" -> path of a card to use instead of the one that comes with xaug
    neutrinos : bool
        cluster and store neutrinos like all other particles (see `xaug.jets.conventions`)

    Returns
    -------
    dict
        the manifest, with all files and the totals of each process

    Raises
    ------
    ConfigurationError
        if an option cannot be used, or the directory holds other results
    """
    cards = cards or {}
    for name in cards:
        if name not in PROCESSES:
            raise unknown_name("card", name, PROCESSES)
    # QCD takes longest, so it is started first
    processes = [
        Process(process, label, read_card(cards.get(name, shipped_card(name))), stream=label)
        for name, (process, label) in sorted(PROCESSES.items(), key=lambda item: item[1][1])
    ]
    return blocks.run(
        "xaug.generate.zbb:generate_block",
        processes,
        output,
        seed=seed,
        jets=jets,
        events=events,
        workers=workers,
        sample="zbb",
        counters=(*blocks.COUNTERS, "jets_selected"),
        options={"neutrinos": True} if neutrinos else None,
    )


def particle_columns(batch: Batch, index: Array) -> Arrays:
    """The columns of the tree for particles at flat positions of the record, as float32 and int32."""
    chosen = {name: values[index] for name, values in batch.particles.items()}
    p = kinematics(np.stack([chosen[c] for c in ("px", "py", "pz", "e")], axis=1))
    floats = {name: p[name] for name in ("pt", "eta", "phi")} | {"m": chosen["m"], "tau": chosen["tau"]}
    floats |= dict(zip(("vxx", "vyy", "vzz"), batch.vertex(index), strict=True))
    integers = ("id", "status", "mother1", "mother2", "daughter1", "daughter2", "col")
    return {name: values.astype(np.float32) for name, values in floats.items()} | {
        name: chosen[name].astype(np.int32) for name in integers
    }


def stored_events(batch: Batch, neutrinos: bool = False) -> tuple[Array, dict[str, Collection]]:
    """Find the events of a batch that have a jet to store.

    Returns
    -------
    events : (k,)
        their positions in the batch
    collections
        `jet`, `gen` and `constituent` of these events
    """
    n, status = len(batch), batch.particles["status"]
    event_of = np.repeat(np.arange(n), batch.counts)
    hidden = () if neutrinos else NEUTRINOS
    visible = np.flatnonzero((status > 0) & ~np.isin(np.abs(batch.particles["id"]), hidden))
    momenta = batch.momenta(visible, np.bincount(event_of[visible], minlength=n))
    event, index, jets = clustering.cluster(momenta, Selection.radius, STORED_PT)
    rank = np.arange(len(event)) - np.searchsorted(event, event)
    chosen = np.flatnonzero(rank < STORED_JETS)
    event, (index, jets) = event[chosen], clustering.regroup(jets, index, chosen)
    events, jet_counts = np.unique(event, return_counts=True)

    p = kinematics(jets.totals())
    jet = {"pt": p["pt"], "eta": p["eta"], "phi": p["phi"], "m": p["mass"], "nc": jets.counts}
    constituent = particle_columns(batch, visible[index])
    constituent["jetndx"] = rank[chosen][jets.group].astype(np.int32)
    constituent_counts = np.bincount(event[jets.group], minlength=n)[events]
    hard = (np.abs(status) > 20) & (np.abs(status) < 30) & np.isin(event_of, events)
    gen_counts = np.bincount(event_of[hard], minlength=n)[events]
    return events, {
        "jet": Collection(jet, jet_counts),
        "gen": Collection(particle_columns(batch, np.flatnonzero(hard)), gen_counts),
        "constituent": Collection(constituent, constituent_counts),
    }


def selected(collections: dict[str, Collection], label: int, neutrinos: bool = False) -> Array:
    """Positions of the events whose leading jet passes the selection, going by what the file will hold."""
    constituent = collections["constituent"]
    names = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m", "id": "id", "vx": "vxx", "vy": "vyy", "vz": "vzz"}
    particles = {name: constituent.columns[branch] for name, branch in names.items()}
    partons = None
    if label == 1:
        gen = collections["gen"]
        columns = {name: gen.columns[name] for name in ("id", "status", "mother1", "eta", "phi")}
        partons = ak.unflatten(ak.zip(columns), gen.counts)
    events = FinalState(particles, constituent.counts, partons)
    conventions = Conventions(neutrinos=neutrinos)
    return select_jets(events, Selection(), substructure=False, conventions=conventions)[0].event


class _Block:
    """Generate events of one process until a block has the jets, or the events, that it is to have."""

    def __init__(self, task: BlockTask, writer: TreeWriter):
        self.task = task
        self.writer = writer
        self.neutrinos = bool(task.options.get("neutrinos", False))
        self.seed = seed_of(task.seed, task.stream, task.block)
        self.generator = Generator(list(task.card), self.seed)
        self.generated, self.jets, self.sum_weight = 0, 0, 0.0

    @property
    def left(self) -> int:
        """Events to generate next; for jets, as many as the missing jets will take, going by those so far."""
        if self.task.jets is None:
            return min((self.task.events or 0) - self.generated, BATCH)
        missing = self.task.jets - self.jets
        if missing == 0:
            return 0
        return int(min(max(missing * max(self.generated, 5) / max(self.jets, 1), SMALLEST_BATCH), BATCH))

    def step(self) -> tuple[int, int]:
        """Generate a batch and write what is stored of it; how many jets were selected, of how many events."""
        batch = self.generator.next(self.left)
        events, collections = stored_events(batch, self.neutrinos)
        used, passed = len(batch), events[:0]
        if self.task.jets is not None:
            missing = self.task.jets - self.jets
            passed = events[selected(collections, self.task.label, self.neutrinos)]
            if len(passed) >= missing:
                used = int(passed[missing - 1]) + 1  # not one event more than needed
            passed = passed[passed < used]
        keep = int(np.searchsorted(events, used))
        scalars = {"eventNum": self.generated + events[:keep].astype(np.int64), "weight": batch.weight[events[:keep]]}
        self.writer.add(scalars, {name: own.first(keep) for name, own in collections.items()})
        self.generated += used
        self.sum_weight += float(batch.weight[:used].sum())
        self.jets += len(passed)
        if self.task.jets is not None and self.generated >= 20 * blocks.EVENTS_PER_BLOCK and self.jets == 0:
            raise ConfigurationError(
                f"process {self.task.process}: no jet passed the selection in {self.generated} events; check its card"
            )
        return len(passed), used

    def metadata(self) -> JsonObject:
        """Metadata of the file."""
        task, neutrinos = self.task, self.neutrinos
        sigma, error = self.generator.cross_section()
        return {
            "sample": "zbb",
            "process": task.process,
            "label": task.label,
            "xsec": sigma * 1e9,
            "xsec_error": error * 1e9,
            "xsec_unit": "pb",
            "seed": task.seed,
            "block": task.block,
            "pythia_seed": self.seed,
            "identity": f"{task.process}-{digest_json(task.card)}-{self.seed}" + "-neutrinos" * neutrinos,
            **({"neutrinos": True} if neutrinos else {}),
            "events_generated": self.generated,
            "events_failed": self.generator.failed,
            "events_stored": self.writer.events,
            "sum_weight": self.sum_weight,
            "jets_selected": None if task.jets is None else self.jets,  # counted only where jets are asked for
            "card": list(task.card),
        }


def generate_block(content: JsonObject, arrays: Arrays, report: Callable[..., None]) -> tuple[JsonObject, Arrays]:
    """Generate one block into its file (a task of `xaug.core.workers`)."""
    task = BlockTask.from_json(content)
    with atomic_path(task.path) as path:
        block = _Block(task, TreeWriter(path))
        while block.left:
            jets, events = block.step()
            report(jets=jets, events=events)
        block.writer.flush()
        block.writer.close(block.metadata())
    return {"path": task.path}, {}
