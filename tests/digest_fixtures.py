"""Fixtures that compare the functions which run with those that a digest of code covers."""

import inspect
import os
import sys

import numpy as np
import pytest

from xaug.data import code
from xaug.data.splits import assign_split, event_ids
from xaug.data.variables import table_of
from xaug.formats.registry import FORMATS
from xaug.process.kinds import default_settings, processor_class

LOOKING_UP = {"function", "block", "variables"}
"""Functions that look a table up, which has a digest of its own."""
SETTINGS = {"__new__", "_points"}
"""Functions that read settings, whose result is part of the name of a part."""


@pytest.fixture
def code_outside_digest(monkeypatch):
    """code_outside_digest(run, digest): what run() gives, and the functions that ran but that digest() does not cover.

    The third result is the number of functions of xaug that ran.
    """
    described = set()
    describe = code._describe_function

    def watched(function, above):
        described.add(function.__code__)
        return describe(function, above)

    monkeypatch.setattr(code, "_describe_function", watched)

    def compare(run, digest):
        ran = set()

        def profile(frame, event, _):
            if event == "call" and f"{os.sep}xaug{os.sep}" in frame.f_code.co_filename:
                ran.add(frame.f_code)

        sys.setprofile(profile)
        try:
            values = run()
        finally:
            sys.setprofile(None)
        described.clear()
        code.code_digest.cache_clear()
        digest()
        inner = {part for outer in described for part in outer.co_consts if inspect.iscode(part)}  # in its source
        return values, {one.co_name for one in ran - described - inner if one.co_name[0] != "<"}, len(ran)

    yield compare
    monkeypatch.undo()
    code.code_digest.cache_clear()


@pytest.fixture
def processing_outside_digest(code_outside_digest):
    """processing_outside_digest(kind, file): functions that process its events but that no digest of a part covers.

    The second result is the number of functions of xaug that ran.
    """
    form = FORMATS["xaug_tree"]

    def compare(kind, path):
        processor = processor_class(kind)(default_settings(kind))

        def run():
            with form.open(str(path), "T", 0, 1000) as opened:
                weights = form.weights(opened, 0)
                ids = event_ids("file", np.arange(len(weights)))
                rows = processor.rows(processor.read(form, opened, 1, 0), weights, ids)
            return assign_split(ids[rows.event], 0, (0.6, 0.2, 0.2))

        split, outside, ran = code_outside_digest(run, lambda: (processor.code(form), table_of(kind).digest))
        assert len(split)  # without rows, code would not have run
        return outside - LOOKING_UP - SETTINGS, ran

    return compare
