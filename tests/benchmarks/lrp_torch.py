"""One contestant of the LRP benchmark with PyTorch: Zennit or Captum, run by the interpreter named in XAUG_PEERS.

    python lrp_torch.py zennit|captum cnn2d|cnn1d|mlp WEIGHTS.npz INPUTS.npz

WEIGHTS.npz has the arrays of the Keras model as LAYER/INDEX; INPUTS.npz also `logits`, which the network must give.
The rules are those nearest to Preset A: alpha1-beta0 (Zennit: z+) on convolutions, epsilon 0.1 on dense layers.
Speaks like lrp_tensorflow.py.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

import numpy as np
import torch
from torch import nn

BATCHES = (64, 256, 512)


class Tower(nn.Sequential):
    """Convolutions and pooling of one input with channels first, flattened."""

    def forward(self, x):
        return super().forward(x).flatten(1)


class Network(nn.Module):
    """Towers of the low-level inputs, joined with the last input, and three dense layers."""

    def __init__(self, towers: list[Tower], widths: list[int]):
        super().__init__()
        self.towers = nn.ModuleList(towers) if towers else ()  # Captum wants a rule for an empty list
        layers = []
        for width, following in itertools.pairwise(widths):
            layers += [nn.Linear(width, following), nn.ReLU()]
        self.dense = nn.Sequential(*layers[:-1])

    def forward(self, *inputs):
        joined = [tower(x) for tower, x in zip(self.towers, inputs[:-1], strict=True)]
        return self.dense(torch.cat([*joined, inputs[-1]], dim=1))


def convolution(weights, name: str) -> nn.Module:
    """A layer with the weights of a Keras convolution."""
    kernel, bias = weights[f"{name}/0"], weights[f"{name}/1"]
    kind = nn.Conv2d if kernel.ndim == 4 else nn.Conv1d
    layer = kind(kernel.shape[-2], kernel.shape[-1], kernel.shape[:-2], padding="same")
    axes = (kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))
    layer.weight.data, layer.bias.data = torch.tensor(kernel.transpose(axes)), torch.tensor(bias)
    return layer


def build(name: str, weights, inputs: list[str]) -> Network:
    """The network with the weights of Keras, whose Flatten has channels last."""
    if name == "cnn2d":
        c = [convolution(weights, f"conv_{i}") for i in (1, 2, 3)]
        towers = [Tower(c[0], nn.ReLU(), c[1], nn.ReLU(), c[2], nn.ReLU(), nn.MaxPool2d(2))]
        places = (64, 32)
    elif name == "mlp":
        towers, places = [], (1, 1)
    else:
        towers, places = [], (5, 32)
        for column in inputs[:-1]:
            layers = []
            for i in (1, 2):
                a, b = (convolution(weights, f"{column}_conv_{i}{letter}") for letter in "ab")
                layers += [a, nn.ReLU(), b, nn.ReLU(), nn.MaxPool1d(2)]
            towers.append(Tower(*layers))
    dense = [(weights[f"{layer}/0"], weights[f"{layer}/1"]) for layer in ("dense_1", "dense_2", "output")]
    network = Network(towers, [dense[0][0].shape[0], *[kernel.shape[1] for kernel, _ in dense]])
    linear = [layer for layer in network.dense if isinstance(layer, nn.Linear)]
    for i, (layer, (kernel, bias)) in enumerate(zip(linear, dense, strict=True)):
        if i == 0 and towers:
            per_tower, ends = places[0] * places[1], len(towers) * places[0] * places[1]
            head = kernel[:ends].reshape(len(towers), *places, -1).swapaxes(1, 2).reshape(len(towers) * per_tower, -1)
            kernel = np.concatenate([head, kernel[ends:]])
        layer.weight.data, layer.bias.data = torch.tensor(kernel.T.copy()), torch.tensor(bias)
    return network.eval()


def zennit(network: Network):
    """A function of a batch."""
    from zennit.composites import EpsilonPlus

    EpsilonPlus(epsilon=0.1).register(network)

    def run(batch):
        batch = [x.requires_grad_(True) for x in batch]
        out = network(*batch)
        chosen = nn.functional.one_hot(out.detach().argmax(1), out.shape[1])
        return torch.autograd.grad(out, batch, out.detach() * chosen)

    return run


def captum(network: Network):
    """A function of a batch."""
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule

    def run(batch):
        for layer in network.modules():  # Captum takes the rules off after every call
            if isinstance(layer, nn.Conv1d | nn.Conv2d):
                layer.rule = Alpha1_Beta0_Rule()
            elif isinstance(layer, nn.Linear):
                layer.rule = EpsilonRule(0.1)
        return LRP(network).attribute(tuple(batch), target=network(*batch).argmax(1))

    return run


def main(contestant: str, name: str, weights: str, inputs: str) -> None:
    torch.set_num_threads(1)
    with np.load(inputs) as found:
        names = [key for key in found.files if key != "logits"]
        x = [torch.tensor(np.moveaxis(found[key], -1, 1).copy()) for key in names]
        logits = found["logits"]
    with np.load(weights) as found:
        network = build(name, found, names)
    with torch.no_grad():
        np.testing.assert_allclose(network(*[v[:64] for v in x]).numpy(), logits[:64], atol=1e-4)
    explain = {"zennit": zennit, "captum": captum}[contestant](network)

    def seconds(batch: int) -> float:
        start = time.process_time()
        for begin in range(0, len(x[0]), batch):
            explain([v[begin : begin + batch].clone() for v in x])
        return time.process_time() - start

    start = time.perf_counter()
    explain([v[:64].clone() for v in x])
    first = time.perf_counter() - start
    times = {batch: seconds(batch) for batch in BATCHES}
    best = min(times, key=times.get)
    print(json.dumps({"events": len(x[0]), "batch": best, "first": first}), flush=True)
    for _ in sys.stdin:
        print(seconds(best), flush=True)


main(*sys.argv[1:])
