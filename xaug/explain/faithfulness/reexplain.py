"""Explain changed models and changed events in the way in which a directory of attributions was made."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaug.core.types import Array, Arrays
from xaug.data.dataset import Dataset
from xaug.explain.attribution import Attribution
from xaug.explain.explanation import Explanation
from xaug.explain.method import AnyMethod, Events, ExplainJob, method_options
from xaug.explain.methods import choose_options
from xaug.training.runs import Run

if TYPE_CHECKING:
    import keras

__all__ = ["Reexplainer", "reexplainer"]


@dataclass(frozen=True, eq=False)
class Reexplainer:
    """A method with the options of a directory of attributions.

    Attributes
    ----------
    method : Method
    job : ExplainJob
        its job, prepared, with a directory that is removed afterwards
    """

    method: AnyMethod
    job: ExplainJob[Any]

    def __call__(self, model: keras.Model, x: Arrays, label: Array, training: int = 0) -> Attribution:
        """Explain events.

        Parameters
        ----------
        model : keras.Model
            a model of the inputs of the run
        x : dict of arrays
            scaled inputs by name, each (n, ...)
        label : (n,) array
            class of each event
        training : int
            number of the training, for seeds
        """
        return self.method.explain(self.job, Events(model, training, x, label), lambda n: None)


@contextmanager
def reexplainer(explanation: Explanation, run: Run, data: Dataset) -> Iterator[Reexplainer]:
    """The method of a finished directory, ready to explain other models and events.

    Parameters
    ----------
    explanation : Explanation
        the directory
    run : Run
        its run
    data : Dataset
        the dataset of its events
    """
    method = explanation.method
    known = method_options(method)
    options = choose_options(method, {name: value for name, value in explanation.config.items() if name in known})
    with tempfile.TemporaryDirectory() as directory:
        job = ExplainJob(run, data, explanation.split, options, explanation.config.get("seed", 1), Path(directory))
        yield Reexplainer(method, method.prepare(job))
