"""Identity of events: the same momenta count once, whatever the bytes, weights and order of a file."""

import dataclasses

import awkward as ak
import numpy as np
import pytest
import uproot

from xaug.data.dataset import Dataset
from xaug.formats.base import FinalState
from xaug.process.identity import event_identities


@pytest.fixture
def state():
    """Three events of 4, 0 and 3 particles."""
    rng = np.random.default_rng(1)
    return FinalState({name: rng.normal(size=7).astype("f4") for name in ("pt", "eta", "phi")}, np.array([4, 0, 3]))


class TestNumbers:
    def test_order_of_particles_does_not_matter(self, state):
        order = np.array([2, 0, 3, 1, 6, 4, 5])
        other = FinalState({name: values[order] for name, values in state.particles.items()}, state.counts)
        np.testing.assert_array_equal(event_identities(other), event_identities(state))

    def test_order_of_events_does(self, state):
        first, _, last = event_identities(state)
        order = np.array([4, 5, 6, 0, 1, 2, 3])
        other = FinalState({name: values[order] for name, values in state.particles.items()}, np.array([3, 0, 4]))
        np.testing.assert_array_equal(event_identities(other), [last, 0, first])

    @pytest.mark.parametrize("name", ["pt", "eta", "phi"])
    def test_the_least_change_of_a_momentum_does(self, state, name):
        particles = {key: values.copy() for key, values in state.particles.items()}
        particles[name][5] = np.nextafter(particles[name][5], np.float32(9))
        changed = event_identities(dataclasses.replace(state, particles=particles))
        assert (changed != event_identities(state)).tolist() == [False, False, True]

    def test_no_two_of_many_events_collide(self):
        rng = np.random.default_rng(2)
        n = 200_000
        particles = {name: rng.integers(0, 40, 2 * n).astype("f4") for name in ("pt", "eta", "phi")}
        found = event_identities(FinalState(particles, np.full(n, 2)))
        table = np.stack([particles[name].reshape(n, 2) for name in ("pt", "eta", "phi")], axis=2)
        code = (table @ np.array([1, 100, 10_000])).astype(int)
        assert len(np.unique(found)) == len(np.unique(np.sort(code, axis=1), axis=0))


def some(*ranges):
    """A change of a file that takes ranges of its events, one after the other."""

    def change(branches):
        branches.update(
            {name: ak.concatenate([values[start:stop] for start, stop in ranges]) for name, values in branches.items()}
        )

    return change


def events(output):
    dataset = Dataset.open(output)
    return len(dataset.load(["label"])["label"]), dataset.manifest


class TestFiles:
    """The sample has 20 events; `good` is all of them."""

    @pytest.mark.parametrize("case", ["byte", "compression", "weights", "order", "label", "part"])
    def test_copies_count_once(self, case, good_file, make_file, tmp_path, process_command, jets_of_good):
        copy = tmp_path / "copy.root"
        if case == "byte":
            copy.write_bytes(good_file.read_bytes() + b"\0")
        elif case == "compression":
            with uproot.open(good_file) as old, uproot.recreate(copy, compression=None) as new:
                arrays = {key: old["T"][key].array() for key in old["T"].keys() if not key.startswith("n")}  # noqa: SIM118
                new.mktree("T", {key: values.type for key, values in arrays.items()})
                new["T"].extend(arrays)
                new["xaug"] = str(old["xaug"])
        elif case == "weights":
            make_file(copy, lambda branches: branches.update(weight=3 * branches["weight"]))
        elif case == "order":
            make_file(copy, some((10, 20), (0, 10)))
        elif case == "label":
            make_file(copy, metadata={"label": 0, "process": "qcd"})
        else:
            make_file(copy, some((4, 17)))
        result = process_command(good_file, copy, "-o", tmp_path / "out")
        if case == "label":
            assert result.exit_code in (1, 3) and "good.root" in result.output + result.stderr
            return
        assert result.exit_code == 3, result.stderr
        assert f"holds the same events as {good_file if case == 'part' else ''}" in result.stdout
        found, manifest = events(tmp_path / "out")
        assert found == len(jets_of_good["label"])
        assert len(manifest["skips"]) == 1

    def test_halves_are_no_copies(self, make_file, tmp_path, process_command, jets_of_good):
        files = [make_file(tmp_path / f"{i}.root", some((10 * i, 10 * i + 10))) for i in (0, 1)]
        assert process_command(*files, "-o", tmp_path / "out").exit_code == 0
        found, _ = events(tmp_path / "out")
        assert found == len(jets_of_good["label"])

    def test_merged_files_that_overlap_are_told(self, make_file, tmp_path, process_command):
        files = [make_file(tmp_path / f"{i}.root", some(range_)) for i, range_ in enumerate([(0, 14), (8, 20)])]
        result = process_command(*files, "-o", tmp_path / "out")
        assert result.exit_code == 3
        assert "1.root: shares " in result.stdout and f"selected events with {files[0]}" in result.stdout
        ids = Dataset.open(tmp_path / "out").load(["xaug"])["xaug"]
        assert len(np.unique(ids, axis=0)) == len(ids)

    def test_a_file_merged_with_itself_is_told(self, make_file, tmp_path, process_command):
        file = make_file(tmp_path / "twice.root", some((0, 20), (0, 20)))
        result = process_command(file, "-o", tmp_path / "out")
        assert result.exit_code == 1 and "selected events again" in result.stderr


class TestUnits:
    def scaled(self, branches):
        branches.update({name: 1000 * branches[name] for name in ("constituent_pt", "constituent_m")})

    def test_mev_beside_gev(self, good_file, make_file, tmp_path, process_command):
        make_file(tmp_path / "mev.root", self.scaled)
        result = process_command(good_file, tmp_path / "mev.root", "-o", tmp_path / "out")
        assert result.exit_code == 3
        assert "mev.root: " in result.stdout and "in MeV" in result.stdout

    @pytest.mark.parametrize("factor", ["mev", "soft"])
    def test_a_class_without_jets_is_an_error(self, factor, good_file, make_file, tmp_path, process_command):
        def soft(branches):
            branches.update({name: branches[name] / 10 for name in ("constituent_pt", "constituent_m")})

        metadata = {"label": 0, "process": "qcd"}
        make_file(tmp_path / "other.root", self.scaled if factor == "mev" else soft, metadata=metadata)
        result = process_command(good_file, tmp_path / "other.root", "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert "class background has 0 jets" in result.stderr and "MeV" in result.stderr
        assert not (tmp_path / "out" / "manifest.json").exists()
