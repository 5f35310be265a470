"""Model files that need code of the user: its file or module is named, and nothing else runs."""

import sys
from types import ModuleType

import numpy as np
import pytest

import xaug
from xaug.core.errors import ConfigurationError, ModelError
from xaug.networks.keras_versions import is_keras_3
from xaug.networks.model_config import refuse_code
from xaug.networks.own_code import OwnCode

LAYERS = """
import keras
from keras import layers


class Scaled(layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor
        self.inner = layers.Dense(3, activation="relu")

    def call(self, x):
        return self.factor * self.inner(x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="Tagger")
class Shifted(layers.Layer):
    def call(self, x):
        return x + 1.0


def bent(x):
    return x * keras.activations.sigmoid(x)


def make(activation=None):
    x = keras.Input((4,), name="jet")
    h = Shifted(name="shifted")(Scaled(3.0, name="scaled")(x))
    return keras.Model(x, layers.Dense(2, activation="softmax")(layers.Dense(3, activation=activation)(h)))


def make_bent():
    return make(bent)
"""
FUNCTIONS = """
from keras import backend as K, layers
import keras
import numpy as np
import tensorflow as tf


def flags(x):
    unequal = K.not_equal if hasattr(K, "not_equal") else keras.ops.not_equal
    return np.float32(1.0) * tf.cast(unequal(x, 0.0), "float32")


def helper(x):
    return 2.0 * x


def make(own):
    x = keras.Input((4,), name="jet")
    function = (lambda x: helper(flags(x))) if own else (
        lambda x: np.float32(2.0) * tf.cast(tf.not_equal(x, 0.0), "float32"))
    h = layers.Concatenate()([x, layers.Lambda(function, output_shape=(4,), name="mask")(x)])
    return keras.Model(x, layers.Dense(2, activation="softmax")(h))
"""
X = np.random.default_rng(0).normal(size=(5, 4)).astype("f4")
FORMS = ["m.keras", "m.h5"]


def module_of(path, name):
    """The module of a file, which cannot be imported by its name afterwards."""
    module = ModuleType(name)
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


@pytest.fixture(params=FORMS)
def with_layers(request, tmp_path):
    """A file of a model with layers of classes of its own, the file that defines them, and what it predicts."""
    source, path = tmp_path / "mylayers.py", tmp_path / request.param
    source.write_text(LAYERS)
    model = OwnCode([str(source)]).objects["make"]()
    model.save(path)
    return path, str(source), model.predict(X, verbose=0)


class TestClasses:
    def test_the_refusal_says_how_to_name_them(self, with_layers):
        path, _, _ = with_layers
        with pytest.raises(ModelError, match=r"layer 'scaled' \(Scaled\).* defines Scaled, by --code FILE.py.*code="):
            xaug.load_model(path)

    def test_opens_with_its_code_alone(self, with_layers):
        path, source, expected = with_layers
        for code in (source, [source]):
            found = xaug.load_model(path, code=code)
            np.testing.assert_allclose(found.predict(X, verbose=0), expected, rtol=1e-6)

    def test_functions_open_with_their_code(self, tmp_path):
        source = tmp_path / "mylayers.py"
        source.write_text(LAYERS)
        model = OwnCode([str(source)]).objects["make_bent"]()
        for form in FORMS:
            model.save(tmp_path / form)
            if form.endswith("h5") and not is_keras_3():
                with pytest.raises(ModelError, match=r"from HDF5 files: save the model by model.save\('model.keras'\)"):
                    xaug.load_model(tmp_path / form, code=str(source))
                continue
            with pytest.raises(ModelError, match="would run code"):
                xaug.load_model(tmp_path / form)
            found = xaug.load_model(tmp_path / form, code=str(source))
            np.testing.assert_allclose(found.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)

    def test_others_stay_refused(self, with_layers, tmp_path):
        path, _, _ = with_layers
        other = tmp_path / "other.py"
        other.write_text(LAYERS.split("class Scaled")[0] + "class Other(layers.Layer):\n    pass\n")
        with pytest.raises(ModelError, match=r"layer 'scaled' \(Scaled\)"):
            xaug.load_model(path, code=str(other))

    def test_trusted_without_code_the_error_asks_for_it(self, with_layers):
        path, _, _ = with_layers
        with pytest.raises(ModelError, match=r"may need classes and functions of your own.*--code FILE.py"):
            xaug.load_model(path, unsafe=True)


@pytest.mark.parametrize(
    "part",
    [
        {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
        {"module": "os", "class_name": "Scaled", "config": {}, "registered_name": None},
        {"module": "mine", "class_name": "Scaled", "config": {}, "registered_name": "mine>Other"},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "x"}, "registered_name": "Scaled"},
        {"module": None, "class_name": "__lambda__", "config": {"value": "4wEAAAA="}, "registered_name": "Scaled"},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "Scaled"},
    ],
)
def test_given_names_open_no_door_for_others(part):
    content = {"class_name": "Dense", "config": {"name": "outer", "activation": part}}
    with pytest.raises(ModelError, match="would run code"):
        refuse_code(content, "file", known={"Scaled"})


@pytest.mark.parametrize("form", FORMS)
class TestLambda:
    def saved(self, tmp_path, form, own):
        source = tmp_path / "functions.py"
        source.write_text(FUNCTIONS)
        sys.modules["far_away"] = module_of(source, "far_away")
        try:
            model = sys.modules["far_away"].make(own)
            model.save(tmp_path / form)
        finally:
            del sys.modules["far_away"]
        return tmp_path / form, str(source), model.predict(X, verbose=0)

    def test_usual_names_are_known_where_its_module_is_not(self, tmp_path, form):
        path, _, expected = self.saved(tmp_path, form, own=False)
        found = xaug.load_model(path, unsafe=True)
        np.testing.assert_allclose(found.predict(X, verbose=0), expected, rtol=1e-6)
        assert "far_away" not in sys.modules

    def test_names_of_its_own_come_from_the_code(self, tmp_path, form):
        path, source, expected = self.saved(tmp_path, form, own=True)
        with pytest.raises(ModelError, match=r"the name '(flags|helper)'.*--code FILE.py"):
            xaug.load_model(path, unsafe=True)
        with pytest.raises(ModelError, match="Lambda"):
            xaug.load_model(path, code=source)
        found = xaug.load_model(path, unsafe=True, code=source)
        np.testing.assert_allclose(found.predict(X, verbose=0), expected, rtol=1e-6)


class TestCode:
    @pytest.mark.parametrize(
        ("content", "reason"), [("1 / 0", "ZeroDivisionError"), ("import no_such_module", "no_such_module")]
    )
    def test_a_file_that_fails(self, tmp_path, content, reason):
        (tmp_path / "bad.py").write_text(content)
        with pytest.raises(ConfigurationError, match=rf"bad.py: the file cannot be run \(.*{reason}"):
            OwnCode([str(tmp_path / "bad.py")])

    def test_what_is_not_there(self):
        with pytest.raises(ConfigurationError, match=r"no_such_file.py: there is no such file"):
            OwnCode(["no_such_file.py"])
        with pytest.raises(ConfigurationError, match=r"no_such_module.*cannot be imported.*Install its package"):
            OwnCode(["no_such_module"])

    def test_a_file_may_import_one_beside_it(self, tmp_path):
        (tmp_path / "beside_own_code.py").write_text(LAYERS.replace("Tagger", "Beside"))
        (tmp_path / "front.py").write_text("from beside_own_code import Scaled\n")
        assert set(OwnCode([str(tmp_path / "front.py")]).objects) == {"Scaled"}
