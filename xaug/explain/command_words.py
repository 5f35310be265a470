"""Advice of error messages in the words of the command line: `--frozen mask` for `frozen=['mask']`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from xaug.core.errors import ConfigurationError, ModelError

__all__ = ["as_flags", "in_flags"]

FORMS = (
    (re.compile(r"frozen=\[([^\]]*)\]"), r"--frozen \1"),
    (re.compile(r"output='([^']+)'"), r"--output-kind \1"),
    (re.compile(r"(engine|rule)='([^']+)'"), r"--\1 \2"),
    (re.compile(r"padding=\{'([^']+)': ([^}]+)\}"), r"--padding \1=\2"),
    (re.compile(r"padding='free'"), "--padding free"),
    (re.compile(r"\bxaug\.explain\.integrated_gradients(?! take)"), "--method ig"),
)
"""An argument of a Python function, and the option of the same meaning."""


def as_flags(text: str) -> str:
    """A message whose advice is in options of the command line."""
    for form, words in FORMS:
        for found in reversed(list(form.finditer(text))):
            option = found.expand(words).replace("'", "").replace(", ", ",")  # a list of names is separated by commas
            text = text[: found.start()] + option + text[found.end() :]
    return text


@contextmanager
def in_flags() -> Iterator[None]:
    """Errors of what runs inside give their advice in options."""
    try:
        yield
    except (ConfigurationError, ModelError) as error:
        raise type(error)(as_flags(str(error))) from error
