"""The zbb sample: Z -> b bbar jets from pp -> ZZ, and QCD jets (arXiv:2011.13466, section 4)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import awkward as ak
import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.formats.tree_writer import TreeWriter
from xaug.generate import blocks
from xaug.generate.blocks import Process
from xaug.generate.pythia import BATCH, Batch, Generator, read_card, seed_of
from xaug.jets import clustering
from xaug.jets.clustering import FourVectors, kinematics
from xaug.jets.conventions import Conventions
from xaug.jets.particle_kinds import NEUTRINOS
from xaug.jets.selection import Events, Selection, select_jets

__all__ = ["PROCESSES", "generate"]

PROCESSES = {"signal": ("zbb", 1), "qcd": ("qcd", 0)}
"""Card name -> process name and label."""
STORED_PT = 170.0
"""Least pT [GeV] of a jet that is stored: below the selection's 200 GeV, so that the cut can be moved a bit."""
STORED_JETS = 2
"""Leading jets stored per event."""
SMALLEST_BATCH = 50
"""Events per batch at least, when the last jets of a block are generated."""


def shipped_card(name: str) -> Path:
    """The card file that comes with xaug."""
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
) -> dict:
    """Generate the sample into `output`; see `xaug.generate.blocks.run`.

    Parameters
    ----------
    cards
        own card files by name ("signal", "qcd"), instead of the shipped ones
    neutrinos
        cluster and store neutrinos as all other particles (`xaug.jets.conventions`)
    """
    cards = cards or {}
    for name in cards:
        if name not in PROCESSES:
            raise unknown_name("card", name, PROCESSES)
    # QCD takes longest: start it first
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


