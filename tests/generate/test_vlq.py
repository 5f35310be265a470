"""The vlq sample: decays, cross sections, filter, what is stored; and that its thresholds sculpt nothing."""

import json
import re
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from xaug.core.errors import ConfigurationError
from xaug.data.splits import event_ids
from xaug.events.cuts import EventSelection
from xaug.events.detector import Detector
from xaug.events.presets import PRESETS
from xaug.events.selection import select_events
from xaug.formats.xaug_tree import XAUG_TREE
from xaug.generate import blocks
from xaug.generate.__main__ import main
from xaug.generate.filters import Filter
from xaug.generate.pythia import Generator, read_card, subruns
from xaug.generate.regimes import REGIMES, Stored
from xaug.generate.vlq import (
    PROCESSES,
    card_of,
    cross_section,
    generate,
    last_copies,
    shipped_card,
    stored_events,
)

PHI = 9000001
EVENTS, PER_BLOCK, SEED = 30, 20, 5
PARTONS_ONLY = ["PartonLevel:all = off", "HadronLevel:all = off"]


def card(name: str) -> list[str]:
    return read_card(shipped_card(name))


def setting(lines: list[str], key: str) -> float | None:
    return next((float(line.split("=")[1]) for line in lines if line.startswith(key + " ")), None)


class TestCards:
    @pytest.mark.parametrize("preset", PRESETS)
    def test_thresholds_are_at_most_a_third_of_the_cut(self, preset):
        """On pTHat; the sum of the pT of partons is nearly never less than HT."""
        for name, own in REGIMES[preset].thresholds.items():
            assert name in PROCESSES and name != "signal"
            assert own.pthat <= PRESETS[preset].ht_min / 3
            assert own.parton_ht < PRESETS[preset].ht_min
            assert own.lepton_pt <= REGIMES[preset].stored.lepton_pt
            assert not (name.startswith("tt") and own.bias), "top pairs have unit weights"
            lines = card_of(name, REGIMES[preset])
            assert (setting(lines, "PhaseSpace:pTHatMin") or 0) == own.pthat
            assert (setting(lines, "PhaseSpace:bias2SelectionPow") or 0) == own.bias
            least = {"partonHT": own.parton_ht, "leptonPT": own.lepton_pt, "partons": own.partons}
            assert {key: setting(lines, f"xaug:{key}") or 0 for key in least} == least

    @pytest.mark.parametrize("name", PROCESSES)
    def test_shipped_cards_have_no_thresholds_of_their_own(self, name):
        assert not any(line.startswith(("PhaseSpace", "xaug")) for line in card(name))

    def test_two_signal_subruns_are_each_others_conjugates(self):
        one, two = subruns(card("signal"))
        swapped = [re.sub(r"Channel = ([23]) ", lambda m: f"Channel = {5 - int(m[1])} ", line) for line in one]
        assert one != two and swapped == two

    @pytest.mark.parametrize("name", ["tt1l", "tth", "ww"])
    def test_two_subruns_of_one_lepton_are_each_others_conjugates(self, name):
        one, two = subruns(card(name))
        swap = {"24:onPosIfAny": "24:onNegIfAny", "24:onNegIfAny": "24:onPosIfAny"}
        swapped = [swap.get(line.split(" ")[0], line.split(" ")[0]) + line[len(line.split(" ")[0]) :] for line in one]
        assert one != two and sorted(swapped) == sorted(two)

    def test_subruns(self):
        assert subruns(["a = 1", "b = 2"]) == [["a = 1", "b = 2"]]
        lines = ["a = 1", "Main:subrun = 1", "b = 2", "c = 3", "Main:subrun=2", "d = 4"]
        assert subruns(lines) == [["a = 1", "b = 2", "c = 3"], ["a = 1", "d = 4"]]


