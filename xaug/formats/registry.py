"""All file formats that xaug knows. Each module below registers its format; add a line for a new one."""

from __future__ import annotations

import xaug.formats.delphes
import xaug.formats.xaug_tree  # noqa: F401
from xaug.formats.base import FORMATS, format_of, recognise, register_format

__all__ = ["FORMATS", "format_of", "recognise", "register_format"]
