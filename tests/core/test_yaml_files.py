"""YAML files of settings: what would take for ever, or run code, is refused at once."""

import time

import pytest

from xaug.core.errors import ConfigurationError
from xaug.core.yaml_files import read_yaml


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: " + "[" * 5000 + "]" * 5000, "line 1: more than 20 levels"),
        ("a:\n  " + "{b: " * 3000 + "}" * 3000, "line 2: more than 20 levels"),
        ("a: &x [1, 1]\nb: &y [*x, *x]\nc: [*y, *y]", r"line 2: alias \*x; write out"),
        ("a: &x {b: *x}", r"line 1: alias \*x; write out"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' is there twice .line 1."),
        ("a: 1\n1: 2\n'1': 3", "line 3: '1' is there twice"),
        ("a: !!python/object/apply:os.getcwd {}", "line 1|must be"),
        ("- a", "line 1: holds a list; it must be a mapping"),
        ("a: b: c", "cannot be read: .*line 1"),
        ("", "line 1: is empty; it must be a mapping"),
        ("a: 1\n---\nb: 2", "cannot be read|line 3"),
        ("x" * 2_000_000, "more than 1000000 bytes"),
    ],
    ids=lambda text: text[:20],
)
def test_refusals_are_quick_and_name_the_line(tmp_path, text, words):
    (tmp_path / "set.yaml").write_text(text)
    before = time.process_time()
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_yaml(tmp_path / "set.yaml").get("a", int, 0)
    assert str(tmp_path / "set.yaml") in str(caught.value)
    assert time.process_time() - before < 1.0
