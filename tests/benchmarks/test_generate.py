"""Generation: our events into a ROOT file against bare `pythia.next()` with the same card."""

import pytest

from xaug.generate.pythia import BATCH, Generator, read_card
from xaug.generate.tree import TreeWriter
from xaug.generate.zbb import selected, shipped_card, stored_events

EVENTS = 2 * BATCH

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("card", ["signal", "qcd"])
def test_overhead_is_at_most_a_fifth(ratio, tmp_path, card):
    """Batches, clustering, counting selected jets and writing the tree: all that a block does."""
    ours, bare = (Generator(read_card(shipped_card(card)), seed=12) for _ in range(2))
    writer = TreeWriter(tmp_path / "out.root")

    def write_events():
        for _ in range(EVENTS // BATCH):
            batch = ours.next(BATCH)
            events, collections = stored_events(batch)
            selected(collections, int(card == "signal"))
            writer.add({"eventNum": events, "weight": batch.weight[events]}, collections)
        writer.flush()

    def only_generate():
        for _ in range(EVENTS):
            bare.pythia.next()

    # the two generators go through different events of equal distribution: average over many
    assert ratio(f"generate {card}", write_events, only_generate, 7, EVENTS) < 1.20
