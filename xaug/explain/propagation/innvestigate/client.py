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

import numpy as np

from xaug.core.errors import ModelError
from xaug.core.types import Array, Arrays, JsonObject
from xaug.core.workers import Worker
from xaug.explain.propagation.graph import refuse_use
from xaug.explain.propagation.layers.activation import POINTWISE
from xaug.explain.propagation.layers.base import entry_of
from xaug.explain.targets import Logits

__all__ = ["BATCH", "explain", "refuse"]

BATCH = 64
"""Events per call of iNNvestigate: its intermediate results then stay in the processor's caches."""


def refuse(model: Logits) -> None:
    """Raise ModelError, naming the layer, if iNNvestigate cannot explain the model rightly."""
    for layer in model.config["config"]["layers"]:
        kind, name = layer["class_name"], layer["config"]["name"]
        reason = entry_of(kind).innvestigate
        if reason is not None:
            raise ModelError(f"layer {name!r} ({kind}) cannot be explained: {reason}")
        refuse_use(layer)
        activation = layer["config"].get("activation", "linear")
        if activation not in POINTWISE or not POINTWISE[activation].innvestigate:
            accepted = " or ".join(name for name, function in POINTWISE.items() if function.innvestigate)
            raise ModelError(
                f"layer {name!r} ({kind}) has activation {activation!r}; LRP in iNNvestigate needs {accepted} in all "
                "layers but the last"
            )


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
