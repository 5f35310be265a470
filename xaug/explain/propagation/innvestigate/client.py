"""Our side of iNNvestigate: what it can be asked, and the worker process that answers.

Reference: M. Alber et al., iNNvestigate neural networks!, J. Mach. Learn. Res. 20 (2019) 1.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import threading
from collections.abc import Callable

import numpy as np

from xaug.core.errors import ModelError
from xaug.core.workers import Worker
from xaug.explain.propagation.graph import refuse_use
from xaug.explain.targets import Logits

__all__ = ["BATCH", "explain", "refuse"]

BATCH = 64
"""Events per call of iNNvestigate: its intermediate results then stay in the processor's caches."""
LAYERS = (
    "InputLayer", "Dense", "Conv1D", "Conv2D", "MaxPooling1D", "MaxPooling2D", "Flatten", "Reshape",
    "Concatenate", "Dropout", "Activation", "ReLU",
)  # fmt: skip
"""Layers that iNNvestigate has right rules for."""
REASONS = {
    "GRU": "iNNvestigate has no rule for recurrent layers: it would give the plain gradient",
    "LSTM": "iNNvestigate has no rule for recurrent layers: it would give the plain gradient",
    "BatchNormalization": "iNNvestigate fuses it with the wrong formula; fold it into the next layer first",
}
ACTIVATIONS = ("relu", "linear")


def refuse(model: Logits) -> None:
    """Raise ModelError, naming the layer, if iNNvestigate cannot explain the model rightly."""
    for layer in model.config["config"]["layers"]:
        kind, name = layer["class_name"], layer["config"]["name"]
        if kind not in LAYERS:
            reason = REASONS.get(kind, f"iNNvestigate is used for {', '.join(LAYERS)}")
            raise ModelError(f"layer {name!r} ({kind}) cannot be explained: {reason}")
        refuse_use(layer)
        activation = layer["config"].get("activation", "linear")
        if activation not in ACTIVATIONS:
            raise ModelError(
                f"layer {name!r} ({kind}) has activation {activation!r}; LRP in iNNvestigate needs "
                f"{' or '.join(ACTIVATIONS)} in all layers but the last"
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
    inputs: dict[str, np.ndarray],
    analyzer: str,
    epsilon: float | None,
    force: bool = False,
    on_events: Callable[[int], None] = lambda n: None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Relevance by input name, and the explained output (n,), of the largest output of each event."""
    with _lock:
        key = f"{model_key(model)} {analyzer} {epsilon}"
        worker = _running()
        task = {
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
