"""All kinds of datasets that can be processed. The processor of a new kind registers itself, and is imported here."""

from __future__ import annotations

from xaug.events import processor as events
from xaug.formats.processor import PROCESSORS, AnyProcessor, default_settings, processor_class
from xaug.jets import processor as jets

__all__ = ["PROCESSORS", "AnyProcessor", "default_settings", "events", "jets", "processor_class"]
