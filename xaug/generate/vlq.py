"""Generate the vlq sample: pp -> B Bbar -> (t W)(b Phi), Phi -> b bbar, and ten backgrounds (arXiv:2412.13864).

The sample is generated for a selection: its thresholds are those of `xaug.generate.regimes`. All events have an
electron, muon or tau in the hard process, and cross sections are those of such events. The backgrounds are those that
Pythia can generate alone. Three are left out: Z + jets, of which 0.1% pass a selection of one lepton; and t W and
t tbar with W or Z, which Pythia does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.files import atomic_path, digest_json
from xaug.core.types import Array, Arrays, JsonObject
from xaug.events.dressing import nearest_lepton
from xaug.formats.momenta import NEUTRINOS, kinematics
from xaug.formats.tree_writer import EVENT_LAYOUT, Collection, TreeWriter
from xaug.formats.xaug_tree import radiated_photons
from xaug.generate import blocks
from xaug.generate.blocks import BlockTask, Process
from xaug.generate.filters import Filter
from xaug.generate.pythia import Batch, Generator, read_card, seed_of, subruns
from xaug.generate.regimes import NAMED, Regime, Stored, Thresholds, regime
from xaug.jets import clustering

__all__ = ["PROCESSES", "card_of", "generate", "generate_block"]

PROCESSES = {
    "signal": 1,
    "tt1l": 0,
    "tt2l": 0,
    "wjets": 0,
    "singletop_t": 0,
    "singletop_s": 0,
    "ww": 0,
    "wz": 0,
    "zz": 0,
    "tth": 0,
    "wh": 0,
}
"""Process name -> label. Each process has a card `vlq_NAME.cmnd`."""
BATCH = 100
"""Events generated at a time. Subruns take turns, so that every chunk of a file has events of all subruns."""
MAX_ABS_ETA = 5.0
"""Pseudorapidity up to which a detector sees particles."""


def shipped_card(name: str) -> Path:
    """Path of a card file that comes with xaug."""
    return Path(str(resources.files("xaug.generate") / "cards" / f"vlq_{name}.cmnd"))


def generate(
    output: str | Path,
    *,
    events: int,
    events_of: Mapping[str, int] | None = None,
    seed: int = 1,
    workers: int | None = None,
    cards: dict[str, str] | None = None,
    processes: list[str] | None = None,
    preset: str = "loose",
) -> JsonObject:
    """Generate the sample as ROOT files.

    Parameters
    ----------
    output : path
        directory of the files
    events : int
        generated events of each process
    events_of : dict, optional
        process name -> its generated events, where they are not `events`; the process may be one that is left out
    seed : int
        seed of the whole sample
    workers : int, optional
        processes at a time; default: one for each processor
    cards : dict, optional
        process name -> path of a card to use instead of the one that comes with xaug
    processes : list of str, optional
        names of the processes to generate; default: all
    preset : str
        the selection that the sample is meant for, "loose", "search" or "tight": its thresholds go with the cards that
        come with xaug, and only events that can pass it are stored; a card of your own is taken as it is

    Returns
    -------
    dict
        the manifest, with all files and the totals of each process

    Raises
    ------
    ConfigurationError
        if an option cannot be used, or the directory holds other results
    """
    cards, numbers, own = cards or {}, events_of or {}, regime(preset)
    chosen = list(PROCESSES) if processes is None else list(dict.fromkeys(processes))
    for kind, names in (("card", [*cards]), ("process", [*chosen, *numbers])):
        for name in names:
            if name not in PROCESSES:
                raise unknown_name(kind, name, PROCESSES)
    # the stream of a process, and so its events, do not depend on which others are generated
    streams = {name: stream for stream, name in enumerate(PROCESSES)}
    return blocks.run(
        "xaug.generate.vlq:generate_block",
        [
            Process(
                name,
                PROCESSES[name],
                read_card(cards[name]) if name in cards else card_of(name, own),
                streams[name],
                numbers.get(name),
            )
            for name in chosen
        ],
        output,
        seed=seed,
        events=events,
        workers=workers,
        sample="vlq",
        options={"regime": own.name},
    )


def card_of(name: str, own: Regime) -> list[str]:
    """The settings of a process in a regime: its thresholds, and the card that comes with xaug."""
    thresholds = own.thresholds.get(name, Thresholds())
    return [*thresholds.card, *read_card(shipped_card(name))]


def last_copies(batch: Batch, ids: tuple[int, ...]) -> Array:
    """Mask (m,) of the particles with one of these |ids| and no daughter of the same id."""
    identity = batch.particles["id"]
    first = np.repeat(np.cumsum(batch.counts) - batch.counts, batch.counts)
    one, two = (identity[first + batch.particles[name]] for name in ("daughter1", "daughter2"))
    last: Array = np.isin(np.abs(identity), ids) & (one != identity) & (two != identity)
    return last


def stored_events(batch: Batch, cuts: Stored) -> tuple[Array, dict[str, Collection]]:
    """Find the events of a batch that pass the cuts for storing.

    Returns
    -------
    events : (k,)
        their positions in the batch
    collections
        `particle`, all final particles within the reach of a detector, and `gen`, the hard process and the last
        copies of b and c quarks, of these events
    """
    n = len(batch)
    particles = batch.particles
    event_of = np.repeat(np.arange(n), batch.counts)
    final = np.flatnonzero((particles["status"] > 0) & ~np.isin(np.abs(particles["id"]), NEUTRINOS))
    p = kinematics(np.stack([particles[c][final] for c in ("px", "py", "pz", "e")], axis=1))
    seen = np.abs(p["eta"]) < MAX_ABS_ETA
    final, p = final[seen], {name: values[seen] for name, values in p.items()}

    ids, event = particles["id"][final], event_of[final]
    lepton = np.flatnonzero(np.isin(np.abs(ids), (11, 13)))
    photon = np.flatnonzero(radiated_photons(ids, particles["status"][final]))
    leptons, photons = ({name: p[name][own] for name in ("pt", "eta", "phi")} for own in (lepton, photon))
    near, own = nearest_lepton(leptons, event[lepton], photons, _counts(event[photon], n), cuts.dress_radius)
    pt = leptons["pt"] + np.bincount(own, photons["pt"][near], len(lepton))
    good = (pt > cuts.lepton_pt) & (np.abs(leptons["eta"]) < cuts.lepton_eta)
    keep = np.bincount(event[lepton][good], minlength=n) > 0
    clustered = final[keep[event_of[final]]]
    momenta = batch.momenta(clustered, _counts(event_of[clustered], n))
    event, _, jets = clustering.cluster(momenta, cuts.jet_radius, cuts.jet_pt)
    jet = kinematics(jets.totals())
    central = np.abs(jet["eta"]) < cuts.jet_eta
    keep &= np.bincount(event[central], jet["pt"][central], n) > cuts.ht

    final = final[keep[event_of[final]]]
    hard = (np.abs(particles["status"]) > 20) & (np.abs(particles["status"]) < 30)
    gen = np.flatnonzero((hard | last_copies(batch, (4, 5))) & keep[event_of])
    return np.flatnonzero(keep), {
        name: Collection(
            particle_columns(batch, index, EVENT_LAYOUT.collections[name].integers), _counts(event_of[index], n)[keep]
        )
        for name, index in (("particle", final), ("gen", gen))
    }


def _counts(event: Array, n: int) -> Array:
    """Number of entries (n,) of each event."""
    return np.bincount(event, minlength=n)


def particle_columns(batch: Batch, index: Array, integers: tuple[str, ...]) -> Arrays:
    """The columns of the tree for particles at flat positions of the record."""
    chosen = {name: values[index] for name, values in batch.particles.items()}
    p = kinematics(np.stack([chosen[c] for c in ("px", "py", "pz", "e")], axis=1))
    return {**{name: p[name] for name in ("pt", "eta", "phi")}, "m": chosen["m"], **{c: chosen[c] for c in integers}}


def generate_block(content: JsonObject, arrays: Arrays, report: Callable[..., None]) -> tuple[JsonObject, Arrays]:
    """Generate one block into its file (a task of `xaug.core.workers`)."""
    task = BlockTask.from_json(content)
    cards = subruns(list(task.card))
    seeds = [seed_of(task.seed, task.stream, task.block * len(cards) + k) for k in range(len(cards))]
    stored = NAMED[task.options["regime"]].stored
    generators = [Generator(card, seed, Filter(leptonic=True)) for card, seed in zip(cards, seeds, strict=True)]
    share = -(-task.size // len(cards))  # events of a subrun, rounded up; the last subrun gets the rest
    left = [min(share, task.size - k * share) for k in range(len(cards))]
    generated, sum_weight = 0, 0.0
    with atomic_path(task.path) as path:
        writer = TreeWriter(path, EVENT_LAYOUT)
        while any(left):
            for k, generator in enumerate(generators):
                if not left[k]:
                    continue
                batch = generator.next(min(left[k], BATCH))
                left[k] -= len(batch)
                events, collections = stored_events(batch, stored)
                scalars = {
                    "eventNum": generated + events.astype(np.int64),
                    "weight": batch.weight[events],
                    "pthat": batch.pthat[events].astype(np.float32),
                }
                writer.add(scalars, collections)
                generated += len(batch)
                sum_weight += float(batch.weight.sum())
                report(events=len(batch))
        writer.flush()
        sigma, error = cross_section(generators, task.process)
        metadata = {
            "sample": "vlq",
            "kind": "events",
            "process": task.process,
            "label": task.label,
            "xsec": sigma * 1e9,
            "xsec_error": error * 1e9,
            "xsec_unit": "pb",
            "seed": task.seed,
            "block": task.block,
            "pythia_seed": seeds,
            "identity": f"{task.process}-{digest_json(task.card)}-{seeds[0]}",
            "events_generated": generated,
            "events_failed": sum(generator.failed for generator in generators),
            "events_stored": writer.events,
            "sum_weight": sum_weight,
            "filter": generators[0].kept.words,
            "stored": asdict(stored),
            "card": list(task.card),
        }
        writer.close(metadata)
    return {"path": task.path}, {}


def cross_section(generators: list[Generator], process: str) -> tuple[float, float]:
    """Cross section of a process and its error [mb]: the sum over its subruns, with forced branching fractions.

    Events are shared evenly among subruns, so all subruns must be equally likely (charge conjugates are).
    """
    sigma, error = np.array([generator.cross_section() for generator in generators]).T
    spread = np.abs(sigma - sigma.mean())
    if np.any(spread > 0.05 * sigma.mean() + 5 * error):
        raise ConfigurationError(
            f"process {process}: its subruns have cross sections {', '.join(f'{s * 1e9:.4g}' for s in sigma)} pb; "
            "they share the events evenly, so give decays of different probability cards of their own"
        )
    return float(sigma.sum()), float(np.hypot.reduce(error))
