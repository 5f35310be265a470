"""The client of iNNvestigate: which models it may explain, and the calls to the worker process that does it.

References
----------
M. Alber et al., iNNvestigate neural networks!, J. Mach. Learn. Res. 20 (2019) 1.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.core.workers import Worker
from xaug.explain.propagation.layers.base import KerasLayer, entry_of
from xaug.explain.targets import Logits

__all__ = ["BATCH", "explain", "refuse"]

BATCH = 64
"""Events per call of iNNvestigate: its intermediate results then stay in the processor's caches."""
ACCEPTED = ("linear", "relu")
"""Activations for which LRP in iNNvestigate was compared with the formula."""


def refuse(model: Logits) -> None:
    """Raise ModelError, naming the layer, unless iNNvestigate is known to explain the model rightly."""
    for layer in model.config["config"]["layers"]:
        described = KerasLayer(layer["config"]["name"], layer["class_name"], layer["config"])
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
        if isinstance(call, dict) or not all(isinstance(entry, list) for entry in call):
            return "it is called in a way that iNNvestigate's rules were never compared for"
        if any(len(entry) > 3 and entry[3] for entry in call):
            return "it is called with arguments that iNNvestigate does not know"
        sources = [(entry[0], *entry[1:3]) for entry in call]
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
        _worker = Worker("xaug.explain.propagation.innvestigate.worker:analyze")
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
            task["config"] = model.config
            arrays |= {f"weights:{n}/{i}": w for n, all_w in model.weights.items() for i, w in enumerate(all_w)}
        _, found = worker.call(task, arrays, lambda report: on_events(report["events"]))
        _known.add(key)
    return {name: found[f"relevance:{name}"] for name in inputs}, found["logit"]