class TestSignal:
    @pytest.mark.parametrize(("subrun", "to_top"), [(0, 7), (1, -7)])
    def test_decay_table(self, subrun, to_top):
        table = Generator(subruns(card("signal"))[subrun], 1).pythia.particleData
        b_prime = table.particleDataEntryPtr(7)
        assert (b_prime.m0(), b_prime.mWidth(), b_prime.sizeChannels()) == (1500, 15, 2)
        channels = {
            tuple(sorted(abs(c.product(i)) for i in range(c.multiplicity()))): c
            for c in (b_prime.channel(i) for i in range(2))
        }
        assert set(channels) == {(6, 24), (5, PHI)}
        for channel in channels.values():
            assert channel.bRatio() == pytest.approx(0.5)
            assert channel.meMode() == 103
        # 2: open for the particle only; 3: for the antiparticle only
        assert channels[6, 24].onMode() == (2 if to_top == 7 else 3)
        assert channels[5, PHI].onMode() == (3 if to_top == 7 else 2)
        phi = table.particleDataEntryPtr(PHI)
        assert (phi.m0(), phi.sizeChannels()) == (400, 1)
        assert sorted(phi.channel(0).product(i) for i in range(2)) == [-5, 5]

    @pytest.mark.parametrize(("subrun", "to_top"), [(0, 7), (1, -7)])
    def test_decays_of_events(self, subrun, to_top):
        """Every event: one b' to t W, the other to b Phi, Phi to b bbar; at the masses asked for."""
        generator = Generator([*subruns(card("signal"))[subrun], "PartonLevel:MPI = off"], 2, Filter(leptonic=True))
        batch = generator.next(20)
        starts = np.cumsum(batch.counts) - batch.counts
        sign = np.sign(to_top)
        for start, count in zip(starts, batch.counts, strict=True):
            record = {name: values[start : start + count] for name, values in batch.particles.items()}
            daughters = {}
            for identity in (to_top, -to_top, PHI):
                (last,) = [
                    i
                    for i in np.flatnonzero(record["id"] == identity)
                    if record["id"][record["daughter1"][i]] != identity
                ]
                own = record["daughter1"][last], record["daughter2"][last]
                daughters[identity] = sorted(record["id"][list(own)].tolist(), key=abs)
                assert record["m"][last] == pytest.approx(400 if identity == PHI else 1500, rel=0.15)
            assert daughters == {to_top: [6 * sign, -24 * sign], -to_top: [-5 * sign, PHI], PHI: daughters[PHI]}
            assert sorted(daughters[PHI]) == [-5, 5]


