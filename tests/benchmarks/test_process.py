"""Processing: all of it against the fastjet calls in it; images and lists; memory of the main process."""

import subprocess
import sys
import time

import fastjet
import numpy as np
import pytest
import uproot

from xaug import variables
from xaug.formats.base import FORMATS, Wanted
from xaug.formats.momenta import NEUTRINOS, FourVectors, kinematics
from xaug.formats.xaug_tree import XAUG_TREE
from xaug.generate.zbb import generate
from xaug.jets.constituents import make_list
from xaug.jets.images import make_images
from xaug.jets.processor import JetProcessor, JetSettings
from xaug.jets.selection import Selection, select_jets
from xaug.process.chunks import Chunk, Outcome, PartProcessor
from xaug.process.inputs import inspect
from xaug.process.search import Candidate

pytestmark = pytest.mark.benchmark
JETS = 1000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("benchmark") / "files"
    generate(directory, jets=JETS, seed=21)
    return sorted(directory.glob("*.root"))


def events_of(path, label):
    entries = uproot.open(path)["T"].num_entries
    with XAUG_TREE.open(str(path), "T", 0, entries) as chunk:
        return XAUG_TREE.read_particles(chunk, Wanted(partons=label == 1), 0)


def bare_fastjet(path, label):
    """The same fastjet calls on arrays that are ready for them; returns the function that makes them."""
    events = events_of(path, label)
    jets, _ = select_jets(events, Selection(), substructure=False)
    visible = ~np.isin(np.abs(events.particles["id"]), NEUTRINOS)
    owner = np.repeat(np.arange(len(events)), events.counts)[visible]
    c = events.particles
    all_particles = FourVectors.from_pt_eta_phi_mass(
        *(c[n][visible] for n in ("pt", "eta", "phi", "mass")), np.bincount(owner, minlength=len(events))
    ).packed()
    antikt = fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8)
    ca = fastjet.JetDefinition(fastjet.cambridge_algorithm, 100.0)
    # leading jets within |eta| are groomed, selected ones get their subjets and N-subjettiness
    from xaug.jets import clustering

    event, index, found = clustering.cluster(
        FourVectors.from_pt_eta_phi_mass(
            *(c[n][visible] for n in ("pt", "eta", "phi", "mass")), np.bincount(owner, minlength=len(events))
        ),
        0.8,
        200.0,
    )
    first = np.flatnonzero(np.arange(len(event)) == np.searchsorted(event, event))
    p = kinematics(found.totals())
    first = first[np.abs(p["eta"][first]) < 2.4]
    leading = clustering.regroup(found, index, first)[1]
    _, groomed, _ = clustering.groom(leading, 0.1)
    chosen = np.flatnonzero(np.isin(event[first], jets.event))
    selected = clustering.regroup(leading, np.zeros(len(leading.px)), chosen)[1].packed()
    kept = clustering.regroup(groomed, np.zeros(len(groomed.px)), chosen)[1].packed()
    leading = leading.packed()
    options = {
        "measure_definition": "UnnormalizedMeasure", "axes_definition": "OnePass_WTA_KT_Axes", "njets": [1, 2, 3],
    }  # fmt: skip

    def calls():
        fastjet.ClusterSequence(all_particles, antikt).constituent_index(min_pt=200.0)
        fastjet.ClusterSequence(leading, ca).exclusive_jets_softdrop_grooming(
            njets=1, beta=0.0, symmetry_cut=0.1, R0=0.8
        )
        tree = fastjet.ClusterSequence(kept, ca)
        tree.exclusive_jets_constituent_index(njets=2)
        for sequence in (fastjet.ClusterSequence(selected, ca), tree):
            for beta in (0.5, 1.0, 2.0):
                sequence.njettiness(**options, beta=beta)

    return calls


@pytest.mark.parametrize("index", [0, 1], ids=["qcd", "zbb"])
def test_processing_is_mostly_fastjet(ratio, files, tmp_path, index):
    """From the ROOT file to the written part: at least 85% of the rate of its fastjet calls alone."""
    path, label = files[index], index
    processor = JetProcessor(JetSettings())
    work = PartProcessor(tmp_path, processor, FORMATS)
    file = inspect(Candidate("b", str(path), None, {"label": label}), processor)

    def whole():
        for part in tmp_path.glob("*.h5"):
            part.unlink()
        assert work(Chunk(file, 0, file.entries)) == Outcome()
        assert list(tmp_path.glob("*.h5"))

    slower = ratio(f"process {path.stem}", whole, bare_fastjet(path, label), 7, JETS, "selected jets")
    assert 1 / slower > 0.85


def test_images_and_lists_stay_flat(files, capsys):
    """Under 100 us a jet together."""
    jets, _ = select_jets(events_of(files[1], 1), Selection(), substructure=False)
    columns = [row.compute for row in variables.rows("jets", "list")]
    times = []
    for _ in range(7):
        start = time.perf_counter()
        make_images(jets)
        make_list(jets, columns)
        times.append((time.perf_counter() - start) / len(jets))
    with capsys.disabled():
        print(f"\nimages and lists: {1e6 * np.median(times):.0f} us a jet (limit 100)")
    assert np.median(times) < 100e-6


MEMORY = """
import sys
from xaug.process.stage import process
process([sys.argv[1]], sys.argv[2], executor="futures", workers=2, chunksize=int(sys.argv[3]))
# VmHWM: peak of this program alone; ru_maxrss would begin with the memory of the process that started it
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_of_the_main_process_is_flat(files, tmp_path, capsys):
    """Ten and a hundred chunks of one size: the same file once, and ten copies of it."""
    import shutil

    entries = uproot.open(files[0])["T"].num_entries
    chunk = -(-entries // 10)
    peak = {}
    for copies in (1, 10):
        directory = tmp_path / f"{copies}"
        directory.mkdir()
        for i in range(copies):
            shutil.copy(files[0], directory / f"{i}.root")
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(directory), str(tmp_path / f"data{copies}"), str(chunk)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        peak[copies] = int(done.stdout.split()[-1]) / 1024
    with capsys.disabled():
        print(f"\nmain process: {peak[1]:.0f} MB with 10 chunks, {peak[10]:.0f} MB with 100: {peak[10] / peak[1]:.3f}")
    assert peak[10] / peak[1] < 1.2
