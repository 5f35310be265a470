import numpy as np
import pytest
import pythia8mc

from xaug.core.errors import ConfigurationError, XaugError
from xaug.generate.pythia import MAX_SEED, Generator, read_card, seed_of
from xaug.generate.zbb import shipped_card

FAST = ["Beams:eCM = 13000.", "HardQCD:all = on", "PhaseSpace:pTHatMin = 50.", "HadronLevel:all = off"]


@pytest.fixture(scope="module")
def generator():
    return Generator(FAST, seed=11)


class FailingPythia:
    """Pythia of which a given number of events of every batch fails."""

    def __init__(self, pythia, failing):
        self.pythia, self.failing = pythia, failing

    def nextBatch(self, n):
        return self.pythia.nextBatch(n)[self.failing :]


class TestCard:
    def test_comments_and_blanks_are_left_out(self, tmp_path):
        card = tmp_path / "own.cmnd"
        card.write_text("! all\n\nA:b = 1   ! one\n  # two\nC:d = on# three\n")
        assert read_card(card) == ["A:b = 1", "C:d = on"]

    def test_missing(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"no\.cmnd cannot be read \(No such file"):
            read_card(tmp_path / "no.cmnd")

    def test_directory(self, tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_card(tmp_path)

    def test_not_text(self, tmp_path):
        card = tmp_path / "own.cmnd"
        card.write_bytes(b"\x89PNG\xff\xfe")
        with pytest.raises(ConfigurationError, match=r"own\.cmnd"):
            read_card(card)

    @pytest.mark.parametrize("name", ["signal", "qcd"])
    def test_shipped_cards_are_accepted_line_by_line(self, name):
        pythia = pythia8mc.Pythia("", False)
        assert all(pythia.readString(line) for line in read_card(shipped_card(name)))

    @pytest.mark.parametrize("line", ["HardQCD:everything = on", "nonsense", "PhaseSpace:pTHatMin = many"])
    def test_unknown_line_is_named(self, line):
        with pytest.raises(ConfigurationError, match=line):
            Generator([*FAST, line], seed=1)

    def test_no_process(self):
        with pytest.raises(ConfigurationError, match="does it switch on a process"):
            Generator(["Beams:eCM = 13000."], seed=1)


class TestSeed:
    @pytest.mark.parametrize("seed", [0, 1, 2, 899_999_999, 900_000_001, 2**40, 2**63 - 1])
    def test_range_that_pythia_takes(self, seed):
        seeds = [seed_of(seed, stream, block) for stream in range(12) for block in (0, 1, 99_999)]
        assert all(isinstance(s, int) and 1 <= s <= 900_000_000 for s in seeds)
        assert MAX_SEED == 900_000_000

    @pytest.mark.parametrize("seed", [0, 7, 2**62])
    def test_distinct_over_streams_and_blocks(self, seed):
        seeds = [seed_of(seed, stream, block) for stream in range(12) for block in range(2000)]
        seeds += [seed_of(seed, stream, block) for stream in range(12) for block in range(98_000, 100_000)]
        assert len(set(seeds)) == len(seeds)

    def test_neighbouring_seeds_share_no_block(self):
        seeds = [seed_of(seed, stream, block) for seed in range(50) for stream in range(2) for block in range(100)]
        assert len(set(seeds)) == len(seeds)


class TestGenerator:
    def test_same_events_as_bare_pythia(self):
        batch = Generator(FAST, seed=5).next(4)
        bare = pythia8mc.Pythia("", False)
        for line in ["Print:quiet = on", *FAST, "Random:setSeed = on", "Random:seed = 5"]:
            bare.readString(line)
        bare.init()
        begin = 0
        for event in range(4):
            assert bare.next()
            record = [bare.event[i] for i in range(bare.event.size())]
            here = slice(begin, begin + len(record))
            assert batch.counts[event] == len(record)
            for name in ("id", "status", "mother1", "mother2", "daughter1", "daughter2", "col", "px", "e", "m", "tau"):
                expected = [getattr(particle, name)() for particle in record]
                np.testing.assert_array_equal(batch.particles[name][here], expected, err_msg=name)
            x, y, z = batch.vertex(np.arange(here.start, here.stop))
            np.testing.assert_array_equal(x, [particle.xProd() for particle in record])
            np.testing.assert_array_equal(y, [particle.yProd() for particle in record])
            np.testing.assert_array_equal(z, [particle.zProd() for particle in record])
            assert batch.weight[event] == bare.infoPython().weight()
            begin += len(record)
        assert begin == len(batch.particles["id"])

    def test_seed_decides(self):
        one, two, other = (Generator(FAST, seed).next(3).particles["px"] for seed in (3, 3, 4))
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, other)

    def test_batch(self, generator):
        batch = generator.next(7)
        assert len(batch) == 7
        assert batch.counts.sum() == len(batch.particles["pz"]) == len(batch.vertices)
        assert batch.weight.shape == (7,)

    def test_cross_section(self, generator):
        generator.next(20)
        sigma, error = generator.cross_section()
        assert 0 < error < sigma

    def test_failed_events_are_counted(self, generator, monkeypatch):
        monkeypatch.setattr(generator, "pythia", FailingPythia(generator.pythia, 2))
        before = generator.failed
        assert len(generator.next(5)) == 3
        assert generator.failed == before + 2

    def test_all_failed(self, generator, monkeypatch):
        monkeypatch.setattr(generator, "pythia", FailingPythia(generator.pythia, 5))
        with pytest.raises(XaugError, match="failed on all of 5 events"):
            generator.next(5)
