"""One contestant of the LRP benchmark in a process of its own: our engines, and TensorFlow's passes as the measure.

    python lrp_tensorflow.py CONTESTANT NETWORK.h5 INPUTS.npz

Prints one line of JSON when ready, then, for every line on stdin, the seconds of processor time that all events
took: with one thread, what a clock says on a quiet machine. On "unguarded" the native engine compares nothing.
"""

from __future__ import annotations

import json
import sys
import time

import keras
import numpy as np
import psutil
import tensorflow as tf

import xaug
from xaug.explain.propagation import batches
from xaug.explain.propagation.guard import Guard
from xaug.explain.propagation.innvestigate import client as innvestigate_engine

BATCHES = (64, 128, 256, 512, 1024, 2048, 4096)


def passes(model, backward: bool):
    """A function of a batch: the model's outputs, or the gradient of the predicted class to all inputs."""

    @tf.function
    def forward(x):
        return [model(x, training=False)]

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            predicted = tf.reduce_max(model(x, training=False), axis=1)
        return tape.gradient(predicted, x)

    run = gradient if backward else forward
    return lambda x: [found.numpy() for found in run([tf.constant(x[name]) for name in model.input_names])]


def batched(one_batch, batch: int):
    """A function of all events, from one of a batch."""

    def run(x: dict[str, np.ndarray]) -> None:
        n = len(next(iter(x.values())))
        for start in range(0, n, batch):
            one_batch({name: values[start : start + batch] for name, values in x.items()})

    return run


def seconds(run, x, clock=time.perf_counter) -> float:
    start = clock()
    run(x)
    return clock() - start


def processor_time() -> float:
    """Of this process and, for iNNvestigate, its worker [s]."""
    workers = psutil.Process().children(recursive=True)
    return time.process_time() + sum(sum(worker.cpu_times()[:2]) for worker in workers)


def fastest(runs: dict, x):
    """The batch with the shortest time of three, and its function; batches grow until they take twice as long."""
    n, times = len(next(iter(x.values()))), {}
    for batch, run in runs.items():
        run(x)
        times[batch] = min(seconds(run, x, processor_time) for _ in range(3))
        if times[batch] > 2 * min(times.values()) or batch >= n:
            break
    batch = min(times, key=times.get)
    return batch, runs[batch]


def innvestigate_batched(model, batch: int):
    def run(x):
        innvestigate_engine.BATCH = batch
        xaug.explain.lrp(model, x, engine="innvestigate")

    return run


class NoGuard:
    """Compares nothing: what the guard costs is the difference to it."""

    def __init__(self, *arguments):
        pass

    def see(self, start, logits):
        pass

    def finish(self):
        pass


def main(contestant: str, network: str, inputs: str) -> None:
    model = keras.models.load_model(network, compile=False)
    with np.load(inputs) as found:
        x = {name: found[name] for name in model.input_names}
    few = {name: values[:64] for name, values in x.items()}
    if contestant == "native":
        first = seconds(lambda some: xaug.explain.lrp(model, some, engine="native"), few)
        batch, run = "automatic", lambda x: xaug.explain.lrp(model, x, engine="native")
        run(x)
    elif contestant == "innvestigate":
        first = seconds(innvestigate_batched(model, 64), few)
        batch, run = fastest({batch: innvestigate_batched(model, batch) for batch in BATCHES[:4]}, x)
    else:
        one_batch = passes(model, backward=contestant == "gradient")
        first = seconds(one_batch, few)
        batch, run = fastest({batch: batched(one_batch, batch) for batch in BATCHES}, x)
    print(json.dumps({"events": len(next(iter(x.values()))), "batch": batch, "first": first}), flush=True)
    for line in sys.stdin:
        batches.Guard = NoGuard if line.strip() == "unguarded" else Guard
        print(seconds(run, x, processor_time), flush=True)


main(*sys.argv[1:])
