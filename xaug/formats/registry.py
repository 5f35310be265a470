"""All file formats that xaug knows. A new one is a module of this package, imported here."""

from __future__ import annotations

from xaug.formats import delphes, xaug_tree
from xaug.formats.base import FORMATS, format_of, recognise, register_format

__all__ = ["FORMATS", "delphes", "format_of", "recognise", "register_format", "xaug_tree"]
