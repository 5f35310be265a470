"""Model files: those of Keras 2 and 3 open and predict as they did; code in them never runs unless it is asked for."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import xaug
from xaug.core.errors import ModelError
from xaug.networks.keras_versions import is_keras_3
from xaug.networks.model_config import refuse_code

FOLDERS = [Path(__file__).parent / f"keras{version}_models" for version in (2, 3)]
FILES = ("convolutions.keras", "recurrent.keras", "attention.keras", "nested.keras", "recurrent.h5", "holding.keras",
         "holding.h5")  # fmt: skip
EVERY = [(folder, file) for folder in FOLDERS for file in FILES]
EVERY += [(FOLDERS[0], "wrapped.keras"), (FOLDERS[0], "wrapped.h5")]
EVERY += [(FOLDERS[1], "operations.keras"), (FOLDERS[1], "operations.h5")]
FOREIGN = FOLDERS[0] if is_keras_3() else FOLDERS[1]
"""Files of the version that does not run here."""


class TestBothVersions:
    @pytest.mark.parametrize(("folder", "file"), EVERY, ids=lambda part: getattr(part, "name", part))
    def test_predicts_what_it_did(self, folder, file):
        """The arrays come from the Keras that wrote the file (`make_models.py`)."""
        model = xaug.load_model(folder / file)
        with np.load(folder / f"{Path(file).stem}.npz") as arrays:
            x = {name: arrays[name] for name in arrays if not name.startswith("output_")}
            expected = [arrays[f"output_{i}"] for i in range(len(arrays) - len(x))]
        found = model.predict(x, verbose=0)
        found = found if isinstance(found, list) else [found]
        assert len(found) == len(expected)
        for own, other in zip(found, expected, strict=True):
            assert np.ptp(other) > 1e-3
            np.testing.assert_allclose(own, other, rtol=2e-5, atol=1e-6)

    @pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
    def test_names_stay(self, folder):
        model = xaug.load_model(folder / "convolutions.keras")
        assert [tensor.name for tensor in model.inputs] == ["image", "xaug"]
        assert model.name == "convolutions"

    @pytest.mark.parametrize(
        ("file", "reason"),
        [
            ("hard_sigmoid", r"layer 'hard' \(Dense\) has the activation 'hard_sigmoid', which is another function"),
            ("lambda_layer", r"layer 'double' \(Lambda\) is or holds a Lambda layer.*Replace that layer"),
            ("joined_masks", r"layer 'reader' \(GRU\) would give other outputs.*behind 'sum' \(Add\).*TensorFlow 2\.1"),
            ("multiplied_masks", r"layer 'product' \(Multiply\).*Keras 3 leaves padded steps out.*TensorFlow 2\.1"),
            ("custom_layer", r"layer 'twice' \(Twice\) .*Replace that layer"),
        ],
    )
    def test_refusals_name_the_layer_and_a_remedy(self, file, reason):
        with pytest.raises(ModelError, match=reason):
            xaug.load_model(FOREIGN / f"refused_{file}.keras")

    def test_a_lost_weight_is_noticed(self, tmp_path):
        def without(file):
            del file[f"{layers_of(file)}/dense/vars/1"]

        with pytest.raises(ModelError, match="has weights of shapes"):
            xaug.load_model(changed_weights(FOREIGN / "convolutions.keras", tmp_path, without))

    def test_a_lost_layer_is_noticed(self, tmp_path):
        def without(file):
            del file[f"{layers_of(file)}/batch_normalization"]

        with pytest.raises(ModelError, match=r"weights of layer 'batch_normalization.* not in the file"):
            xaug.load_model(changed_weights(FOREIGN / "convolutions.keras", tmp_path, without))

    def test_an_option_that_is_unknown_here_is_refused_unless_it_does_nothing(self, tmp_path):
        def change(config, value):
            config["config"]["layers"][-1]["config"]["new_option"] = value

        xaug.load_model(changed_config(FOREIGN / "recurrent.keras", tmp_path, lambda config: change(config, None)))
        path = changed_config(FOREIGN / "recurrent.keras", tmp_path, lambda config: change(config, 0.5))
        with pytest.raises(ModelError, match=r"\(Dense\) has the option new_option=0.5"):
            xaug.load_model(path)


def layers_of(file):
    """The group with the layers of a model in a file of weights."""
    return next(name for name in ("layers", "_layer_checkpoint_dependencies") if name in file)


def changed_weights(source, folder, change):
    path = folder / "changed.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        (folder / "w.h5").write_bytes(old.read("model.weights.h5"))
        with h5py.File(folder / "w.h5", "r+") as file:
            change(file)
        for name in ("config.json", "metadata.json"):
            new.writestr(name, old.read(name))
        new.write(folder / "w.h5", "model.weights.h5")
    return path


def changed_config(source, folder, change):
    path = folder / "changed.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        config = json.loads(old.read("config.json"))
        change(config)
        new.writestr("config.json", json.dumps(config))
        for name in ("model.weights.h5", "metadata.json"):
            new.writestr(name, old.read(name))
    return path


@pytest.fixture(scope="module")
def plain():
    """A model of layers of Keras, with operators between tensors."""
    import keras
    import tensorflow as tf

    x = keras.Input((4,), name="xaug")
    h = keras.layers.Dense(4, activation="swish")(x)
    join = keras.ops.concatenate if is_keras_3() else tf.concat
    relu = keras.ops.relu if is_keras_3() else tf.nn.relu
    h = join([h + x, h[:, :2] * 2.0, relu(h)], axis=-1)
    return keras.Model(x, keras.layers.Dense(2, activation="softmax")(h))


@pytest.fixture
def hostile(tmp_path):
    """A model that leaves a witness when its Lambda layer runs, and the path of the witness."""
    import keras

    witness = tmp_path / "ran"
    x = keras.Input((4,), name="xaug")
    code = f"lambda x: (__import__('pathlib').Path({str(witness)!r}).touch(), x)[1]"
    h = keras.layers.Lambda(eval(code), name="evil")(x)
    model = keras.Model(x, keras.layers.Dense(2, activation="softmax")(h))
    witness.unlink()
    return model, witness


class TestKeras2:
    @pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5", "odd_name", "h5_called.keras", "zip_called.h5"])
    def test_every_format_opens_by_content(self, plain, tmp_path, name):
        saved = tmp_path / (
            "first.h5" if "h5" in name.split("_")[0] or name.endswith(("m.h5", "hdf5")) else "first.keras"
        )
        plain.save(saved)
        shutil.move(saved, tmp_path / name)
        x = np.random.default_rng(0).normal(size=(5, 4)).astype("f4")
        found = xaug.load_model(tmp_path / name).predict(x, verbose=0)
        np.testing.assert_allclose(found, plain.predict(x, verbose=0), rtol=1e-6)

    @pytest.mark.parametrize("form", ["m.keras", "m.h5", "savedmodel"])
    @pytest.mark.parametrize("called", ["same", "model.keras"])
    def test_code_runs_only_where_it_is_asked_for(self, hostile, tmp_path, form, called):
        model, witness = hostile
        path = tmp_path / "dir" / form
        if form == "savedmodel" and is_keras_3():
            pytest.skip("Keras 3 does not write SavedModels")
        path.parent.mkdir()
        model.save(path, **({"save_format": "tf"} if form == "savedmodel" else {}))
        if called != "same":
            path = path.rename(path.parent / called)
        witness.unlink(missing_ok=True)
        with pytest.raises(ModelError, match=r"(SavedModel|evil).*--unsafe"):
            xaug.load_model(path)
        assert not witness.exists()
        if form == "m.keras" or called == "same":
            xaug.load_model(path, unsafe=True)
            assert witness.exists() or form == "savedmodel"

    def test_of_a_run(self, hostile, tmp_path):
        model, witness = hostile
        run = tmp_path / "run"
        shutil.copytree(Path(xaug.load_reference("toy_mlp").path), run)
        witness.touch()
        model.save(tmp_path / "m.h5")
        shutil.move(tmp_path / "m.h5", run / "training_0" / "model.keras")
        witness.unlink()
        with pytest.raises(ModelError, match="evil"):
            xaug.load_run(run).model(0)
        assert not witness.exists()
        assert xaug.load_run(run, unsafe=True).model(0).count_params() == model.count_params()
        assert witness.exists()

    @pytest.mark.parametrize(
        "part",
        [
            {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
            {"module": "builtins", "class_name": "function", "config": "system", "registered_name": "function"},
            {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "x"}},
            {"module": None, "class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
            {"module": "my.package", "class_name": "Dense", "config": {}, "registered_name": "Dense"},
            {"module": "keras_evil.layers", "class_name": "Dense", "config": {}},
            {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "mine>Dense"},
            {"class_name": "MyLayer", "config": {"name": "own"}},
            {"class_name": "Own>Lambda", "config": {"name": "own"}, "inbound_nodes": []},
            {"class_name": "MyLayer", "config": {"name": "own"}, "inbound_nodes": [], "name": "own"},
            {"class_name": "TensorFlowOpLayer", "config": {"name": "op", "node_def": {}}},
            {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"name": "op", "filepath": "/tmp/x"}},
            {"module": "keras.src.utils.data_utils", "class_name": "get_file", "config": "get_file"},
            {"module": "keras.utils", "class_name": "get_file", "config": "get_file"},
            {"class_name": "TFOpLambda", "config": {"name": "op", "function": "io.write_file"}},
            {"class_name": "TFOpLambda", "config": {"name": "op", "function": "numpy_function"}},
            {"class_name": "TFOpLambda", "config": {"name": "op", "function": "raw_ops.WriteFile"}},
        ],
        ids=lambda part: f"{part.get('module')}.{part['class_name']}",
    )
    @pytest.mark.parametrize("depth", [0, 1, 2])
    def test_what_names_code_is_refused_wherever_it_hides(self, part, depth):
        content = {"class_name": "Dense", "config": {"name": "outer", "activation": part}}
        for _ in range(depth):
            content = {"class_name": "Functional", "module": "keras", "config": {"name": "m", "layers": [content]}}
        with pytest.raises(ModelError, match="would run code"):
            refuse_code(content, "file")

    def test_a_loss_of_its_own_does_not_matter(self, tmp_path):
        """It is needed to train, not to predict, so that it is not opened."""
        import keras
        import tensorflow as tf

        def own_loss(y, p):
            return tf.reduce_mean((y - p) ** 4)

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(loss=own_loss)
        for name in ("m.keras", "m.h5"):
            model.save(tmp_path / name)
            assert xaug.load_model(tmp_path / name).count_params() == 3

    @pytest.mark.parametrize(
        "damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"\0" * 100, lambda raw: raw[::-1]]
    )
    @pytest.mark.parametrize("name", ["m.keras", "m.h5"])
    def test_damage_is_one_error(self, plain, tmp_path, damage, name):
        plain.save(tmp_path / name)
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
        with pytest.raises(ModelError, match=name):
            xaug.load_model(tmp_path / name)

    def test_weights_alone_are_no_model(self, plain, tmp_path):
        plain.save_weights(tmp_path / "own.weights.h5")
        with pytest.raises(ModelError, match="weights only"):
            xaug.load_model(tmp_path / "own.weights.h5")

    @pytest.mark.parametrize("name", ["missing.keras", "."])
    def test_no_file(self, tmp_path, name):
        with pytest.raises(ModelError, match=r"does not exist|not that of a SavedModel"):
            xaug.load_model(tmp_path / name)
