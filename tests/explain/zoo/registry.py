"""The registry of the zoo: small models of the kinds that particle physicists bring, and events for them.

Each kind is a function with the decorator `zoo` in one of the modules of `kinds`. Layers have no bias, so that
relevance is conserved where `Kind.conserves` says so.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from xaug.networks.keras_versions import outputs_by_key

STEPS, FEATURES, TOKENS = 6, 3, 7
SEED = 5
"""Of the weights, so that a jump of a network is there each time or never."""
LENGTHS = np.array([6, 2, 1, 4, 5, 6, 3, 6, 6])
"""Real steps of the nine events: padded ones in many positions of the batch."""


@dataclass(frozen=True)
class Kind:
    """A model of the zoo.

    Attributes
    ----------
    name : str
        what it is, in words
    group : str
        module that it stands in
    build : callable
        makes the model
    conserves : bool
        whether relevance adds up to the logit at zero bias: not behind a softmax inside, or normalisation by moments
    piecewise : bool
        whether it is a network of linear layers, ReLU and maxima alone, so that LRP-epsilon is gradient times input
    output : str
        the output that is explained
    refused : str
        part of the reason for which LRP refuses it; empty if it is explained
    remedy : str
        "ig": Integrated Gradients explain it as it is; else the part of the message that says what to do instead
    in_steps : bool
        whether its output goes in steps that its gradient does not know: Integrated Gradients do not add up, and warn
    """

    name: str
    group: str
    build: Callable[[], keras.Model]
    conserves: bool = True
    piecewise: bool = False
    output: str = "logit"
    refused: str = ""
    remedy: str = "ig"
    in_steps: bool = False

    def target(self, model: keras.Model) -> int | str:
        """The output that is explained; of a single one, the signal."""
        outputs = model.output_shape
        if isinstance(outputs, Mapping):
            outputs = outputs[self.output.partition(":")[0]]
        elif isinstance(outputs, list):
            keys = sorted(outputs_by_key(model)) or list(model.output_names)
            outputs = outputs[keys.index(self.output.partition(":")[0])]
        return 0 if len(outputs) > 1 and outputs[-1] > 1 else "signal"


def frozen_inputs(model: keras.Model) -> list[str]:
    """Inputs that say which particles and edges there are, and do not move along a path."""
    names = [tensor.name.partition(":")[0] for tensor in model.inputs]
    return [name for name in names if name in ("mask", "adjacency")]


MODELS: dict[str, Kind] = {}


def zoo(name: str, conserves: bool = True, **facts: Any) -> Callable[[Callable[[], keras.Model]], Any]:
    """Decorator: the function makes a model of the zoo."""

    def add(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        assert build.__name__ not in MODELS, build.__name__
        group = build.__module__.rpartition(".")[2]
        MODELS[build.__name__] = Kind(name, group, build, conserves, **facts)
        return build

    return add


@cache
def models() -> dict[str, Kind]:
    """All models, by the name of the function that makes them."""
    package = importlib.import_module(f"{__package__}.kinds")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return MODELS


def head(inputs, h, units=2, activation="softmax"):
    """A model that ends in a dense layer without bias."""
    h = layers.Flatten()(h) if len(h.shape) > 2 else h
    return keras.Model(inputs, layers.Dense(units, activation, use_bias=False, name="out")(h))


def particles(name="list", steps=STEPS):
    """A padded list of particles."""
    return keras.Input((steps, FEATURES), name=name)


def vector(name="x", size=FEATURES):
    """A vector of high-level variables."""
    return keras.Input((size,), name=name)


def image(name="image", size=8, channels=1):
    """A jet image."""
    return keras.Input((size, size, channels), name=name)


def dense(units, activation=None, **options):
    """A dense layer without bias."""
    return layers.Dense(units, activation, use_bias=False, **options)


def events(model: keras.Model, seed: int = 0) -> dict[str, np.ndarray]:
    """Nine events: padded lists, masks beside them, tokens, or normal numbers."""
    rng, found = np.random.default_rng(seed), {}
    real = np.arange(STEPS) < LENGTHS[:, None]
    n = len(LENGTHS)
    for tensor, name in zip(model.inputs, [t.name for t in model.inputs], strict=True):
        shape = tuple(size or STEPS for size in tensor.shape[1:])
        if tf.as_dtype(tensor.dtype).is_integer:
            found[name] = rng.integers(0, TOKENS, (n, *shape))
        elif name == "mask":
            found[name] = real.astype(np.float32).reshape(n, *shape)
        elif name == "adjacency":
            found[name] = np.maximum(rng.random((n, *shape)) < 0.5, np.eye(STEPS)).astype(np.float32)
        else:
            values = rng.normal(size=(n, *shape)).astype(np.float32)
            found[name] = values * real[..., None] if shape == (STEPS, FEATURES) else values
    return found
