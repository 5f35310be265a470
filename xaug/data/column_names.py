"""Names that columns of datasets can have."""

from __future__ import annotations

import re

from xaug.core.errors import ConfigurationError

__all__ = ["FIELDS", "NAME", "check_column_name"]

FIELDS = ("image", "list", "mask", "xaug", "event", "label", "weight", "process", "event_id", "split")
RESERVED = (*FIELDS, "all", "none", "top5")
"""Names of fields of datasets, and words by which columns are chosen: no column can have them."""
NAME = re.compile(r"[^\s,/\\](?:[^,/\\\n\r\t]*[^\s,/\\])?")
"""Names that columns and classes can have."""


def check_column_name(where: str, name: str, block: str) -> None:
    """Raise ConfigurationError for a name that no column can have; `where` begins the message.

    The only column of a block may be called as the block.
    """
    if not name or (name in RESERVED and name != block):
        raise ConfigurationError(f"{where} has a variable named {name!r}, a name that xaug uses itself; choose another")
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{where} has a variable named {name!r}: names are chosen in lists separated by commas, and become parts "
            "of names of files. Give it a name without comma, slash, and spaces at its ends"
        )
