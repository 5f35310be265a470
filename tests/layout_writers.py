"""Writers of jets in the layout of every format, as their authors publish them."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow.parquet as pq
import uproot

KINDS = np.array([211, -211, 130, 22, 11, -13])
MASS = {211: 0.13957, 130: 0.49761, 22: 0.0, 11: 0.000511, 13: 0.10566}


@dataclass
class MadeJets:
    """Jets with constituents: flat columns in GeV and mm, `counts` by jet, `label` 0 or 1."""

    columns: dict
    counts: np.ndarray
    label: np.ndarray
    fill: float = 0

    @property
    def jagged(self) -> dict:
        return {name: ak.unflatten(values, self.counts) for name, values in self.columns.items()}

    @property
    def size(self) -> int:
        """Length of padded rows."""
        return max(40, int(self.counts.max(initial=0)))

    def padded(self, name: str) -> np.ndarray:
        """A column (jets, particles), padded with `fill`."""
        found = ak.fill_none(ak.pad_none(self.jagged[name], self.size, clip=True), self.fill)
        return ak.to_numpy(found).reshape(len(self.counts), self.size)

    def some(self, jets) -> "MadeJets":
        chosen = np.zeros(len(self.counts), bool)
        chosen[jets] = True
        flat = np.repeat(chosen, self.counts)
        own = {name: values[flat] for name, values in self.columns.items()}
        return replace(self, columns=own, counts=self.counts[chosen], label=self.label[chosen])


def make_jets(n: int, particles: tuple[int, int] = (12, 36)) -> MadeJets:
    """Jets of two prongs (label 1) and of one, 600 GeV, with displaced tracks, at a rapidity of all signs.

    The number of particles of a jet is drawn evenly from `particles`, without the upper end.
    """
    rng = np.random.default_rng(8)
    counts, label = rng.integers(*particles, n), np.arange(n) % 2
    jet = np.repeat(np.arange(n), counts)
    eta, phi = rng.uniform(-1.5, 1.5, n), rng.uniform(-np.pi, np.pi, n)
    prong = rng.integers(0, 2, len(jet)) * label[jet]
    ids = KINDS[rng.integers(0, len(KINDS), len(jet))]
    pt = rng.exponential(30.0, len(jet)) + 0.5
    charge = np.where(np.isin(ids, (130, 22)), 0, np.where(np.isin(ids, (211, -13)), 1, -1))
    columns = {
        "pt": pt * 600 / np.bincount(jet, pt)[jet],
        "eta": eta[jet] + 0.35 * prong + rng.normal(0, 0.05, len(jet)),
        "phi": np.remainder(phi[jet] + 0.1 * prong + rng.normal(0, 0.05, len(jet)) + np.pi, 2 * np.pi) - np.pi,
        "mass": np.array([MASS[abs(i)] for i in ids.tolist()]),
        "id": ids,
        "charge": charge,
        "dxy": np.where(charge != 0, rng.normal(0, 0.3, len(jet)), 0.0),
        "dz": np.where(charge != 0, rng.normal(0, 0.5, len(jet)), 0.0),
    }
    columns["px"], columns["py"] = (columns["pt"] * f(columns["phi"]) for f in (np.cos, np.sin))
    columns["pz"] = columns["pt"] * np.sinh(columns["eta"])
    columns["energy"] = np.sqrt((columns["pt"] * np.cosh(columns["eta"])) ** 2 + columns["mass"] ** 2)
    order = np.lexsort((-columns["pt"], jet))
    return MadeJets({name: values[order] for name, values in columns.items()}, counts, label)


def write_tree(path: Path, tree: str, collections: dict, scalars: dict) -> None:
    """A ROOT tree of jagged collections, a counter each, and of one number for each entry."""
    columns = {**{name: ak.zip(own) for name, own in collections.items()}, **scalars}
    types = {name: str(ak.Array(values).type).split(" * ", 1)[1] for name, values in columns.items()}
    with uproot.recreate(path) as file:
        out = file.mktree(
            tree, types, counter_name=lambda name: f"n{name}",
            field_name=lambda outer, inner: f"{outer}_{inner}" if inner else outer,
        )  # fmt: skip
        out.extend(columns)


def jetclass_columns(jets: MadeJets) -> tuple[dict, dict]:
    own, kind = jets.jagged, abs(jets.jagged["id"])
    part = {name: ak.values_astype(own[name], np.float32) for name in ("px", "py", "pz", "energy")}
    part |= {"charge": ak.values_astype(own["charge"], np.float32)}
    part |= {"d0val": ak.values_astype(own["dxy"], np.float32), "dzval": ak.values_astype(own["dz"], np.float32)}
    flags = {name: kind == i for name, i in {"isElectron": 11, "isMuon": 13, "isPhoton": 22}.items()}
    hadron = ~(flags["isElectron"] | flags["isMuon"] | flags["isPhoton"])
    flags |= {"isChargedHadron": hadron & (own["charge"] != 0), "isNeutralHadron": hadron & (own["charge"] == 0)}
    part |= flags
    names = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
    label = np.array([names.index(name) for name in ("QCD", "Hbb", "Hcc")])[jets.label]
    scalars = {f"label_{name}": (label == i).astype(np.float32) for i, name in enumerate(names)}
    return part, scalars


def write_jetclass(jets: MadeJets, directory: Path) -> Path:
    part, scalars = jetclass_columns(jets)
    write_tree(directory / "jetclass.root", "tree", {"part": part}, scalars)
    return directory / "jetclass.root"


def write_jetclass_parquet(jets: MadeJets, directory: Path) -> Path:
    part, _ = jetclass_columns(jets)
    columns = {f"part_{name}": values for name, values in part.items()}
    ak.to_parquet(ak.zip({**columns, "jet_label": jets.label + 160}, depth_limit=1), directory / "jetclass.parquet",
                  row_group_size=7)  # fmt: skip
    assert pq.ParquetFile(directory / "jetclass.parquet").num_row_groups > 2 or not len(jets.counts)
    return directory / "jetclass.parquet"


def write_toptagging(jets: MadeJets, directory: Path) -> Path:
    """As pandas writes `to_hdf(key="table", format="table")` with PyTables: two blocks, whose names are pickled."""
    m, n = jets.size, len(jets.counts)
    names = [f"{c}_{i}" for i in range(m) for c in ("E", "PX", "PY", "PZ")] + [f"truth{c}" for c in ("E", "PX")]
    values = np.zeros((n, len(names)), np.float32)
    for own, column in (("E", "energy"), ("PX", "px"), ("PY", "py"), ("PZ", "pz")):
        values[:, [names.index(f"{own}_{i}") for i in range(m)]] = jets.padded(column)
    flags = np.stack([np.arange(n) % 3, jets.label], axis=1)
    types = [("index", "<i8"), ("values_block_0", "<f4", (len(names),)), ("values_block_1", "<i8", (2,))]
    table = np.zeros(n, types)
    table["index"], table["values_block_0"], table["values_block_1"] = np.arange(n), values, flags
    with h5py.File(directory / "top.h5", "w") as file:
        out = file.create_group("table").create_dataset("table", data=table)
        out.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(names, protocol=0))
        out.attrs["values_block_1_kind"] = np.bytes_(pickle.dumps(["ttv", "is_signal_new"], protocol=0))
    return directory / "top.h5"


def write_qg(jets: MadeJets, directory: Path) -> Path:
    """pT, rapidity, azimuth in [0, 2 pi), PDG id; 1 for quarks."""
    own = jets.columns
    with np.errstate(divide="ignore", invalid="ignore"):  # of jets along the beam
        rapidity = np.arctanh(own["pz"] / own["energy"])
    made = replace(jets, columns={**own, "rapidity": rapidity, "phi": own["phi"] % (2 * np.pi)})
    x = np.stack([made.padded(name) for name in ("pt", "rapidity", "phi", "id")], axis=2)
    np.savez_compressed(directory / "qg.npz", X=x, y=jets.label.astype(float))
    return directory / "qg.npz"


def write_atlas(jets: MadeJets, directory: Path) -> Path:
    with h5py.File(directory / "atlas.h5", "w") as file:
        for name, unit in (("pt", 1000), ("eta", 1), ("phi", 1), ("energy", 1000)):
            file[f"fjet_clus_{'E' if name == 'energy' else name}"] = (jets.padded(name) * unit).astype(np.float32)
        file["fjet_pt"] = np.full(len(jets.counts), 6e5, np.float32)
        file["labels"], file["weights"] = jets.label, np.linspace(0.5, 2, len(jets.counts))
    return directory / "atlas.h5"


def write_jetnet(jets: MadeJets, directory: Path) -> dict[str, Path]:
    """A file for each kind of jet: particles relative to their jet, with a mask, and pT, eta, mass of the jet."""
    written = {}
    for name, label in (("g", 0), ("t", 1)):
        own = jets.some(jets.label == label)
        jet = np.repeat(np.arange(len(own.counts)), own.counts)
        sums = [np.bincount(jet, own.columns[c]) for c in ("px", "py", "pz")]
        pt, phi = np.hypot(sums[0], sums[1]), np.arctan2(sums[1], sums[0])
        eta = np.arcsinh(sums[2] / pt)
        rel = {
            "etarel": own.columns["eta"] - eta[jet],
            "phirel": np.remainder(own.columns["phi"] - phi[jet] + np.pi, 2 * np.pi) - np.pi,
            "ptrel": own.columns["pt"] / pt[jet],
            "mask": np.ones(len(jet)),
        }
        made = replace(own, columns=rel)
        with h5py.File(directory / f"{name}.hdf5", "w") as file:
            file["particle_features"] = np.stack([made.padded(c) for c in rel], axis=2).astype(np.float32)
            file["jet_features"] = np.stack([pt, eta, np.ones_like(pt), own.counts], axis=1).astype(np.float32)
        written[name] = directory / f"{name}.hdf5"
    return written


def write_pfnano(jets: MadeJets, directory: Path, collection: str = "FatJet") -> dict[str, Path]:
    """Two jets an event; candidates in another order than the jets', displacements in cm."""
    written = {}
    for name, label in (("qcd", 0), ("hbb", 1)):
        own = jets.some(jets.label == label)
        events = len(own.counts) // 2
        per_event = own.counts.reshape(events, 2).sum(axis=1)
        lost = ak.unflatten(np.arange(len(own.columns["pt"])), per_event)
        order = np.concatenate(
            [np.zeros(0, int), *(np.flip(ak.to_numpy(one)) for one in lost)]
        )  # candidates are stored backwards

        def jagged(values, order=order, per_event=per_event):
            return ak.unflatten(values[order], per_event)

        cands = {branch: ak.values_astype(jagged(own.columns[ours] * unit), np.float32) for branch, ours, unit in (
            ("pt", "pt", 2), ("eta", "eta", 1), ("phi", "phi", 1), ("mass", "mass", 2),
            ("d0", "dxy", 0.1), ("dz", "dz", 0.1),
        )}  # fmt: skip
        cands |= {"pdgId": ak.values_astype(jagged(own.columns["id"]), np.int32)}
        cands |= {"charge": ak.values_astype(jagged(own.columns["charge"]), np.int32)}
        cands["puppiWeight"] = ak.full_like(cands["pt"], 0.5)
        place = np.concatenate([np.zeros(0, int), *(np.arange(n)[::-1] for n in per_event)])
        links = {
            "pFCandsIdx": ak.unflatten(place.astype(np.int32), per_event),
            "jetIdx": ak.unflatten(np.repeat(np.tile([0, 1], events), own.counts).astype(np.int32), per_event),
        }
        fat = {key: ak.unflatten(np.full(2 * events, value), np.full(events, 2))
               for key, value in (("pt", 600.0), ("eta", 0.0), ("phi", 0.0), ("mass", 80.0))}  # fmt: skip
        scalars = {"run": np.ones(events, np.int32), "event": np.arange(events), "genWeight": np.full(events, 2.0)}
        scalars["luminosityBlock"] = np.ones(events, np.int32)
        write_tree(directory / f"{name}.root", "Events",
                   {collection: fat, f"{collection}PFCands": links, "PFCands": cands}, scalars)  # fmt: skip
        written[name] = directory / f"{name}.root"
    return written


