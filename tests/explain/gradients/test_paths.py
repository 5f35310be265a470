"""What moves along a path: masks, padding and frozen columns, against an integral with the mask held fixed by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.explain import Blank, class_attribution, integrated_gradients

STEPS, COLUMNS = 5, 3


def start_by_hand(x, b, value):
    """Padded steps of the event stay; steps that only the event has begin at zero."""
    start = np.empty_like(x)
    for i, j in np.ndindex(x.shape[:2]):
        if np.all(x[i, j] == value):
            start[i, j] = x[i, j]
        else:
            start[i, j] = 0.0 if np.all(b[i, j] == value) else b[i, j]
    return start


def by_midpoints(model, x, start, points=60):
    """Attributions to the log-odds by midpoints, which touch no end of the path; and the limit of f at its begin."""
    names, total = list(x), {name: np.zeros(v.shape) for name, v in x.items()}

    def odds(at):
        p = model(at if len(at) > 1 else at[0], training=False)
        return tf.math.log(p[:, 1]) - tf.math.log(p[:, 0])

    for alpha in (np.arange(points) + 0.5) / points:
        at = [tf.constant(start[n] + alpha * (x[n] - start[n]), tf.float32) for n in names]
        with tf.GradientTape() as tape:
            tape.watch(at)
            f = odds(at)
        for name, g in zip(names, tape.gradient(f, at, unconnected_gradients="zero"), strict=True):
            total[name] += (x[name] - start[name]) * g.numpy() / points
    near = odds([tf.constant(start[n] + 1e-6 * (x[n] - start[n]), tf.float32) for n in names])
    return total, near.numpy()


def padded(seed, value, n=6):
    """Lists with padding at the front, in the middle, at the back, and without padding."""
    x = np.random.default_rng(seed).normal(size=(n, STEPS, COLUMNS)).astype(np.float32)
    for i, steps in enumerate(([4], [3, 4], [0], [2], [], [1, 2, 3, 4])):
        x[i, steps] = value
    return x


def through(reader, value):
    i = keras.Input((STEPS, COLUMNS), name="list")
    h = reader(layers.Masking(value)(i))
    return keras.Model(i, layers.Dense(2, "softmax")(h))


READERS = {
    "mean": lambda h: layers.GlobalAveragePooling1D()(layers.Dense(6, "tanh")(h)),
    "gru": lambda h: layers.GRU(4)(h),
    "flat gru": lambda h: layers.Flatten()(layers.SimpleRNN(4, return_sequences=True)(layers.Dropout(0.1)(h))),
    "lstm": lambda h: layers.LSTM(3)(h),
}


@pytest.mark.parametrize(
    ("reader", "value"), [("mean", 0.0), ("mean", -999.0), ("gru", 0.0), ("flat gru", -9.0), ("lstm", 0.0)]
)
def test_the_padding_of_the_event_holds_on_the_path(reader, value):
    keras.utils.set_random_seed(1)
    model = through(READERS[reader], value)
    model.set_weights([w + 0.5 * np.random.default_rng(2).normal(size=w.shape) for w in model.get_weights()])
    x, b = padded(1, value), padded(2, value)[::-1].copy()
    for i in (0, 5) if reader == "mean" else (0,):
        found = integrated_gradients(model, {"list": x}, {"list": b[i]})
        start = start_by_hand(x, np.broadcast_to(b[i], x.shape), value)
        expected, reference = by_midpoints(model, {"list": x}, {"list": start})
        np.testing.assert_allclose(found.relevance["list"], expected["list"], atol=4e-3)
        np.testing.assert_allclose(found.reference, reference, atol=2e-3)
        np.testing.assert_allclose(found.residual, 0, atol=5e-3)
        assert found.settings["padding"] == "event"
        assert found.settings["padding_values"] == {"list": value}


def test_a_blank_list_is_a_baseline_of_a_masked_mean():
    """All steps of the baseline are padded: the mean over none is no number, that of blank particles is one."""
    keras.utils.set_random_seed(1)
    model, x = through(READERS["mean"], 0.0), padded(1, 0.0)
    assert np.isnan(model(np.zeros((1, STEPS, COLUMNS))).numpy()).all()
    found = integrated_gradients(model, {"list": x}, Blank())
    np.testing.assert_allclose(found.residual, 0, atol=2e-3)
    assert np.isfinite(found.reference).all()
    with pytest.warns(UserWarning, match="no number where 100% of the paths leave the baseline, by input 'list'"):
        integrated_gradients(model, {"list": x}, Blank(), padding="free")


def test_the_rnn_of_the_package_with_a_blank_baseline(randomised):
    from xaug import variables
    from xaug.networks.choice import choose_inputs
    from xaug.networks.registry import build

    model = randomised(build(choose_inputs(variables.table_of("jets"), "rnn", "all")), 1, scale=1.4)
    rng = np.random.default_rng(1)
    rows, columns = model.get_layer("list").output_shape[0][1:]
    x = rng.normal(size=(4, rows, columns)) * (np.arange(rows) < [[5], [20], [9], [1]])[..., None]
    found = integrated_gradients(model, {"list": x, "xaug": rng.random((4, 36))}, Blank(), tolerance=1e-2)
    assert np.all(np.abs(found.residual) <= 1.1e-2 * np.maximum(1, np.abs(found.logit - found.reference)))
    assert found.settings["tolerance_reached"] is True


def steps_of_towers():
    """Columns that are inputs of their own, joined before the mask; and two rows in a step."""
    pt, eta = keras.Input((4, 1), name="pt"), keras.Input((4, 1), name="eta")
    h = layers.Reshape((2, 4))(layers.Concatenate()([pt, eta]))
    h = layers.GlobalAveragePooling1D()(layers.Dense(5, "tanh")(layers.Masking()(h)))
    return keras.Model([pt, eta], layers.Dense(2, "softmax")(h))


def test_steps_of_several_inputs():
    keras.utils.set_random_seed(3)
    model, rng = steps_of_towers(), np.random.default_rng(1)
    x = {name: rng.normal(size=(3, 4, 1)).astype(np.float32) for name in ("pt", "eta")}
    x["pt"][0, 2:] = x["eta"][0, 2:] = 0.0
    x["pt"][1, 2:] = 0.0  # eta is there: the step exists
    found = integrated_gradients(model, x, Blank())
    expected, reference = by_midpoints(model, x, {name: np.zeros_like(v) for name, v in x.items()})
    for name in x:
        np.testing.assert_allclose(found.relevance[name], expected[name], atol=2e-3)
    np.testing.assert_allclose(found.reference, reference, atol=2e-3)
    np.testing.assert_array_equal(found.relevance["pt"][0, 2:], 0)


# Masks that the network makes itself ----------------------------------------------------------------------


def deep_set(value=0.0):
    """The mean over particles that are not padded, with a mask made by a comparison."""
    i = keras.Input((STEPS, COLUMNS), name="list")
    mask = tf.cast(tf.reduce_any(tf.not_equal(i, value), axis=-1, keepdims=True), tf.float32)
    h = tf.reduce_sum(layers.Dense(6, "tanh")(i) * mask, axis=1) / (tf.reduce_sum(mask, axis=1) + 1e-3)
    return keras.Model(i, layers.Dense(2, "softmax")(h))


@pytest.mark.parametrize("value", [0.0, -999.0])
def test_a_computed_mask_is_found_by_its_jump(value):
    keras.utils.set_random_seed(1)
    model, x, b = deep_set(value), padded(1, value), padded(2, value)
    start = start_by_hand(x, np.broadcast_to(b[1], x.shape), value)
    expected, reference = by_midpoints(model, {"list": x}, {"list": start})
    for padding in ("event", {"list": value}, f"list={value}"):
        found = integrated_gradients(model, {"list": x}, {"list": b[1]}, padding=padding)
        np.testing.assert_allclose(found.relevance["list"], expected["list"], atol=2e-3)
        np.testing.assert_allclose(found.reference, reference, atol=2e-3)
        assert found.settings["padding_values"] == {"list": value}
    with pytest.warns(UserWarning, match=r"f jumps by .* by input 'list'.*padding=\{'list': VALUE\}"):
        integrated_gradients(model, {"list": x}, {"list": b[1]}, padding="free")


def cut(threshold):
    """A particle counts if its first column is above a threshold, which is the value of the baseline there."""
    i, j = keras.Input((STEPS, COLUMNS), name="list"), keras.Input((2,), name="xaug")
    mask = tf.cast(i[:, :, :1] > threshold, tf.float32)
    h = layers.Concatenate()([tf.reduce_sum(layers.Dense(6, "tanh")(i) * mask, axis=1), j])
    return keras.Model([i, j], layers.Dense(2, "softmax")(h))


def test_a_jump_that_no_padding_mends_is_an_error_that_names_its_input():
    keras.utils.set_random_seed(1)
    model, rng = cut(0.5), np.random.default_rng(1)
    x = {"list": rng.uniform(0.6, 1, (6, STEPS, COLUMNS)), "xaug": rng.random((6, 2))}
    b = {"list": np.full((STEPS, COLUMNS), 0.5) + np.arange(COLUMNS) * 0.1, "xaug": np.zeros(2)}
    with pytest.raises(ModelError, match=r"100% of the paths leave the baseline, by input 'list'.*frozen=\['list'\]"):
        integrated_gradients(model, x, b)
    for frozen, variables in ((["list[0]"], None), (["pt"], {"list": ["pt", "eta", "phi"]})):
        found = integrated_gradients(model, x, b, frozen=frozen, variables=variables)
        np.testing.assert_allclose(found.residual, 0, atol=2e-3)
        np.testing.assert_array_equal(found.relevance["list"][..., 0], 0)
        assert found.settings["frozen"] == frozen


def test_a_jump_inside_the_paths_is_told_apart_from_kinks():
    keras.utils.set_random_seed(1)
    model, rng = cut(0.5), np.random.default_rng(1)
    x = {"list": rng.uniform(0.6, 1, (6, STEPS, COLUMNS)), "xaug": rng.random((6, 2))}
    b = {"list": rng.uniform(0, 0.4, (STEPS, COLUMNS)), "xaug": np.zeros(2)}
    with pytest.warns(UserWarning, match="more nodes change nothing, since f jumps on the way"):
        found = integrated_gradients(model, x, b)
    assert found.settings["tolerance_reached"] is False


# Frozen inputs and columns --------------------------------------------------------------------------------


def test_a_mask_that_is_an_input_is_frozen():
    keras.utils.set_random_seed(1)
    i, m = keras.Input((STEPS, COLUMNS), name="list"), keras.Input((STEPS,), name="mask")
    h = layers.Dot((1, 1))([layers.Dense(6, "tanh")(i), m])
    model = keras.Model([i, m], layers.Dense(2, "softmax")(h))
    x = padded(1, 0.0)
    mask = np.any(x != 0, axis=2).astype(np.float32)
    expected, reference = by_midpoints(model, {"list": x, "mask": mask}, {"list": np.zeros_like(x), "mask": mask})
    for baseline in ({"list": np.zeros((STEPS, COLUMNS))}, Blank()):
        found = integrated_gradients(model, {"list": x, "mask": mask}, baseline, frozen=["mask"])
        np.testing.assert_allclose(found.relevance["list"], expected["list"], atol=2e-3)
        np.testing.assert_array_equal(found.relevance["mask"], 0)
        np.testing.assert_allclose(found.reference, reference, atol=1e-3)
        np.testing.assert_allclose(found.residual, 0, atol=2e-3)


@pytest.mark.parametrize("fast", [True, False])
def test_frozen_columns_have_the_values_of_the_event(event_dnn, random_inputs, fast):
    model = event_dnn()
    x, b = random_inputs(model, 6, 1), random_inputs(model, 3, 2)
    names = list("abcdefghi")
    options = {"frozen": "b,event.g", "variables": {"event": names}, "fast": fast, "tolerance": 1e-4}
    found = integrated_gradients(model, x, b, **options)
    every = []
    for k in range(3):
        start = np.tile(b["event"][k], (6, 1))
        start[:, [1, 6]] = x["event"][:, [1, 6]]
        alone = [
            integrated_gradients(model, {"event": x["event"][i : i + 1]}, {"event": start[i]}, tolerance=1e-4)
            for i in range(6)
        ]
        every.append(
            [np.concatenate([a.relevance["event"] for a in alone]), np.concatenate([a.reference for a in alone])]
        )
    np.testing.assert_allclose(found.relevance["event"], np.mean([e[0] for e in every], axis=0), atol=1e-3)
    np.testing.assert_allclose(found.reference, np.mean([e[1] for e in every], axis=0), atol=1e-4)
    np.testing.assert_array_equal(found.relevance["event"][:, [1, 6]], 0)
    table = class_attribution(model, x, b, frozen=["b", "g"], variables={"event": names}).table
    assert np.all(table.loc[["b", "g"], "mean_absolute"] == 0)


def test_an_input_of_integers_can_be_frozen():
    keras.utils.set_random_seed(1)
    i, c = keras.Input((3,), name="x"), keras.Input((4,), name="charge", dtype="int32")
    h = layers.Concatenate()([layers.Dense(4, "tanh")(i), layers.Flatten()(layers.Embedding(3, 2)(c))])
    model = keras.Model([i, c], layers.Dense(2, "softmax")(h))
    rng = np.random.default_rng(1)
    x = {"x": rng.normal(size=(5, 3)), "charge": rng.integers(0, 3, (5, 4))}
    moved = integrated_gradients(model, x, {"x": np.zeros(3), "charge": np.zeros(4)})  # through the embedding
    np.testing.assert_allclose(moved.residual, 0, atol=2e-3)
    assert np.any(moved.relevance["charge"])
    found = integrated_gradients(model, x, {"x": np.zeros(3)}, frozen=["charge"])
    np.testing.assert_allclose(found.residual, 0, atol=2e-3)
    np.testing.assert_array_equal(found.relevance["charge"], 0)
    with pytest.raises(ConfigurationError, match="'charge' takes whole numbers"):
        integrated_gradients(model, {**x, "charge": x["charge"] + 0.5}, {"x": np.zeros(3)}, frozen=["charge"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frozen": ["evnt"]}, "did you mean 'event'"),
        ({"frozen": ["event[9]"]}, r"event\[9\]"),
        ({"frozen": ["event"]}, "nothing moves"),
        ({"padding": "evnt"}, "did you mean 'event'"),
        ({"padding": "lists=0"}, "input in padding 'lists'"),
        ({"padding": {"event": 0}}, "no list of particles"),
        ({"padding": 3}, "padding 3"),
    ],
)
def test_bad_paths(event_dnn, random_inputs, options, words):
    model = event_dnn()
    with pytest.raises(ConfigurationError, match=words):
        integrated_gradients(model, random_inputs(model, 3, 1), Blank(), **options)


def test_paths_of_models_without_masks_are_straight(event_dnn, random_inputs):
    model = event_dnn()
    found = integrated_gradients(model, random_inputs(model, 3, 1), Blank())
    assert "padding" not in found.settings
    assert xaug.explain.Attribution is type(found)
