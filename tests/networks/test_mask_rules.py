"""The masks of a model are followed as Keras makes them; those of Keras 2 and 3 differ where their outputs would."""

import keras
import pytest
from keras import Input, Model, layers

from xaug.networks.keras_versions import calls_of, is_graph, is_keras_3
from xaug.networks.mask_rules import HANDING_ON, JOINING, MAKING, RECURRENT, conflict_of_masks, masks_of

VERSION = 3 if is_keras_3() else 2
ARGUMENTS = {
    "Activation": lambda: ("relu",),
    "Bidirectional": lambda: (layers.GRU(2),),
    "GroupQueryAttention": lambda: (2, 2, 1),
    "MultiHeadAttention": lambda: (1, 2),
    "RNN": lambda: (layers.GRUCell(2),),
    "TimeDistributed": lambda: (layers.Dense(2),),
}
ELSEWHERE = {"Dot", "GlobalAveragePooling1D", "GlobalAvgPool1D", "InputLayer", "Lambda", "ReversibleEmbedding"}
"""Layers with a mask of a rule of their own: none behind a product or a mean, and two that no other version opens."""


def made(kind):
    """A layer of a kind; None for those that need more than numbers."""
    known = getattr(layers, kind)
    for arguments in [ARGUMENTS[kind]()] if kind in ARGUMENTS else [(), (2,), (0.1,), (2, 3), (2, 2), ([0.0, 1.0],)]:
        try:
            return known(*arguments)
        except Exception:  # each layer has its own for arguments that do not fit
            continue
    return None


KINDS = sorted(
    name
    for name in dir(layers)
    if isinstance(getattr(layers, name), type) and issubclass(getattr(layers, name), layers.Layer)
)


def test_every_layer_that_hands_on_a_mask_is_known():
    """What this version says of its layers, against the table for both."""
    handing = {name for name, versions in HANDING_ON.items() if VERSION in versions} | {*RECURRENT, *JOINING, *MAKING}
    found = set()
    for kind in KINDS:
        layer = made(kind)
        own = layer and any("compute_mask" in vars(each) and each.__name__ != "Layer" for each in type(layer).__mro__)
        if layer is not None and (layer.supports_masking or own):
            found.add(kind)
    assert found - ELSEWHERE == handing & set(KINDS)


def lists(join, shared=False):
    """A recurrent layer behind two lists with masks of their own, or with one mask."""
    a, b = Input((4, 3)), Input((4, 3))
    one = layers.Masking()(a)
    two = layers.Dense(3)(one) if shared else layers.Masking()(b)
    return Model([a, b], layers.GRU(2)(join([one, two])))


def chain(*parts):
    """Layers behind a mask, and a recurrent layer."""
    x = Input((4, 3))
    h = layers.Masking()(x)
    for part in parts:
        h = part(h)
    return Model(x, layers.GRU(2)(h))


def sequential(*parts):
    return keras.Sequential([Input((4, 3)), *parts])


def inside(model):
    x = Input((4, 3))
    return Model(x, layers.GRU(2)(model(x)))


def one_of_two(join):
    x = Input((4, 3))
    return Model(x, layers.GRU(2)(join([layers.Masking()(x), layers.Dense(3)(x)])))


MODELS = {
    "one mask joined with itself": (lambda: lists(layers.Add(), shared=True), True),
    "side by side": (lambda: lists(layers.Concatenate(), shared=True), True),
    "one list after the other": (lambda: lists(layers.Concatenate(axis=1)), True),
    "two masks": (lambda: lists(layers.Average()), False),
    "two masks side by side": (lambda: lists(layers.Concatenate()), False),
    "a product": (lambda: lists(layers.Multiply(), shared=True), False),
    "one of two": (lambda: one_of_two(layers.Add()), False),
    "one of two side by side": (lambda: one_of_two(layers.Concatenate()), False),
    "rescaled": (lambda: chain(layers.Rescaling(2.0)), False),
    "rescaled behind a convolution": (lambda: chain(layers.Conv1D(3, 1), layers.Rescaling(2.0)), True),
    "layers that hand on": (lambda: chain(layers.Dense(3), layers.LayerNormalization(), layers.ReLU()), True),
    "recurrent layers": (lambda: chain(layers.Bidirectional(layers.LSTM(2, return_sequences=True))), True),
    "a model inside": (lambda: chain(sequential(layers.Dense(3), layers.Dropout(0.1))), True),
    "a mask made inside": (lambda: inside(sequential(layers.Masking())), True),
    "one layer for each step": (lambda: chain(layers.TimeDistributed(layers.Dense(2))), True),
    "attention": (lambda: chain(lambda h: layers.MultiHeadAttention(1, 2)(h, h)), True),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_masks_are_those_of_keras(name):
    """Where this version has a mask, and where the other one reads a different one."""
    make, agree = MODELS[name]
    model = make()
    found = masks_of(model)
    for call in calls_of(model):
        if is_graph(call.layer):
            continue  # Keras 3 gives the mask to the output of a model inside when it runs, and not before
        own = getattr(found[id(call.outputs[0])], f"keras{VERSION}")
        assert (own is not None) == (getattr(call.outputs[0], "_keras_mask", None) is not None), call.layer.name
    assert (conflict_of_masks(model) is None) == agree


def test_initial_states_take_the_mask_away_in_keras_3():
    x, state = Input((4, 3), name="steps"), Input((2,))
    model = Model([x, state], layers.GRU(2, name="reader")(layers.Masking()(x), initial_state=state))
    assert conflict_of_masks(model).reader == "'reader' (GRU)"
    bare = Model([x, state], layers.GRU(2)(x, initial_state=state))
    assert conflict_of_masks(bare) is None
