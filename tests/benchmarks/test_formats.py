"""The same jets in every layout: all of processing against the bare fastjet calls on them, and two workers against one.

    python -m pytest -m benchmark -s tests/benchmarks/test_formats.py

Times are those of the processor, so that other work on the machine counts little. Only the two workers need a quiet
machine with two cores.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import fastjet
import numpy as np
import pytest
import uproot
from layout_writers import by_class, make_jets, write_candidates, write_layouts, write_xaug_tree

import xaug
from xaug.formats.momenta import FourVectors
from xaug.jets import clustering
from xaug.jets.cuts import Selection
from xaug.jets.jets import BETAS, OPEN
from xaug.jets.processor import JetSettings
from xaug.process.stage import process

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]
JETS, ROUNDS = 2000, 3
PARTICLES = (30, 90)
"""Particles of a jet: some 60, as in a jet of 500 GeV."""
CLUSTERED = {"candidates", "xaug_tree"}
"""Layouts of particles, whose jets are clustered."""
AXES = {"measure_definition": "UnnormalizedMeasure", "axes_definition": "OnePass_WTA_KT_Axes", "njets": [1, 2, 3]}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    directory = tmp_path_factory.mktemp("layouts")
    jets = make_jets(JETS, PARTICLES)
    given = write_layouts(jets, directory)
    for name, form, write in (
        ("candidates", "delphes_candidates", write_candidates), ("xaug_tree", "xaug_tree", write_xaug_tree),
    ):  # fmt: skip
        place = directory / name
        place.mkdir()
        given[name] = by_class(form, write(jets, place), place)
    return given


def bare_fastjet(jets):
    """What every layout needs of fastjet for jets with these constituents; with anti-kt first where jets are found."""
    own = jets.columns
    particles = FourVectors(own["px"], own["py"], own["pz"], own["energy"], jets.counts)
    groomed = clustering.groom(particles, 0.1)[1].packed()
    packed = particles.packed()
    antikt = fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8)
    cambridge = fastjet.JetDefinition(fastjet.cambridge_algorithm, 100.0)

    def calls(cluster):
        if cluster:
            fastjet.ClusterSequence(packed, antikt).constituent_index(min_pt=100.0)
        fastjet.ClusterSequence(packed, cambridge).exclusive_jets_softdrop_grooming(
            njets=1, beta=0.0, symmetry_cut=0.1, R0=0.8
        )
        tree = fastjet.ClusterSequence(groomed, cambridge)
        tree.exclusive_jets_constituent_index(njets=2)
        for sequence in (fastjet.ClusterSequence(packed, cambridge), tree):
            for beta in BETAS:
                sequence.njettiness(**AXES, beta=beta)

    return calls


def seconds(work, *arguments, **options):
    """Seconds of processor time of a call."""
    start = time.process_time()
    work(*arguments, **options)
    return time.process_time() - start


def test_every_layout_against_fastjet_and_our_own_tree(layouts, tmp_path, capsys):
    """At least 85% of the rate of bare fastjet wherever jets are clustered; PFNano and JetClass 80% of our own tree."""
    clustered = JetSettings(selection=Selection(**{**OPEN, "pt_min": 100.0, "jets_per_event": 1, "truth": "none"}))
    calls = bare_fastjet(make_jets(JETS, PARTICLES))
    times = {name: [] for name in layouts}
    over_fastjet = {name: [] for name in layouts}
    for turn in range(ROUNDS + 1):  # the first warms up
        bare = {cluster: seconds(calls, cluster) for cluster in (False, True)}
        for name, path in layouts.items():
            settings = clustered if name in CLUSTERED else None
            directory = tmp_path / f"{name}{turn}"
            spent = seconds(process, [path], directory, settings)
            assert len(xaug.Dataset.open(directory)) == JETS
            if turn:
                times[name].append(spent)
                over_fastjet[name].append(bare[name in CLUSTERED] / spent)
    rate = {name: JETS / statistics.median(found) for name, found in times.items()}
    bare_rate = {name: statistics.median(found) for name, found in over_fastjet.items()}
    with capsys.disabled():
        print()
        for name in layouts:
            print(f"{name}: {rate[name]:.0f} jets/s, {bare_rate[name]:.2f} of the rate of bare fastjet")
    assert min(bare_rate[name] for name in CLUSTERED) > 0.85
    assert min(rate[name] for name in ("pfnano", "jetclass", "jetclass2")) > 0.8 * rate["xaug_tree"]


def test_two_workers_against_one(tmp_path, capsys):
    """At least 1.8 times as fast by the clock, with the start of the command and of its workers taken off.

    Two sizes of the same command tell the time of a jet from that of a start.
    """
    sizes = (4_000, 40_000)
    spent = {}
    for size in sizes:
        place = tmp_path / f"{size}"
        place.mkdir()
        given = write_layouts(make_jets(size, PARTICLES), place)["jetclass"]
        for workers in (1, 2):
            command = [sys.executable, "-m", "xaug.process", given, "-o", place / f"jets{workers}",
                       "--executor", "futures", "--workers", str(workers), "--chunksize", "1000"]  # fmt: skip
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            spent[size, workers] = time.perf_counter() - start
    per_jet = {workers: np.diff([spent[size, workers] for size in sizes])[0] for workers in (1, 2)}
    whole = spent[sizes[1], 1] / spent[sizes[1], 2]
    with capsys.disabled():
        print(f"\ntwo workers over one, {sizes[1]} jets: {per_jet[1] / per_jet[2]:.2f}; with their start: {whole:.2f}")
    assert per_jet[1] / per_jet[2] > 1.8


def read_trees(directory):
    return [uproot.open(path)["T"] for path in directory.glob("*/*.root")]


def test_many_small_files(tmp_path, capsys):
    """200 files of 10 events against two of 1,000, and against what uproot needs to read the 200 trees alone, once."""
    jets = make_jets(JETS, PARTICLES)
    part = np.arange(JETS) // 20
    sets = {"two": [jets], "many": [jets.some(part == number) for number in range(JETS // 20)]}
    spent = {name: [] for name in (*sets, "trees")}
    for name, own in sets.items():
        for number, some in enumerate(own):
            (tmp_path / name / f"{number}").mkdir(parents=True)
            write_xaug_tree(some, tmp_path / name / f"{number}")
        given = {label: Path("*") / f"{label}.root" for label in ("QCD", "Hbb")}
        (tmp_path / name / "all.yaml").write_text(
            "format: xaug_tree\nfiles:\n" + "".join(f"  {label}: '{path}'\n" for label, path in given.items())
        )
    settings = JetSettings(selection=Selection(**{**OPEN, "pt_min": 100.0, "jets_per_event": 1, "truth": "none"}))
    for turn in range(ROUNDS + 1):  # the first warms up
        for name in sets:
            directory = tmp_path / f"{name}{turn}"
            spent[name].append(seconds(process, [tmp_path / name / "all.yaml"], directory, settings))
            assert len(xaug.Dataset.open(directory)) == JETS
        spent["trees"].append(seconds(read_trees, tmp_path / "many"))
    two, many, trees = (statistics.median(spent[name][1:]) for name in ("two", "many", "trees"))
    with capsys.disabled():
        print(f"\n200 small files over two: {many / two:.1f}; their trees alone, by uproot, once: {trees / two:.1f}")
