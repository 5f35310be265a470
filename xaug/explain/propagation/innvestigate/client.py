"""The client of iNNvestigate: which models it may explain, and the calls to the worker process that does it.

References
----------
M. Alber et al., iNNvestigate neural networks!, J. Mach. Learn. Res. 20 (2019) 1.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import shutil
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from xaug.core.errors import ConfigurationError, ModelError, WorkerError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.core.workers import Worker
from xaug.explain.propagation.layers.base import KerasLayer, entry_of
from xaug.explain.targets import Logits
from xaug.networks.keras3_operations import is_operation
from xaug.networks.keras_versions import is_keras_3, tensors_read

__all__ = ["BATCH", "PYTHON", "explain", "refuse", "require"]

PYTHON = "XAUG_INNVESTIGATE_PYTHON"
"""Environment variable with the Python of another environment, in which iNNvestigate runs."""

BATCH = 64
"""Events per call of iNNvestigate: its intermediate results then stay in the processor's caches."""
ACCEPTED = ("linear", "relu")
"""Activations for which LRP in iNNvestigate was compared with the formula."""


def _python() -> str | None:
    """The Python of another environment for iNNvestigate; None if it runs in this one."""
    given = os.environ.get(PYTHON)
    if given and shutil.which(given) is None:
        raise ConfigurationError(f"{PYTHON}={given}: there is no such program; give the path of a Python")
    return given or None


def require() -> None:
    """Raise ConfigurationError, which says what iNNvestigate needs, unless it can run."""
    if _python() is None and (is_keras_3() or importlib.util.find_spec("innvestigate") is None):
        import keras

        raise ConfigurationError(
            f"iNNvestigate needs TensorFlow 2.14, Python 3.10 or 3.11 and the package innvestigate, and Keras "
            f"{keras.__version__} runs here; use engine='native'. Or install xaug in such an environment as well, and "
            f"set {PYTHON} to the Python of that environment: iNNvestigate then runs there"
        )


def refuse(model: Logits) -> None:
    """Raise ModelError, naming the layer, unless iNNvestigate is known to explain the model rightly."""
    for layer in model.config["config"]["layers"]:
        kind = "Operation" if is_operation(layer) else layer["class_name"]
        described = KerasLayer(layer["name"], kind, layer["config"])
        reason = entry_of(described.kind).innvestigate
        reason = reason(described) if callable(reason) else reason
        if reason is None:
            reason = _unfit_use(layer["inbound_nodes"])
        if reason is not None:
            raise ModelError(f"layer {described.name!r} ({described.kind}) cannot be explained: {reason}")
        activation = described.config.get("activation", "linear")
        if activation not in ACCEPTED:
            raise ModelError(
                f"layer {described.name!r} ({described.kind}) has activation {activation!r}; LRP in iNNvestigate needs "
                f"{' or '.join(ACCEPTED)} in all layers but the last"
            )


def _unfit_use(calls: list[Any]) -> str | None:
    """Why a layer that is called so is not explained rightly; None if it is."""
    if len(calls) > 1:
        return f"it is used {len(calls)} times, and iNNvestigate gives the relevance of one use to the other"
    for call in calls:
        sources = tensors_read(call)
        if sources is None:
            return "it is called in a way that iNNvestigate's rules were never compared for"
        if len(set(sources)) < len(sources):
            return "it reads one tensor twice, which iNNvestigate counts double"
    return None


_lock = threading.Lock()
_worker: Worker | None = None
_known: set[str] = set()


def _running() -> Worker:
    global _worker
    if _worker is None or _worker.process.poll() is not None:
        _known.clear()
        _worker = Worker("xaug.explain.propagation.innvestigate.worker:analyze", python=_python())
        atexit.register(_worker.close)
    return _worker


def model_key(model: Logits) -> str:
    """A digest of architecture and weights."""
    digest = hashlib.blake2b(json.dumps(model.config, sort_keys=True).encode(), digest_size=16)
    for arrays in model.weights.values():
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def explain(
    model: Logits,
    inputs: Arrays,
    analyzer: str,
    epsilon: float | None,
    force: bool = False,
    on_events: Callable[[int], None] = lambda n: None,
) -> tuple[Arrays, Array]:
    """Relevance by input name for the largest output of each event, and that output (n,)."""
    with _lock:
        key = f"{model_key(model)} {analyzer} {epsilon}"
        worker = _running()
        task: JsonObject = {
            "key": key,
            "analyzer": analyzer,
            "epsilon": epsilon,
            "force": force,
            "inputs": list(inputs),
            "batch": BATCH,
        }
        arrays = {f"input:{name}": values for name, values in inputs.items()}
        if key not in _known:
            task["config"], task["is_keras_3"] = model.config, is_keras_3()
            arrays |= {f"weights:{n}/{i}": w for n, all_w in model.weights.items() for i, w in enumerate(all_w)}
        try:
            _, found = worker.call(task, arrays, lambda report: on_events(report["events"]))
        except WorkerError as error:
            if _python() is None:
                raise
            reason = str(error).strip().splitlines()[0]
            raise ConfigurationError(f"{PYTHON}={_python()}: iNNvestigate cannot be used there ({reason})") from error
        _known.add(key)
    return {name: found[f"relevance:{name}"] for name in inputs}, found["logit"]