def write_columns(jets: MadeJets, directory: Path) -> Path:
    """A parquet file of columns of other names, in MeV and cm, and the YAML that says so."""
    own = jets.jagged
    content = {"PX": own["px"] * 1e3, "PY": own["py"] * 1e3, "PZ": own["pz"] * 1e3, "EN": own["energy"] * 1e3}
    content |= {"pid": own["id"], "q": own["charge"], "d0": own["dxy"] / 10, "z0": own["dz"] / 10}
    content |= {"w": np.linspace(1, 2, len(jets.counts)), "isH": jets.label, "isQ": 1 - jets.label}
    ak.to_parquet(ak.zip(content, depth_limit=1), directory / "own.parquet")
    (directory / "data.yaml").write_text(
        """
format: columns
files: own.parquet
jets: {given: true, weight: w}
particles: {px: PX, py: PY, pz: PZ, energy: EN, id: pid, charge: q, dxy: d0, dz: z0}
units: {momentum: MeV, length: cm}
classes: {Hbb: isH, QCD: isQ}
"""
    )
    return directory / "data.yaml"


TRACK = {
    "pt": "PT",
    "eta": "Eta",
    "phi": "Phi",
    "mass": "Mass",
    "id": "PID",
    "charge": "Charge",
    "dxy": "D0",
    "dz": "DZ",
}
TOWER = {"pt": "ET", "eta": "Eta", "phi": "Phi"}


