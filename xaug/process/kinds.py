"""All kinds of datasets that can be processed. Each module below registers its processor; add a line for a new one."""

from __future__ import annotations

import xaug.events.processor
import xaug.jets.processor  # noqa: F401
from xaug.formats.processor import PROCESSORS, AnyProcessor, default_settings, processor_class

__all__ = ["PROCESSORS", "AnyProcessor", "default_settings", "processor_class"]
