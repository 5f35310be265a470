"""All file formats that xaug knows. Each module below registers its format; add a line for a new one."""

from __future__ import annotations

import xaug.formats.atlastop
import xaug.formats.delphes
import xaug.formats.hepmc
import xaug.formats.jetclass
import xaug.formats.jetnet
import xaug.formats.pfnano
import xaug.formats.qg
import xaug.formats.toptagging
import xaug.formats.xaug_tree  # noqa: F401
from xaug.formats.base import CONFIGURED, FORMATS, format_of, recognise, register_format

__all__ = ["CONFIGURED", "FORMATS", "format_of", "recognise", "register_format"]
