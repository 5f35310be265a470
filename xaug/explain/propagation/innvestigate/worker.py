"""The worker process of iNNvestigate, which needs TensorFlow without eager mode.

No other module of xaug may import this one: `disable_eager_execution` cannot be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import tensorflow as tf

tf.compat.v1.disable_eager_execution()
tf.get_logger().setLevel("ERROR")

import innvestigate  # noqa: E402
import keras  # noqa: E402

from xaug.core.errors import ModelError  # noqa: E402
from xaug.core.types import Array, Arrays, JsonObject  # noqa: E402
from xaug.core.workers import Report  # noqa: E402
from xaug.networks.keras3 import build_model  # noqa: E402
from xaug.networks.keras_versions import is_keras_3  # noqa: E402

Explain = Callable[[list[Array]], list[Array]]
_analyzers: dict[str, Explain] = {}


def _build(task: JsonObject, weights: Arrays) -> Explain:
    """A function from inputs to the relevance of each input and, last, the explained output.

    Both come from one graph, so that the forward pass is run once.
    """
    config = task["config"]
    if task["force"]:  # the loop of a recurrent layer has no gradient in this mode; its steps written out have
        for layer in config["config"]["layers"]:
            layer["config"].update({"unroll": True} if "unroll" in layer["config"] else {})
    is_own = task["is_keras_3"] == is_keras_3()
    model = keras.models.model_from_json(json.dumps(config)) if is_own else build_model(config, "the model")
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weights[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
    options = {} if task["epsilon"] is None else {"epsilon": task["epsilon"]}
    analyzer = innvestigate.create_analyzer(
        task["analyzer"], model, neuron_selection_mode="max_activation", disable_model_checks=task["force"], **options
    )
    try:
        analyzer.create_analyzer_model()
    except Exception as error:
        if not task["force"]:
            raise
        reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        raise ModelError(
            f"model {model.name!r}: iNNvestigate, forced, gives no numbers but fails ({reason})"
        ) from error
    explain, selected = analyzer._analyzer_model, analyzer._prepared_model
    # a backend function, not a Model: predict_on_batch costs a tenth more at this batch size
    function: Explain = tf.compat.v1.keras.backend.function(explain.inputs, [*explain.outputs, *selected.outputs])
    return function


def analyze(task: JsonObject, arrays: Arrays, report: Report) -> tuple[JsonObject, Arrays]:
    """Relevance of the inputs in `arrays` (a task of `xaug.core.workers`); one analyzer is kept per model.

    The first task with a new `key` must bring the model (`config` and arrays `weights:LAYER/I`).
    """
    key = task["key"]
    if key not in _analyzers:
        weights = {name[8:]: array for name, array in arrays.items() if name.startswith("weights:")}
        _analyzers[key] = _build(task, weights)
    names, batch = task["inputs"], task["batch"]
    x = [arrays[f"input:{name}"] for name in names]
    n = len(x[0])
    relevance = {name: np.empty(values.shape, np.float32) for name, values in zip(names, x, strict=True)}
    logit = np.empty(n, np.float32)
    for start in range(0, n, batch):
        rows = slice(start, start + batch)
        *scores, selected = _analyzers[key]([values[rows] for values in x])
        for name, values in zip(names, scores, strict=True):
            relevance[name][rows] = values
        logit[rows] = np.ravel(selected)
        report(events=len(logit[rows]))
    return {}, {"logit": logit, **{f"relevance:{name}": values for name, values in relevance.items()}}
