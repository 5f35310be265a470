"""The one result of every explanation method: relevance by input, and how far it adds up."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from xaug.core.errors import DatasetError
from xaug.core.files import new_hdf5

__all__ = ["Attribution"]

_OPTIONAL = ("rows", "label", "reference", "within_tolerance")


@dataclass(frozen=True)
class Attribution:
    """Relevance of every input element for the explained output of n events.

    Attributes
    ----------
    relevance
        by input name, arrays of that input's shape (n, ...)
    logit
        (n,) the explained output
    residual
        (n,) sum of all relevance - explained output (conservation, LRP), or - (explained output - `reference`)
        (completeness, Integrated Gradients)
    variables
        by input name, the names of its columns ([] for images without names)
    settings
        method, rule, target, engine and whatever else decides the numbers
    rows
        (n,) rows of the dataset's split that were explained; None for arrays of the user's own
    label
        (n,) class of each event, if known
    reference
        (n,) explained output at the baselines, averaged as the relevance is; None for methods without a baseline
    within_tolerance
        (n,) weighted share of the event's baselines for which the sum is right to the tolerance asked for
    standard_error
        of the relevance, by input name, where only some of the baselines were taken for each event
    """

    relevance: dict[str, np.ndarray]
    logit: np.ndarray
    variables: dict[str, list[str]]
    settings: dict
    rows: np.ndarray | None = None
    label: np.ndarray | None = None
    reference: np.ndarray | None = None
    within_tolerance: np.ndarray | None = None
    standard_error: dict[str, np.ndarray] | None = None
    residual: np.ndarray = field(init=False)

    def __post_init__(self):
        total = sum(r.sum(axis=tuple(range(1, r.ndim)), dtype=np.float64) for r in self.relevance.values())
        object.__setattr__(self, "residual", total - self.explained)

    def __len__(self) -> int:
        return len(self.logit)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in self.relevance.items())
        return f"<Attribution by {self.settings.get('method')} of {len(self)} events: {shapes}>"

    @property
    def explained(self) -> np.ndarray:
        """(n,) what the relevance should add up to: the explained output, less that at the baseline if there is one."""
        return self.logit if self.reference is None else self.logit - self.reference

    @property
    def conserved(self) -> np.ndarray:
        """(n,) sum of relevance over what it should be; 1 where all of it is accounted for, nan at 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.explained != 0, 1 + self.residual / self.explained, np.nan)

    def save(self, path: str | os.PathLike) -> None:
        """Write as HDF5."""
        with new_hdf5(path) as file:
            for name, values in self.relevance.items():
                file.create_dataset(f"relevance/{name}", data=values, compression="lzf", shuffle=True)
            for name in ("logit", "residual", *_OPTIONAL):
                if getattr(self, name) is not None:
                    file[name] = getattr(self, name)
            for name, values in (self.standard_error or {}).items():
                file.create_dataset(f"standard_error/{name}", data=values, compression="lzf", shuffle=True)
            file.attrs["variables"] = json.dumps(self.variables)
            file.attrs["settings"] = json.dumps(self.settings)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Attribution:
        """Read what `save` wrote."""
        try:
            with h5py.File(Path(path)) as file:
                variables = json.loads(file.attrs["variables"])
                relevance = {name: file[f"relevance/{name}"][()] for name in variables}
                optional = {name: file[name][()] if name in file else None for name in _OPTIONAL}
                if "standard_error" in file:
                    optional["standard_error"] = {name: file[f"standard_error/{name}"][()] for name in variables}
                return cls(relevance, file["logit"][()], variables, json.loads(file.attrs["settings"]), **optional)
        except (OSError, KeyError, ValueError) as error:
            raise DatasetError(
                f"{path} is no attribution file or is damaged ({error}). Delete it and the manifest.json beside it, "
                "then explain again: other trainings are kept"
            ) from None
