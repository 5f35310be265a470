"""A Keras model of the user's own, explained and reported by commands alone."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from xaug.explain.__main__ import main as explain
from xaug.explain.stage import load_attributions
from xaug.judge import main as judge
from xaug.report.__main__ import main as report

VARIABLES = """
hlf:
  - {name: mjj, label: '$m_{jj}$', unit: GeV}
  - {name: ptjj, label: '$p_T^{jj}$', unit: GeV}
  - d_eta
tracks: [track_pt, track_d0]
"""
CLASSES = ("QCD", "Hbb", "Hcc")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model of three classes that reads two inputs, events with labels, and names of the variables."""
    import keras

    keras.utils.set_random_seed(3)
    directory = tmp_path_factory.mktemp("own")
    tracks, hlf = keras.Input((4, 2), name="tracks"), keras.Input((3,), name="hlf")
    x = keras.layers.Concatenate()([keras.layers.Flatten()(tracks), hlf])
    x = keras.layers.Dense(8, activation="relu")(x)
    keras.Model([tracks, hlf], keras.layers.Dense(3, activation="softmax")(x)).save(directory / "tagger.keras")
    rng = np.random.default_rng(1)
    x = {"tracks": rng.normal(size=(60, 4, 2)).astype("f4"), "hlf": rng.normal(size=(60, 3)).astype("f4")}
    np.savez(directory / "test.npz", **x, label=np.arange(60) % 3, weight=rng.uniform(0.5, 2, 60))
    np.savez(directory / "names.npz", **x, label=np.array(CLASSES)[np.arange(60) % 3])
    np.savez(directory / "bare.npz", **x)
    (directory / "vars.yaml").write_text(VARIABLES)
    return directory, x


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


OPTIONS = {"lrp": ("--epsilon", 1e-6, "--engine", "native"), "ig": ("--baseline", "blank")}