def write_delphes(path: Path, collections: dict) -> None:
    """Collections `A` with branches `A/A.PT`, counted by `A_size`, as Delphes writes them."""
    columns = {name: ak.zip(own) for name, own in collections.items()}
    types = {name: str(values.type).split(" * ", 1)[1] for name, values in columns.items()}
    with uproot.recreate(path) as file:
        tree = file.mktree("Delphes", types, counter_name=lambda a: f"{a}_size", field_name=lambda a, b: f"{a}/{a}.{b}")
        tree.extend(columns)


def delphes_columns(own: dict, names: dict, chosen=None) -> dict:
    """Branches of a collection of Delphes, of the chosen particles."""
    found = {branch: own[ours] if chosen is None else own[ours][chosen] for ours, branch in names.items()}
    return {branch: ak.values_astype(v, np.int32 if branch in ("PID", "Charge") else np.float64)
            for branch, v in found.items()}  # fmt: skip


def by_class(name: str, files: dict[str, Path], directory: Path) -> Path:
    """A YAML that says the class of files of a format."""
    listed = "\n".join(f"  {key}: {path.name}" for key, path in files.items())
    (directory / f"{name}.yaml").write_text(f"format: {name}\nfiles:\n{listed}\n")
    return directory / f"{name}.yaml"


