"""The figures that fit any dataset and any network; importing this package registers them in `GENERIC`."""

from __future__ import annotations

from xaug.report.catalogue import GENERIC

# isort: off
# a page shows the figures in the order of these imports
from xaug.report.figures import samples
from xaug.report.figures import performance
from xaug.report.figures import explanations
from xaug.report.figures import likelihood
from xaug.report.figures import maps
from xaug.report.figures import events
from xaug.report.figures import baselines
from xaug.report.figures import learning
# isort: on

__all__ = ["GENERIC", "baselines", "events", "explanations", "learning", "likelihood", "maps", "performance", "samples"]
