import json

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents import BaseSchema, NanoEventsFactory

from xaug.formats.base import UnsuitableFile
from xaug.formats.tree_writer import JET_LAYOUT, Collection, TreeWriter
from xaug.formats.xaug_tree import read_metadata

COUNTERS = {"jet": "nJet", "gen": "nGen", "constituent": "nConstituent"}
FLOATS = {"pt", "eta", "phi", "m", "vxx", "vyy", "vzz", "tau"}
PARTICLE = FLOATS | {"id", "status", "mother1", "mother2", "daughter1", "daughter2", "col"}
COLUMNS = {"jet": {"pt", "eta", "phi", "m", "nc"}, "gen": PARTICLE, "constituent": PARTICLE | {"jetndx"}}
METADATA = {"process": "zbb", "label": 1, "note": "π → γγ"}


def random_column(random, name, n):
    """All of a type's values: any bit pattern of a float32 (with NaN, infinities, denormals), any int32."""
    bits = random.integers(0, 2**32, n, dtype=np.uint64).astype(np.uint32)
    return bits.view(np.float32) if name in FLOATS else bits.view(np.int32)


def bits(array):
    return np.asarray(array).view(np.uint32)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file of 2500 random events, written in uneven pieces, and what was written: scalars, columns, counts."""
    random = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("tree") / "random.root"
    writer = TreeWriter(path)
    truth = []
    start = 0
    for n in (1, 0, 699, 800, 1000):
        scalars = {"eventNum": np.arange(start, start + n) * 10_000_000_019, "weight": random.normal(size=n) * 1e-12}
        collections = {}
        for name, columns in COLUMNS.items():
            counts = random.integers(0, 6, n)
            counts[:: 1 + len(name)] = 0  # events without jets, partons or constituents
            if start == 1:
                counts[:] = 0  # a whole piece without any
            flat = {c: random_column(random, c, counts.sum()) for c in sorted(columns)}
            collections[name] = Collection(flat, counts)
        writer.add(scalars, collections)
        truth.append((scalars, collections))
        start += n
    writer.close(METADATA)

    def gathered(pick):
        return np.concatenate([pick(piece) for piece in truth])

    return (
        path,
        {name: gathered(lambda piece, name=name: piece[0][name]) for name in ("eventNum", "weight")},
        {
            f"{outer}_{inner}": gathered(lambda piece, o=outer, i=inner: piece[1][o].columns[i])
            for outer, columns in COLUMNS.items()
            for inner in columns
        },
        {name: gathered(lambda piece, name=name: piece[1][name].counts) for name in COLUMNS},
    )


def test_layout_is_that_of_the_paper():
    assert {name: set(columns.types) for name, columns in JET_LAYOUT.collections.items()} == COLUMNS


def test_reads_back_by_uproot(written):
    path, scalars, columns, counts = written
    with uproot.open(path) as file:
        tree = file["T"]
        assert tree.num_entries == 2500
        assert set(tree.keys()) == {*scalars, *columns, *COUNTERS.values()}
        for name, expected in scalars.items():
            found = tree[name].array(library="np")
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
        for name, expected in counts.items():
            np.testing.assert_array_equal(tree[COUNTERS[name]].array(library="np"), expected)
        for name, expected in columns.items():
            outer, inner = name.split("_")
            found = tree[name].array()
            flat = ak.to_numpy(ak.flatten(found))
            assert flat.dtype == (np.float32 if inner in FLOATS else np.int32), name
            np.testing.assert_array_equal(ak.num(found), counts[outer], err_msg=name)
            np.testing.assert_array_equal(bits(flat), bits(expected), err_msg=name)


def test_reads_back_by_coffea(written):
    path, scalars, columns, counts = written
    events = NanoEventsFactory.from_root({str(path): "T"}, schemaclass=BaseSchema, mode="eager").events()
    assert set(events.fields) == {*scalars, *columns, *COUNTERS.values()}
    for name, expected in scalars.items():
        np.testing.assert_array_equal(ak.to_numpy(events[name]), expected)
    for name, expected in counts.items():
        np.testing.assert_array_equal(ak.to_numpy(events[COUNTERS[name]]), expected)
    for name, expected in columns.items():
        np.testing.assert_array_equal(ak.num(events[name]), counts[name.split("_")[0]], err_msg=name)
        flat = ak.to_numpy(ak.flatten(events[name]))
        assert flat.dtype == expected.dtype
        np.testing.assert_array_equal(bits(flat), bits(expected), err_msg=name)


def test_reads_back_in_chunks(written):
    path, _, columns, _ = written
    with uproot.open(path) as file:
        chunks = [chunk["gen_id"] for chunk in file["T"].iterate(["gen_id"], step_size=300)]
    assert len(chunks) == 9
    np.testing.assert_array_equal(ak.to_numpy(ak.flatten(ak.concatenate(chunks))), columns["gen_id"])


def test_baskets_hold_about_a_thousand_events(written):
    with uproot.open(written[0]) as file:
        for name, branch in file["T"].items():
            sizes = np.diff(branch.entry_offsets)
            assert len(sizes) >= 2, name
            assert sizes.max() <= 2000, name


def test_metadata(written):
    with uproot.open(written[0]) as file:
        assert json.loads(str(file["xaug"])) == METADATA
        assert read_metadata(file) == METADATA


def test_no_events(tmp_path):
    writer = TreeWriter(tmp_path / "none.root")
    writer.close(METADATA)
    with uproot.open(tmp_path / "none.root") as file:
        assert file["T"].num_entries == 0
        assert len(file["T"]["constituent_pt"].array()) == 0
        assert read_metadata(file) == METADATA


def test_metadata_of_foreign_file_is_empty(tmp_path):
    with uproot.recreate(tmp_path / "foreign.root") as file:
        file["other"] = "text"
    with uproot.open(tmp_path / "foreign.root") as file:
        assert read_metadata(file) == {}


def test_metadata_that_is_no_json(tmp_path):
    with uproot.recreate(tmp_path / "bad.root") as file:
        file["xaug"] = "{'process'"
    with uproot.open(tmp_path / "bad.root") as file, pytest.raises(UnsuitableFile, match="has damaged 'xaug' metadata"):
        read_metadata(file)