def write_layouts(jets: MadeJets, directory: Path) -> dict[str, Path]:
    """Layout -> what to give to `xaug.process`: a file, or a YAML beside its files."""

    def place(name: str) -> Path:
        (directory / name).mkdir()
        return directory / name

    return {
        "jetclass": write_jetclass(jets, place("jetclass")),
        "jetclass2": write_jetclass_parquet(jets, place("jetclass2")),
        "toptagging": write_toptagging(jets, place("toptagging")),
        "qg": write_qg(jets, place("qg")),
        "atlastop": write_atlas(jets, place("atlastop")),
        "jetnet": by_class("jetnet", write_jetnet(jets, place("jetnet")), directory / "jetnet"),
        "pfnano": by_class("pfnano", write_pfnano(jets, place("pfnano")), directory / "pfnano"),
        "columns": write_columns(jets, place("columns")),
    }


def write_candidates(jets: MadeJets, directory: Path, track: dict = TRACK) -> dict[str, Path]:
    """Events of Delphes that hold one jet each, of which jets are clustered; a file for each class."""
    files = {}
    for name, label in (("QCD", 0), ("Hbb", 1)):
        own = jets.some(jets.label == label).jagged
        files[name] = directory / f"{name}.root"
        write_delphes(files[name], {"ParticleFlowCandidate": delphes_columns(own, track)})
    return files


