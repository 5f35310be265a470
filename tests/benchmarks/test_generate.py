"""Generation: our events into a ROOT file against bare `pythia.next()` with the same card."""

import pytest

from xaug.formats.tree_writer import TreeWriter
from xaug.generate.pythia import BATCH, Generator, read_card
from xaug.generate.zbb import selected, shipped_card, stored_events

EVENTS = BATCH

pytestmark = pytest.mark.benchmark


def contest(tmp_path, card, count_jets):
    """What a block does for a number of events, and the same number from bare Pythia."""
    ours, bare = (Generator(read_card(shipped_card(card)), seed=12) for _ in range(2))
    writer = TreeWriter(tmp_path / "out.root")

    def write_events():
        batch = ours.next(EVENTS)
        events, collections = stored_events(batch)
        if count_jets:
            selected(collections, int(card == "signal"))
        writer.add({"eventNum": events, "weight": batch.weight[events]}, collections)
        writer.flush()

    def only_generate():
        for _ in range(EVENTS):
            bare.pythia.next()

    return write_events, only_generate


@pytest.mark.parametrize("card", ["signal", "qcd"])
def test_overhead_is_at_most_a_fifth(ratio, tmp_path, card):
    """`--events`: batches, clustering, writing. The generators walk the same events, one ahead of the other."""
    assert ratio(f"generate {card} --events", *contest(tmp_path, card, False), 9, EVENTS) < 1.20


@pytest.mark.parametrize("card", ["signal", "qcd"])
def test_counting_selected_jets_costs_little_more(ratio, tmp_path, card):
    """`--jets` applies the selection of the processor, grooming included, to stop at the very jet."""
    assert ratio(f"generate {card} --jets", *contest(tmp_path, card, True), 9, EVENTS) < 1.35