class TestCommand:
    @pytest.mark.parametrize("method", OPTIONS)
    def test_from_file_to_report(self, made, tmp_path, method):
        import xaug

        directory, x = made
        done = run(
            explain, directory / "tagger.keras", "--inputs", directory / "test.npz", "--variables",
            directory / "vars.yaml", "--classes", ",".join(CLASSES), "--method", method, "--target", "Hbb",
            *OPTIONS[method], "-o", tmp_path / "a",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        (found,) = load_attributions(tmp_path / "a")
        assert found.variables == {"tracks": ["track_pt", "track_d0"], "hlf": ["mjj", "ptjj", "d_eta"]}
        assert found.columns["hlf"][0].axis_label == "$m_{jj}$ [GeV]"
        model = xaug.load_model(directory / "tagger.keras")
        if method == "lrp":
            own = xaug.explain.lrp(model, x, target=1, epsilon=1e-6, engine="native")
        else:
            own = xaug.explain.integrated_gradients(
                model, x, {name: np.zeros_like(values[0]) for name, values in x.items()}, target=1
            )
        for name in x:
            np.testing.assert_allclose(found.relevance[name], own.relevance[name], rtol=1e-3, atol=1e-4)

    def test_report_of_attributions_alone(self, two_classes, tmp_path):
        """Two methods explain one model: its run, which each attribution brings, is one in the report."""
        (tmp_path / "vars.yaml").write_text(VARIABLES.partition("tracks")[0])
        for method, options in OPTIONS.items():
            done = run(
                explain, two_classes / "tagger.h5", "--inputs", two_classes / "test.npz", "--variables",
                tmp_path / "vars.yaml", "--method", method, *options, "--target", "signal", "-o", tmp_path / method,
            )  # fmt: skip
            assert done.exit_code == 0, done.output
        sources = [word for method in OPTIONS for word in ("--attributions", tmp_path / method)]
        done = run(report, *sources, "-o", tmp_path / "report")
        assert done.exit_code == 0, done.output
        drawn = json.loads((tmp_path / "report" / "manifest.json").read_text())["figures"]
        assert {"roc", "distributions"} <= drawn.keys()
        assert any(name.startswith("profiles") for name in drawn)
        bars = [name for name in drawn if name.startswith("relevance")]
        assert len(bars) >= len(OPTIONS)
        with open(tmp_path / "report" / f"{bars[0]}.csv") as file:
            assert {"mjj", "ptjj", "d_eta"} <= {line.split(",")[0] for line in file}
        performance = (tmp_path / "report" / "performance.csv").read_text().splitlines()
        assert len(performance) == 2
        assert performance[1].startswith("tagger,")

    @pytest.mark.parametrize("model", ["one class alone", "one of three is absent"])
    def test_a_report_without_events_of_a_class_draws_the_rest_and_says_it(self, made, two_classes, tmp_path, model):
        where, of = (two_classes, 1) if model == "one class alone" else (made[0], 0)
        with np.load(where / "test.npz") as events:
            chosen = events["label"] == 1 if of else events["label"] != 1
            np.savez(tmp_path / "few.npz", **{key: events[key][chosen] for key in events.files if key != "weight"})
        (file,) = (path for path in where.iterdir() if path.stem == "tagger")
        done = run(
            explain, file, "--inputs", tmp_path / "few.npz", "--method", "lrp", *OPTIONS["lrp"], "-o", tmp_path / "a"
        )
        assert done.exit_code == 0, done.output
        done = run(report, "--attributions", tmp_path / "a", "-o", tmp_path / "report")
        assert done.exit_code == 0, done.output
        drawn = json.loads((tmp_path / "report" / "manifest.json").read_text())["figures"]
        absent = "background" if of else "class_1"
        assert {"distributions"} < drawn.keys() and any(one.startswith("relevance") for one in drawn)
        assert ("roc" in drawn) == (not of)  # a class against the rest has a curve
        page = (tmp_path / "report" / "report.html").read_text()
        assert f"No events are {absent}, so how well the classes are separated is not measured" in page
        assert f"no {absent} events" in (tmp_path / "report" / "performance.csv").read_text()
        done = run(report, "--attributions", tmp_path / "a", "--figures", "roc", "-o", tmp_path / "asked")
        assert done.exit_code == of
        if of:
            assert "needs runs whose test split has events of two classes" in done.output

    @pytest.mark.parametrize("baseline", ["background_mean", "background"])
    def test_baselines_are_drawn_of_the_events_that_are_there(self, two_classes, tmp_path, baseline):
        """There is no validation split, so the explained events of class 0 are the background."""
        done = run(
            explain, two_classes / "tagger.h5", "--inputs", two_classes / "test.npz", "--method", "ig",
            "--baseline", baseline, "--target", "signal", "-o", tmp_path / "a",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        (found,) = load_attributions(tmp_path / "a")
        with np.load(two_classes / "test.npz") as events:
            x, background = events["hlf"], events["hlf"][events["label"] == 0]
        reached = found.relevance["hlf"] - x * [1.0, -0.5, 0.1]  # of a linear logit: minus the mean baseline
        np.testing.assert_allclose(reached, np.broadcast_to(reached[0], x.shape), atol=1e-4)
        mean = background.mean(axis=0) * [1.0, -0.5, 0.1]
        np.testing.assert_allclose(-reached[0], mean, atol=1e-4 if baseline == "background_mean" else 0.5)

    def test_events_of_a_dataset(self, two_classes, tmp_path):
        """Inputs are the blocks of the dataset, by name; its variables name their columns."""
        import keras

        import xaug

        rng = np.random.default_rng(4)
        names = [xaug.Variable("mjj", r"$m_{jj}$", "GeV"), "d_eta"]
        xaug.Dataset.write(
            tmp_path / "data", xaug=rng.normal(size=(200, 2)), label=np.arange(200) % 2, variables={"xaug": names}
        )
        x = keras.Input((2,), name="xaug")
        keras.Model(x, keras.layers.Dense(2, activation="softmax")(x)).save(tmp_path / "m.keras")
        done = run(
            explain, tmp_path / "m.keras", "--inputs", tmp_path / "data", "--engine", "native", "-o", tmp_path / "a"
        )
        assert done.exit_code == 0, done.output
        (found,) = load_attributions(tmp_path / "a")
        assert len(found) == xaug.Dataset.open(tmp_path / "data").size("test")
        assert [v.axis_label for v in found.columns["xaug"]] == ["$m_{jj}$ [GeV]", "d eta"]

    @pytest.mark.parametrize("file", ["names.npz", "bare.npz"])
    def test_labels_by_name_or_none(self, made, tmp_path, file):
        directory, _ = made
        done = run(
            explain, directory / "tagger.keras", "--inputs", directory / file, "--classes", ",".join(CLASSES),
            "--method", "lrp", "--engine", "native", "-o", tmp_path / "a",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        (found,) = load_attributions(tmp_path / "a")
        if file == "names.npz":
            np.testing.assert_array_equal(found.label, np.arange(60) % 3)

    def test_columns_of_labels_and_keys_of_a_dict(self, tmp_path):
        """Arrays may have the keys of a model that takes a dict; labels and weights may be a column of a table."""
        import keras

        import xaug

        first, second = keras.Input((2,), name="input_a"), keras.Input((3,), name="input_b")
        h = keras.layers.Concatenate()([first, second])
        model = keras.Model({"tracks": first, "jet": second}, keras.layers.Dense(2, activation="softmax")(h))
        model.save(tmp_path / "m.keras")
        rng = np.random.default_rng(5)
        x = {"jet": rng.normal(size=(20, 3)).astype("f4"), "tracks": rng.normal(size=(20, 2)).astype("f4")}
        label = np.array([b"QCD", b"Hbb"])[np.arange(20) % 2]
        np.savez(tmp_path / "x.npz", **x, label=label[:, None], weight=np.ones((20, 1)))
        done = run(
            explain, tmp_path / "m.keras", "--inputs", tmp_path / "x.npz", "--classes", "QCD,Hbb", "--target", "Hbb",
            "--engine", "native", "--epsilon", 1e-6, "-o", tmp_path / "a",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        (found,) = load_attributions(tmp_path / "a")
        np.testing.assert_array_equal(found.label, np.arange(20) % 2)
        own = xaug.explain.lrp(model, x, target=1, epsilon=1e-6, engine="native")
        for name, values in own.relevance.items():
            np.testing.assert_allclose(found.relevance[name], values, rtol=1e-3, atol=1e-5)

    @pytest.mark.parametrize(
        ("change", "options", "reason"),
        [
            ({"weight": np.zeros(60)}, (), "'weight' add up to 0"),
            ({"weight": np.linspace(-2, 1, 60)}, (), "'weight' add up to -30"),
            ({"hlf": None}, (), "has no array 'hlf', which the model reads"),
            ({"more": np.zeros((60, 3))}, (), "unknown input of the model"),
            ({"hlf": np.zeros((60, 2))}, (), r"'hlf' has the shape (60, 2)"),
            ({"hlf": np.zeros((50, 3))}, (), "has 50 events"),
            ({"hlf": np.full((60, 3), np.nan)}, (), "holds NaN or infinity in event 0"),
            ({"label": np.full(60, 3)}, (), "label 3 is none of 0, 1, 2"),
            ({"label": np.full(60, np.nan)}, (), "'label' is NaN or infinity in event 0"),
            ({"weight": np.full(60, np.inf)}, (), "'weight' is NaN or infinity in event 0"),
            ({"weight": np.full(60, "heavy")}, (), "'weight' is <U5 (60,)"),
            ({"weight": np.ones((60, 2))}, (), "'weight' is float64 (60, 2)"),
            ({}, ("--classes", "A,B"), "the model has 3 classes"),
            ({}, ("--classes", "A,A,B"), "the model has 3 classes"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refusals(self, made, tmp_path, change, options, reason):
        directory, x = made
        arrays = {key: values for key, values in {**x, **change}.items() if values is not None}
        np.savez(tmp_path / "x.npz", **arrays)
        done = run(explain, directory / "tagger.keras", "--inputs", tmp_path / "x.npz", *options, "-o", tmp_path / "a")
        assert done.exit_code == 1 and reason in done.stderr.replace("\n", " ")
        assert "Traceback" not in done.stderr

    def test_an_array_under_another_name_than_the_input(self, two_classes, tmp_path):
        """Also where the model has one input only: another name may be another quantity."""
        np.savez(tmp_path / "x.npz", jets=np.zeros((3, 3)))
        done = run(explain, two_classes / "tagger.h5", "--inputs", tmp_path / "x.npz", "-o", tmp_path / "a")
        assert done.exit_code == 1 and "unknown input of the model" in done.stderr
        assert "np.savez('test.npz', hlf=array)" in done.stderr

    def test_an_array_without_a_name(self, made, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros((3, 3)))
        done = run(explain, made[0] / "tagger.keras", "--inputs", tmp_path / "x.npy", "-o", tmp_path / "a")
        assert done.exit_code == 1 and "one array without a name" in done.stderr and "Traceback" not in done.stderr

    def test_a_model_without_events(self, made, tmp_path):
        done = run(explain, made[0] / "tagger.keras", "-o", tmp_path / "a")
        assert done.exit_code == 1 and "needs --inputs" in done.stderr

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("hlf: [a, b]", "has 3 columns, but 2 variables are named"),
            ("hfl: [a, b, c]", "did you mean 'hlf'"),
            ("hlf: {a: b}", "must be a list"),
            ("hlf: [a, b, {nam: c}]", "has a column with nam: c; must be a name in text, or a mapping as {name: mass"),
            ("hlf: [a, b, 3]", "has a column 3; must be a name in text"),
            ("hlf: [a, b, {name: c, unt: GeV}]", "has unt: 'GeV'"),
            ("- a", "holds a list; it must be a mapping as `INPUT: [NAME, NAME, ...]`"),
            ("", "is empty; it must be a mapping as `INPUT:"),
        ],
    )
    def test_wrong_variables(self, made, tmp_path, text, reason):
        (tmp_path / "v.yaml").write_text(text)
        done = run(
            explain, made[0] / "tagger.keras", "--inputs", made[0] / "test.npz", "--variables", tmp_path / "v.yaml",
            "-o", tmp_path / "a",
        )  # fmt: skip
        assert done.exit_code == 1 and reason in done.stderr, done.stderr


TRANSFORMER = '''
import keras
import tensorflow as tf
from keras import layers

stack = keras.ops if hasattr(keras, "ops") else tf


class Places(layers.Layer):
    """Vectors of tokens and of their places."""

    def __init__(self, length, tokens, width, **options):
        super().__init__(**options)
        self.sizes = {"length": length, "tokens": tokens, "width": width}
        self.of_token, self.of_place = layers.Embedding(tokens, width), layers.Embedding(length, width)

    def call(self, x):
        return self.of_token(x) + self.of_place(stack.cast([*range(self.sizes["length"])], "int32"))

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable()
class Block(layers.Layer):
    """Attention with a shortcut and its normalisation."""

    def __init__(self, heads, width, **options):
        super().__init__(**options)
        self.sizes = {"heads": heads, "width": width}
        self.attend, self.norm = layers.MultiHeadAttention(heads, width), layers.LayerNormalization()

    def call(self, x, training=False):
        return self.norm(x + self.attend(x, x))

    def get_config(self):
        return {**super().get_config(), **self.sizes}


def make():
    x = keras.Input((6,), name="particles", dtype="int32")
    h = layers.GlobalAveragePooling1D()(Block(2, 4)(Places(6, 5, 4)(x)))
    return keras.Model(x, layers.Dense(2, activation="softmax")(h))
'''


class TestOwnLayers:
    """A transformer of layers of classes of one's own, from the command line."""

    @pytest.fixture(scope="class")
    def transformer(self, tmp_path_factory):
        import keras

        from xaug.networks.own_code import OwnCode

        directory = tmp_path_factory.mktemp("transformer")
        (directory / "mylayers.py").write_text(TRANSFORMER)
        keras.utils.set_random_seed(2)
        model = OwnCode([str(directory / "mylayers.py")]).objects["make"]()
        model.save(directory / "tagger.keras")
        tokens = np.random.default_rng(1).integers(0, 5, (40, 6))
        np.savez(directory / "test.npz", particles=tokens, label=np.arange(40) % 2)
        return directory, model, tokens

    def test_explained_reported_and_judged(self, transformer, tmp_path):
        import xaug

        directory, model, tokens = transformer
        code = ("--code", directory / "mylayers.py")
        for method in OPTIONS:
            done = run(
                explain, directory / "tagger.keras", "--inputs", directory / "test.npz", *code, "--method", method,
                *OPTIONS[method], "--target", "signal", "-o", tmp_path / method,
            )  # fmt: skip
            assert done.exit_code == 0, done.output
        (found,) = load_attributions(tmp_path / "lrp")
        own = xaug.explain.lrp(model, tokens, target="signal", epsilon=1e-6, engine="native")
        np.testing.assert_allclose(found.relevance["particles"], own.relevance["particles"], rtol=1e-3, atol=1e-5)
        sources = [word for method in OPTIONS for word in ("--attributions", tmp_path / method)]
        done = run(report, *sources, "-o", tmp_path / "report")
        assert done.exit_code == 0, done.output
        done = run(judge, tmp_path / "lrp" / "tagger", tmp_path / "lrp", *code, "-o", tmp_path / "judged")
        assert done.exit_code == 0, done.output

    def test_without_code_the_message_says_how_to_name_it(self, transformer, tmp_path):
        directory, _, _ = transformer
        done = run(
            explain, directory / "tagger.keras", "--inputs", directory / "test.npz", "-o", tmp_path / "a"
        )  # fmt: skip
        assert done.exit_code == 1
        assert "defines Places, by --code FILE.py" in done.stderr.replace("\n", " ")