def write_hepmc(jets: MadeJets, directory: Path) -> dict[str, Path]:
    """An event for each jet, with a neutrino against it: HepMC3 in GeV and mm, and compressed HepMC2 in MeV and cm.

    Each particle has a vertex of its own at (0, dxy, dz), but those without displacement come from the first one.
    """
    import pyhepmc

    written = {}
    for name, form, label, momentum, length in (
        ("qcd.hepmc", "hepmc3", 0, "GEV", "MM"), ("hbb.hepmc.gz", "hepmc2", 1, "MEV", "CM"),
    ):  # fmt: skip
        own = jets.some(jets.label == label)
        gev, mm = (1e3 if momentum == "MEV" else 1.0), (0.1 if length == "CM" else 1.0)
        with pyhepmc.open(str(directory / name), "w", format=form) as file:
            ends = np.cumsum(own.counts)
            for i, (start, stop) in enumerate(zip(ends - own.counts, ends, strict=True)):
                event = pyhepmc.GenEvent(
                    getattr(pyhepmc.Units.MomentumUnit, momentum), getattr(pyhepmc.Units.LengthUnit, length)
                )
                event.event_number, event.weights = i, [2.0 + i, -1.0]
                p = np.stack([own.columns[c][start:stop] for c in ("px", "py", "pz", "energy")], axis=1) * gev
                first = pyhepmc.GenVertex((0, 0, 0, 0))
                for sign in (1, -1):
                    first.add_particle_in(pyhepmc.GenParticle((0, 0, sign * 6500 * gev, 6500 * gev), 2212, 4))
                total = -p[:, :3].sum(axis=0)
                first.add_particle_out(pyhepmc.GenParticle((*total, np.sqrt((total**2).sum())), 12, 1))
                event.add_vertex(first)
                for j in range(start, stop):
                    final = pyhepmc.GenParticle(tuple(p[j - start]), int(own.columns["id"][j]), 1)
                    dxy, dz = own.columns["dxy"][j] * mm, own.columns["dz"][j] * mm
                    if not dxy and not dz:
                        first.add_particle_out(final)
                        continue
                    decays = pyhepmc.GenParticle(tuple(p[j - start]), 511, 2)
                    first.add_particle_out(decays)
                    vertex = pyhepmc.GenVertex((0, dxy, dz, abs(dxy)))
                    vertex.add_particle_in(decays)
                    vertex.add_particle_out(final)
                    event.add_vertex(vertex)
                file.write(event)
        written[name.partition(".")[0]] = directory / name
    return written


def write_xaug_tree(jets: MadeJets, directory: Path) -> dict[str, Path]:
    """Trees of xaug whose events hold one jet each, with vertices in the place of displacements; one for each class."""
    files = {}
    for name, label in (("QCD", 0), ("Hbb", 1)):
        own = jets.some(jets.label == label)
        columns = {**own.columns, "zero": np.zeros(len(own.columns["pt"]))}
        flat = replace(own, columns=columns).jagged
        ours = {"pt": "pt", "eta": "eta", "phi": "phi", "m": "mass", "vxx": "dxy", "vyy": "zero", "vzz": "dz"}
        branches = {branch: ak.values_astype(flat[column], np.float32) for branch, column in ours.items()}
        branches["id"] = ak.values_astype(flat["id"], np.int32)
        files[name] = directory / f"{name}.root"
        write_tree(files[name], "T", {"constituent": branches}, {"number": np.arange(len(own.counts))})
    return files


ONE = {
    "jetclass": write_jetclass, "jetclass2": write_jetclass_parquet, "qg": write_qg, "toptagging": write_toptagging,
    "atlastop": write_atlas, "columns": write_columns,
}  # fmt: skip
"""Layouts whose files tell the class of each jet."""
BY_CLASS = {
    "jetnet": write_jetnet, "pfnano": write_pfnano, "delphes_candidates": write_candidates,
    "xaug_tree": write_xaug_tree,
}  # fmt: skip
"""Layouts of one file for each class."""
DISPLACED = ("jetclass", "jetclass2", "columns", "pfnano", "delphes_candidates")
"""Layouts that have impact parameters of tracks."""


def written(layout: str, jets: MadeJets, directory: Path) -> Path:
    """Write jets in a layout, and say what to give to `xaug.process`."""
    if layout in ONE:
        return ONE[layout](jets, directory)
    return by_class(layout, BY_CLASS[layout](jets, directory), directory)
