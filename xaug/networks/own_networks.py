"""Networks that the user defines in a file: `--network mynet.py:build`, where `build(inputs, classes)` is a model."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from xaug.core.errors import ConfigurationError, ModelError, unknown_name
from xaug.networks.inputs import Inputs
from xaug.networks.keras_versions import input_names
from xaug.networks.registry import Network, register

if TYPE_CHECKING:
    from keras import Model

__all__ = ["SOURCE", "OwnNetwork", "is_own"]

FORM = re.compile(r"(.+\.py):(\w+)")
SOURCE = "network.py"
"""File of a run that records the source of its network; it is never run."""


def is_own(name: str) -> bool:
    """True if a name of a network is that of a file and a function in it, as `mynet.py:build`."""
    return FORM.fullmatch(name) is not None


@dataclass(frozen=True)
class OwnNetwork:
    """The source of a network of the user.

    Attributes
    ----------
    name : str
        file without its folder, and function, as `mynet.py:build`
    function : str
    source : str
        content of the file
    """

    name: str
    function: str
    source: str

    @classmethod
    def read(cls, name: str) -> OwnNetwork:
        """Read the file that a name states.

        Raises
        ------
        ConfigurationError
            if there is no such file
        """
        found = FORM.fullmatch(name)
        if found is None:
            raise ConfigurationError(f"--network {name}: write FILE.py:FUNCTION for a network of your own")
        path = Path(found[1])
        try:
            if not path.is_file():
                raise OSError("it is not a file")
            return cls(f"{path.name}:{found[2]}", found[2], path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"--network {name}: {path} cannot be read ({error})") from None

    @property
    def digest(self) -> str:
        """Digest of the source and of the name of the function."""
        return hashlib.blake2b(f"{self.function}\n{self.source}".encode(), digest_size=8).hexdigest()

    def register(self, classes: Sequence[str]) -> Network:
        """Make the network known in this process, which runs the file once.

        Parameters
        ----------
        classes : sequence of str
            names of the classes by label, which `build` receives

        Raises
        ------
        ConfigurationError
            if the file fails, or has no such function
        """
        module = ModuleType(Path(self.name.rpartition(":")[0]).stem)
        try:
            exec(compile(self.source, self.name.rpartition(":")[0], "exec"), vars(module))
        except (Exception, SystemExit) as error:  # code that leaves Python would end the command without a word
            raise ConfigurationError(f"--network {self.name}: the file fails: {_where(error)}") from error
        function = vars(module).get(self.function)
        if not callable(function):
            known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise unknown_name(f"function in {self.name.rpartition(':')[0]}", self.function, known)

        def build(inputs: Inputs) -> Model:
            return self._build(function, inputs, tuple(classes))

        return register(Network(self.name, "a network of the user", block="", build=build), again=True)

    def _build(self, function: Callable[..., Any], inputs: Inputs, classes: tuple[str, ...]) -> Model:
        """The model that the user's function makes, checked."""
        import keras
        import numpy as np

        try:
            model = function(inputs, classes)
        except (Exception, SystemExit) as error:  # code that leaves Python would end the command without a word
            raise ModelError(f"network {self.name} fails: {_where(error)}") from error
        if not isinstance(model, keras.Model):
            raise ModelError(f"network {self.name} returns {type(model).__name__}; it must return a keras.Model")
        names, wanted = input_names(model), list(inputs.shapes)
        if sorted(names) != sorted(wanted):
            raise ModelError(
                f"network {self.name} has the inputs {', '.join(names)}; they must be called {', '.join(wanted)}, each "
                "keras.Input(inputs.shapes[name], name=name)"
            )
        zeros = {name: np.zeros((1, *shape), np.float32) for name, shape in inputs.shapes.items()}
        y = np.asarray(model([zeros[name] for name in names], training=False))
        if y.shape != (1, len(classes)) or abs(float(y.sum()) - 1) > 1e-3 or y.min() < 0:
            raise ModelError(
                f"network {self.name} has an output of the shape {y.shape} that adds up to {float(y.sum()):.3g}; end "
                f"it in Dense({len(classes)}, activation='softmax'), a probability for each of {', '.join(classes)}"
            )
        return model


def _where(error: BaseException) -> str:
    """The error with the line of the user's file where it was raised."""
    lines = str(error).strip().splitlines() or [""]
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not Path(frame.filename).is_absolute()]
    line = getattr(error, "lineno", None) or (own[-1].lineno if own else "unknown")
    return f"{type(error).__name__}: {lines[0]} (line {line})"
