"""Cut flows of chunks add up."""

from xaug.data.cut_flow import CutFlow
from xaug.data.parts import PartSummary, ProcessSummary


def test_counts_add_up_in_the_order_of_the_cuts():
    one, two = CutFlow({"events": 5, "pT": 3}), CutFlow({"events": 2, "pT": 1, "mass": 1})
    both = CutFlow({}) + one + two
    assert list(both.to_json().items()) == [("events", 7), ("pT", 4), ("mass", 1)]
    assert both["pT"] == both.after_first_cut == 4
    assert str(both) == "events 7, pT 4, mass 1"
    assert one.to_json() == {"events": 5, "pT": 3}  # unchanged


def test_summary_of_a_part_comes_back_from_json():
    flow = CutFlow({"events": 9, "pT": 4})
    one = ProcessSummary("zbb", 1, 4, {"train": 3, "test": 1}, flow, 9.0, 4.0)
    other = ProcessSummary("qcd", 0, 2, {"train": 2, "test": 0}, flow, 9.0, 2.0, 2.0)
    for contents in ((one,), (one, other)):
        summary = PartSummary("a.h5", "a.root", 0, 9, contents)
        assert PartSummary.from_json(summary.to_json()) == summary
        assert summary.rows == sum(own.rows for own in contents)
    assert PartSummary("a.h5", "a.root", 0, 9, (one,)).to_json()["cut_flow"] == {"events": 9, "pT": 4}