class TestCrossSection:
    """Branching fractions of forced decays are in the cross section; by the process level alone, which is fast."""

    def sigma(self, lines, n=2000, leptonic=False) -> tuple[float, float]:
        generator = Generator([*lines, *PARTONS_ONLY], 3, Filter(leptonic=leptonic))
        for _ in range(n // 500):
            generator.next(500)
        return generator.cross_section()

    @staticmethod
    def open_decays(lines, keys):
        return [line for line in lines if not line.startswith(keys)]

    def test_signal(self):
        """2 B(tW) B(b Phi) = 1/2 of all b' pairs."""
        lines = card("signal")
        one, two = (self.sigma(run) for run in subruns(lines))
        every = [re.sub(r"Channel = [23] ", "Channel = 1 ", line) for line in subruns(lines)[0]]
        whole, error = self.sigma(every)
        part = one[0] + two[0]
        assert part == pytest.approx(whole / 2, abs=5 * np.hypot(np.hypot(one[1], two[1]), error / 2))

    def test_top_pairs_with_one_lepton(self):
        """2 B(W -> l nu) B(W -> q q') of all top pairs, with the branching fractions in Pythia's table."""
        runs = subruns(card("tt1l"))
        part = np.array([self.sigma(run) for run in runs])
        whole, error = self.sigma(self.open_decays(runs[0], "24:"))
        w = Generator(self.open_decays(runs[0], "24:"), 1).pythia.particleData.particleDataEntryPtr(24)
        channels = [w.channel(i) for i in range(w.sizeChannels())]
        leptonic = sum(c.bRatio() for c in channels if any(abs(c.product(i)) in (11, 13, 15) for i in range(2)))
        fraction = 2 * leptonic * (1 - leptonic)
        tolerance = 5 * np.hypot(np.hypot(*part[:, 1]), fraction * error)
        assert part[:, 0].sum() == pytest.approx(fraction * whole, abs=tolerance)

    def test_filter(self):
        """Of ZZ to quarks and charged leptons: 1 - P(quarks)^2."""
        lines = card("zz")
        whole, error = self.sigma(lines)
        part, own_error = self.sigma(lines, leptonic=True)
        z = Generator(lines, 1).pythia.particleData.particleDataEntryPtr(23)
        ratios = {abs(z.channel(i).product(0)): z.channel(i).bRatio() for i in range(z.sizeChannels())}
        quarks, leptons = (sum(ratios[i] for i in ids) for ids in ((1, 2, 3, 4, 5), (11, 13, 15)))
        fraction = 1 - (quarks / (quarks + leptons)) ** 2
        assert part == pytest.approx(fraction * whole, abs=5 * np.hypot(own_error, fraction * error))

    def test_unequal_subruns_are_refused(self):
        """Events are shared evenly, so 15 and 3 channels of the W cannot be subruns of one card."""

        class Fixed:
            def __init__(self, sigma):
                self.sigma = sigma

            def cross_section(self):
                return self.sigma

        assert cross_section([Fixed((1.0, 0.1)), Fixed((1.1, 0.1))], "x") == pytest.approx((2.1, np.sqrt(0.02)))
        with pytest.raises(ConfigurationError, match=r"process x: its subruns have cross sections 1e\+09, 2e\+09 pb"):
            cross_section([Fixed((1.0, 0.01)), Fixed((2.0, 0.01))], "x")


def test_filter_keeps_what_has_a_lepton():
    batch = Generator(card("zz"), 4, Filter(leptonic=True)).next(40)
    event = np.repeat(np.arange(len(batch)), batch.counts)
    hard = np.isin(np.abs(batch.particles["id"]), (11, 13, 15)) & (np.abs(batch.particles["status"]) == 23)
    assert len(set(event[hard])) == len(batch) == 40


@pytest.fixture(scope="module")
def batch():
    """150 top pairs of large pT."""
    return Generator(subruns(card("tt1l"))[0], 6, Filter(leptonic=True, parton_ht=400)).next(150)


def stored_collisions(batch, cuts):
    """Positions of the stored events of a batch, and what is read of them."""
    events, collections = stored_events(batch, cuts)
    branches = {
        f"{name}_{column}": ak.unflatten(values, own.counts)
        for name, own in collections.items()
        for column, values in own.columns.items()
    }
    return events, XAUG_TREE.read_collisions(branches, 0)


class TestStored:
    @staticmethod
    def passed(batch, cuts) -> list[int]:
        """Events of the batch that pass the selection, from what is stored of it."""
        events, content = stored_collisions(batch, cuts)
        objects, _, _ = select_events(content, event_ids("x", events), EventSelection(), Detector())
        return events[objects.event].tolist()

    def test_nothing_is_lost_that_passes_the_selection(self, batch):
        everything = Stored(lepton_pt=0.0, lepton_eta=99.0, ht=-1.0)
        found = self.passed(batch, Stored())
        assert len(found) > 3
        assert found == self.passed(batch, everything)

    def test_last_copies(self, batch):
        """None is the mother of one like it, and every b quark has such a descendant."""
        chosen = np.flatnonzero(last_copies(batch, (4, 5)))
        identity = batch.particles["id"]
        assert set(np.abs(identity[chosen])) == {4, 5}
        mothers = np.repeat(np.cumsum(batch.counts) - batch.counts, batch.counts) + batch.particles["mother1"]
        assert not np.any(np.isin(mothers, chosen) & (identity[mothers] == identity))
        # two tops, which nearly always decay to b and bbar
        event = np.repeat(np.arange(len(batch)), batch.counts)
        for sign in (-5, 5):
            assert set(event[chosen][identity[chosen] == sign]) == set(event[identity == sign])
            assert len(set(event[identity == sign])) > 0.97 * len(batch)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """30 events of signal and WZ in blocks of 20, by two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "EVENTS_PER_BLOCK", PER_BLOCK)
        output = tmp_path_factory.mktemp("vlq") / "sample"
        generate(output, events=EVENTS, seed=SEED, workers=2, processes=["signal", "singletop_s"])
    return output


def content(path: Path) -> tuple[dict, dict]:
    with uproot.open(path) as file:
        arrays = file["T"].arrays()
        return {name: arrays[name].to_list() for name in arrays.fields}, json.loads(str(file["xaug"]))


class TestSample:
    def test_files_say_what_they_are(self, sample):
        manifest = json.loads((sample / "manifest.json").read_text())
        for name, label in (("signal", 1), ("singletop_s", 0)):
            files = [content(sample / f"vlq_{name}_0000{block}.root") for block in (0, 1)]
            assert [metadata["events_generated"] for _, metadata in files] == [20, 10]
            total = manifest["totals"][name]
            assert total["events_generated"] == EVENTS
            assert total["sum_weight"] == pytest.approx(sum(metadata["sum_weight"] for _, metadata in files))
            for branches, metadata in files:
                assert (metadata["process"], metadata["label"], metadata["kind"]) == (name, label, "events")
                assert 0 < metadata["xsec_error"] < metadata["xsec"]
                assert metadata["events_stored"] == len(branches["weight"]) > 0
                assert sum(branches["weight"]) <= metadata["sum_weight"] * (1 + 1e-9)
        assert manifest["totals"]["signal"]["sum_weight"] == EVENTS
        assert manifest["totals"]["singletop_s"]["sum_weight"] != EVENTS

    def test_weights_undo_the_bias(self, sample):
        """Pythia's weight is (reference / pTHat)^power, that of the card."""
        branches, metadata = content(sample / "vlq_singletop_s_00000.root")
        power, reference = (setting(metadata["card"], f"PhaseSpace:bias2Selection{k}") for k in ("Pow", "Ref"))
        expected = (reference / np.array(branches["pthat"])) ** power
        np.testing.assert_allclose(branches["weight"], expected, rtol=1e-5)

    def test_both_charges_in_every_file(self, sample):
        for block in (0, 1):
            branches, _ = content(sample / f"vlq_signal_0000{block}.root")
            to_top = [
                next(i for i, status in zip(ids, states, strict=True) if abs(i) == 6 and abs(status) == 22)
                for ids, states in zip(branches["gen_id"], branches["gen_status"], strict=True)
            ]
            assert {6, -6} == set(to_top)

    def test_stored_particles(self, sample):
        branches, _ = content(sample / "vlq_signal_00000.root")
        for pts, etas, ids, status in zip(
            *(branches[f"particle_{c}"] for c in ("pt", "eta", "id", "status")), strict=True
        ):
            assert np.max(np.abs(etas)) < 5
            assert not {12, 14, 16} & set(map(abs, ids)) and min(status) > 0
            assert any(abs(i) in (11, 13) and pt > 20 for i, pt in zip(ids, pts, strict=True))

    def test_same_events_whatever_the_workers_and_the_other_processes(self, sample, tmp_path, monkeypatch):
        monkeypatch.setattr(blocks, "EVENTS_PER_BLOCK", PER_BLOCK)
        generate(tmp_path / "one", events=EVENTS, seed=SEED, workers=1, processes=["singletop_s"])
        for block in (0, 1):
            name = f"vlq_singletop_s_0000{block}.root"
            assert content(tmp_path / "one" / name) == content(sample / name)

    def test_processes_have_numbers_of_their_own(self, sample, tmp_path, monkeypatch):
        """Blocks do not depend on them, so all but the last are those of another number."""
        monkeypatch.setattr(blocks, "EVENTS_PER_BLOCK", PER_BLOCK)
        asked = ["vlq", "--events", "25", "--events-of", "singletop_s=20", "--seed", str(SEED), "--workers", "1"]
        output = tmp_path / "own"
        result = CliRunner().invoke(main, [*asked, "--processes", "signal,singletop_s", "-o", str(output)])
        assert result.exit_code == 0, result.output
        totals = json.loads((output / "manifest.json").read_text())["totals"]
        assert {name: own["events_generated"] for name, own in totals.items()} == {"signal": 25, "singletop_s": 20}
        name = "vlq_singletop_s_00000.root"
        assert content(output / name) == content(sample / name)
        refused = CliRunner().invoke(main, [*asked, "--processes", "signal", "-o", str(output)])
        assert refused.exit_code == 1 and "was made with other settings" in refused.stderr

    def test_resumes(self, sample, tmp_path, monkeypatch):
        import shutil

        monkeypatch.setattr(blocks, "EVENTS_PER_BLOCK", PER_BLOCK)
        copy = Path(shutil.copytree(sample, tmp_path / "copy"))
        (copy / "manifest.json").unlink()
        (copy / "vlq_signal_00001.root").unlink()
        kept = (copy / "vlq_signal_00000.root").stat().st_mtime_ns
        generate(copy, events=EVENTS, seed=SEED, processes=["signal", "singletop_s"])
        assert (copy / "vlq_signal_00000.root").stat().st_mtime_ns == kept
        assert content(copy / "vlq_signal_00001.root") == content(sample / "vlq_signal_00001.root")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--processes", "tt1"], "unknown process 'tt1'; did you mean 'tt1l'"),
            (["--events-of", "tt1=5"], "unknown process 'tt1'; did you mean 'tt1l'"),
            (["--events-of", "tt1l=none"], "--events-of 'tt1l=none': must be NAME=NUMBER"),
            (["--card", "wjet=x.cmnd"], "unknown card 'wjet'; did you mean 'wjets'"),
            (["--card", "wjets=none.cmnd"], "card none.cmnd cannot be read"),
        ],
    )
    def test_wrong_options(self, options, message, tmp_path):
        result = CliRunner().invoke(main, ["vlq", "--events", "3", "-o", str(tmp_path / "o"), *options])
        assert result.exit_code == 1
        assert message in result.stderr
        assert not (tmp_path / "o").exists()

    def test_number_of_events_is_needed(self, tmp_path):
        result = CliRunner().invoke(main, ["vlq", "-o", str(tmp_path / "o")])
        assert result.exit_code == 2 and "--events" in result.stderr