def particle_columns(batch: Batch, index: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of the tree for particles at flat positions of the record, as float32 and int32."""
    chosen = {name: values[index] for name, values in batch.particles.items()}
    p = kinematics(np.stack([chosen[c] for c in ("px", "py", "pz", "e")], axis=1))
    columns = {name: p[name] for name in ("pt", "eta", "phi")} | {"m": chosen["m"], "tau": chosen["tau"]}
    columns |= dict(zip(("vxx", "vyy", "vzz"), batch.vertex(index), strict=True))
    columns = {name: values.astype(np.float32) for name, values in columns.items()}
    integers = ("id", "status", "mother1", "mother2", "daughter1", "daughter2", "col")
    return columns | {name: chosen[name].astype(np.int32) for name in integers}


def stored_events(batch: Batch, neutrinos: bool = False) -> tuple[np.ndarray, dict[str, tuple[dict, np.ndarray]]]:
    """Events of a batch that have a jet to store.

    Returns
    -------
    events : (k,)
        their positions in the batch
    collections
        `jet`, `gen` and `constituent`: flat columns and counts (k,) each
    """
    n, status = len(batch), batch.particles["status"]
    event_of = np.repeat(np.arange(n), batch.counts)
    hidden = () if neutrinos else NEUTRINOS
    visible = np.flatnonzero((status > 0) & ~np.isin(np.abs(batch.particles["id"]), hidden))
    momenta = FourVectors(
        *(batch.particles[c][visible] for c in ("px", "py", "pz", "e")),
        np.bincount(event_of[visible], minlength=n),
    )
    event, index, jets = clustering.cluster(momenta, Selection.radius, STORED_PT)
    rank = np.arange(len(event)) - np.searchsorted(event, event)
    chosen = np.flatnonzero(rank < STORED_JETS)
    event, (index, jets) = event[chosen], clustering.regroup(jets, index, chosen)
    events, jet_counts = np.unique(event, return_counts=True)

    p = kinematics(jets.sums(jets.jet_index, len(jets)))
    jet = {"pt": p["pt"], "eta": p["eta"], "phi": p["phi"], "m": p["mass"], "nc": jets.counts}
    constituent = particle_columns(batch, visible[index])
    constituent["jetndx"] = rank[chosen][jets.jet_index].astype(np.int32)
    constituent_counts = np.bincount(event[jets.jet_index], minlength=n)[events]
    hard = (np.abs(status) > 20) & (np.abs(status) < 30) & np.isin(event_of, events)
    gen_counts = np.bincount(event_of[hard], minlength=n)[events]
    return events, {
        "jet": (jet, jet_counts),
        "gen": (particle_columns(batch, np.flatnonzero(hard)), gen_counts),
        "constituent": (constituent, constituent_counts),
    }


def first_events(collections: dict[str, tuple[dict, np.ndarray]], k: int) -> dict[str, tuple[dict, np.ndarray]]:
    """The collections of the first k events."""
    return {
        name: ({c: values[: counts[:k].sum()] for c, values in columns.items()}, counts[:k])
        for name, (columns, counts) in collections.items()
    }


def selected(collections: dict[str, tuple[dict, np.ndarray]], label: int, neutrinos: bool = False) -> np.ndarray:
    """Positions of the events whose leading jet passes the selection, from what the file will hold."""
    columns, counts = collections["constituent"]
    names = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m", "id": "id", "vx": "vxx", "vy": "vyy", "vz": "vzz"}
    partons = None
    if label == 1:
        gen, gen_counts = collections["gen"]
        partons = ak.unflatten(ak.zip({c: gen[c] for c in ("id", "status", "mother1", "eta", "phi")}), gen_counts)
    events = Events({name: columns[branch] for name, branch in names.items()}, counts, partons)
    conventions = Conventions(neutrinos=neutrinos)
    return select_jets(events, Selection(), substructure=False, conventions=conventions)[0].event


def generate_block(task: dict, arrays: dict, report) -> tuple[dict, dict]:
    """Generate one block into its file (a task of `xaug.core.workers`)."""
    seed = seed_of(task["seed"], task["stream"], task["block"])
    generator = Generator(task["card"], seed)
    wanted_jets, wanted_events = task.get("jets"), task.get("events")
    neutrinos = task.get("neutrinos", False)
    generated, jets, sum_weight = 0, 0, 0.0
    with atomic_path(task["path"]) as path:
        writer = TreeWriter(path)
        while (jets < wanted_jets) if wanted_jets else (generated < wanted_events):
            if wanted_jets:  # as many events as the jets that lack will take, going by those so far
                left = (wanted_jets - jets) * max(generated, 5) / max(jets, 1)
            else:
                left = wanted_events - generated
            batch = generator.next(int(min(max(left, SMALLEST_BATCH if wanted_jets else 1), BATCH)))
            events, collections = stored_events(batch, neutrinos)
            used, passed = len(batch), events[:0]
            if wanted_jets:
                passed = events[selected(collections, task["label"], neutrinos)]
                if jets + len(passed) >= wanted_jets:
                    used = int(passed[wanted_jets - jets - 1]) + 1  # not one event more than needed
                passed = passed[passed < used]
            keep = int(np.searchsorted(events, used))
            scalars = {"eventNum": generated + events[:keep].astype(np.int64), "weight": batch.weight[events[:keep]]}
            writer.add(scalars, first_events(collections, keep))
            generated += used
            sum_weight += float(batch.weight[:used].sum())
            jets += len(passed)
            report(jets=len(passed), events=used)
            if wanted_jets and generated >= 20 * blocks.EVENTS_PER_BLOCK and jets == 0:
                raise ConfigurationError(
                    f"process {task['process']}: no jet passed the selection in {generated} events; check its card"
                )
        writer.flush()
        sigma, error = generator.cross_section()
        metadata = {
            "sample": "zbb",
            "process": task["process"],
            "label": task["label"],
            "xsec": sigma * 1e9,
            "xsec_error": error * 1e9,
            "xsec_unit": "pb",
            "seed": task["seed"],
            "block": task["block"],
            "pythia_seed": seed,
            "identity": f"{task['process']}-{digest_json(task['card'])}-{seed}" + "-neutrinos" * neutrinos,
            **({"neutrinos": True} if neutrinos else {}),
            "events_generated": generated,
            "events_failed": generator.failed,
            "events_stored": writer.events,
            "sum_weight": sum_weight,
            "jets_selected": jets if wanted_jets else None,  # counted only where jets are asked for
            "card": task["card"],
        }
        writer.close(metadata)
    return {"path": task["path"]}, {}
