"""The papers' studies, on top of the library; importing this package registers them in `STUDIES`."""

from __future__ import annotations

from xaug.studies import toy, truth, vlq, zbb
from xaug.studies.base import STUDIES, study_with_figures

__all__ = ["STUDIES", "study_with_figures", "toy", "truth", "vlq", "zbb"]
