"""Open the file of a Keras model of any version without running code that the file brings."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from xaug.core.errors import ModelError
from xaug.core.types import JsonObject
from xaug.networks.keras3 import build_model
from xaug.networks.keras3_operations import is_operation
from xaug.networks.keras3_weights import LAYERS, assign_layers, assign_legacy
from xaug.networks.keras_versions import is_keras_3
from xaug.networks.mask_rules import conflict_of_masks, refuse_other_masks
from xaug.networks.model_config import refuse_code
from xaug.networks.own_code import OwnCode

if TYPE_CHECKING:
    from keras import Model

__all__ = ["load_model", "model_facts"]


def load_model(path: str | os.PathLike[str], *, unsafe: bool = False, code: str | Sequence[str] = ()) -> Model:
    """Open the file of a Keras model, for predictions and explanations.

    The format is found by content: a `.keras` archive or an HDF5 file, of Keras 2 or of Keras 3. A file of the other
    version is read as JSON and HDF5, layer by layer, and opens wherever its layers exist in both.

    Parameters
    ----------
    path : path-like
        `.keras` archive, HDF5 file or, with `unsafe`, directory of a SavedModel
    unsafe : bool
        let the file run code: Lambda layers, custom objects, functions that it names for import, SavedModels. Only for
        files that you made or trust
    code : str or sequence of str
        Python files, or names of modules, that define the layers and functions which the file names; they are run.
        They need no `unsafe`, unless the file holds code too, as a Lambda layer does

    Returns
    -------
    keras.Model
        the model with its weights, not compiled

    Raises
    ------
    ConfigurationError
        if `code` is not there, or fails
    ModelError
        if the file cannot be opened, or would run code and `unsafe` is not set; the message names layer and remedy
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not isinstance(path, (str, os.PathLike)):
        raise ModelError(f"{path!r} is no path; give that of the file of a model, as 'model.keras'")
    path = Path(path)
    if not path.exists():
        raise ModelError(f"{path} does not exist")
    own = OwnCode([code] if isinstance(code, str) else code)
    try:
        if path.is_dir():
            return _load_directory(path, unsafe)
        if not path.is_file():
            raise ModelError(f"{path} is not a file")
        if zipfile.is_zipfile(path):
            return _load_archive(path, unsafe, own)
        if h5py.is_hdf5(path):
            return _load_hdf5(path, unsafe, own)
    except ModelError:
        raise
    except Exception as error:  # Keras, h5py and zipfile raise most kinds of errors on a damaged file
        raise ModelError(f"{path} cannot be loaded ({_first_line(error)}){_lacking_code(error)}") from error
    raise ModelError(f"{path} is not a model: neither a .keras archive nor an HDF5 file")


def model_facts(path: Path) -> JsonObject | None:
    """Facts that the file of a Keras model states, read without Keras; None for other files.

    Returns
    -------
    dict or None
        `keras_version`, `class`, `name`, number of `layers`, and shapes of `inputs` by name, where they are told
    """
    version: Any = ""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if not {"config.json", "model.weights.h5"} <= set(archive.namelist()):
                    return None
                config = json.loads(archive.read("config.json"))
                if "metadata.json" in archive.namelist():
                    version = json.loads(archive.read("metadata.json")).get("keras_version", "")
        elif h5py.is_hdf5(path):
            with h5py.File(path) as file:
                if "model_config" not in file.attrs:
                    return None
                config, version = json.loads(file.attrs["model_config"]), file.attrs.get("keras_version", "")
        else:
            return None
        own = config["config"]
        layers = own.get("layers", [])
        inputs = [layer["config"] for layer in layers if layer["class_name"] == "InputLayer"]
        shapes = {one["name"]: one.get("batch_shape", one.get("batch_input_shape")) for one in inputs}
        return {
            "keras_version": version.decode() if isinstance(version, bytes) else str(version),
            "class": config["class_name"],
            "name": own.get("name", ""),
            "layers": len(layers),
            "inputs": {name: list(shape or ()) for name, shape in shapes.items()},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({_first_line(error)})") from None


def _load_directory(path: Path, unsafe: bool) -> Model:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path} is a directory, and not that of a SavedModel; name the file of a model")
    if not unsafe:
        raise ModelError(
            f"{path} is a SavedModel, which is a program that runs when it is opened. Where it was made, save it with "
            "model.save('model.keras'); or, if you know where it comes from, open it with --unsafe (in Python: "
            "unsafe=True)"
        )
    if is_keras_3():
        raise ModelError(
            f"{path} is a SavedModel, which Keras 3 does not open. Where it was made, save it with "
            "model.save('model.keras')"
        )
    return _by_keras(path, unsafe)


def _load_archive(path: Path, unsafe: bool, own: OwnCode) -> Model:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in ("config.json", "model.weights.h5"):
            if names.count(name) != 1:
                raise ModelError(f"{path} is no .keras archive: it has {names.count(name)} files {name}")
        config = json.loads(_of_keras(archive.read("config.json").decode()))
        metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
        native = _is_native(str(metadata.get("keras_version", "")))
        if not (unsafe and native):
            refuse_code(config, str(path), native, own.objects if native else ())
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            if native and (is_keras_3() or LAYERS[0] not in file):
                with own.at_hand(config):
                    return own.bind(_by_keras(path, unsafe))
            model = _by_configuration(config, unsafe, own) if native else _of_other_version(config, str(path))
            assign_layers(model, config, file, str(path))
    return model


def _load_hdf5(path: Path, unsafe: bool, own: OwnCode) -> Model:
    with h5py.File(path) as file:
        text = file.attrs.get("model_config")
        if text is None:
            raise ModelError(
                f"{path} is an HDF5 file without a model: it holds weights only, or other data. Save the whole model "
                "with model.save('model.keras')"
            )
        text = text.decode() if isinstance(text, bytes) else str(text)
        config = json.loads(_of_keras(text))
        version = file.attrs.get("keras_version", "")
        native = _is_native(version.decode() if isinstance(version, bytes) else str(version))
        if not (unsafe and native):
            refuse_code(config, str(path), native, own.objects if native else ())
        # Keras 3 writes operations between tensors into HDF5 files, and does not read them
        if native and not (is_keras_3() and any(map(is_operation, config["config"]["layers"]))):
            with own.at_hand(config):
                return own.bind(_by_keras(path, unsafe, text))
        model = (build_model if native else _of_other_version)(config, str(path))
        assign_legacy(model, file["model_weights"], str(path))
    return model


def _of_other_version(config: JsonObject, path: str) -> Model:
    """The model of a configuration of the other version, whose layers read the masks that they read there."""
    model = build_model(config, path)
    if conflict_of_masks(model) is not None:
        model = build_model(config, path, names_masks=True)
        refuse_other_masks(model, path)
    return model


def _is_native(version: str) -> bool:
    """True if a file is of the major version of Keras that runs here; files of unknown versions are."""
    return not version or (version.split(".")[0] >= "3") == is_keras_3()


TF_KERAS = re.compile(r'("module": ?")tf_keras\.')


def _of_keras(text: str) -> str:
    """A configuration in which what the package tf_keras wrote, which is Keras 2 by another name, is of Keras."""
    return TF_KERAS.sub(r"\1keras.", text)


def _by_configuration(config: JsonObject, unsafe: bool, own: OwnCode) -> Model:
    """The model of a configuration of Keras 2.15 or later, whose groups of weights Keras 2.14 does not know."""
    import keras

    config = {key: value for key, value in config.items() if key != "compile_config"}
    with own.at_hand(config):
        return own.bind(keras.saving.deserialize_keras_object(config, safe_mode=not unsafe))


def _by_keras(path: Path, unsafe: bool, config: str = "") -> Model:
    """Open a file that was checked before by Keras itself, which goes by the ending of the name."""
    import keras

    wanted = ".keras" if path.is_file() and zipfile.is_zipfile(path) else ".h5" if path.is_file() else path.suffix
    options: dict[str, Any] = {"compile": False, "safe_mode": not unsafe}
    changed = _of_keras(config)
    if changed == config and (path.suffix == wanted or (wanted == ".h5" and path.suffix == ".hdf5")):
        return keras.models.load_model(path, **options)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"model{wanted}"
        shutil.copyfile(path, copy)
        if changed != config:
            with h5py.File(copy, "r+") as file:
                file.attrs["model_config"] = changed
        return keras.models.load_model(copy, **options)


def _lacking_code(error: Exception) -> str:
    """The remedy for a file that needs classes, functions or names of the user; empty for other errors."""
    text = str(error)
    if "Unknown activation function: 'function'" in text:
        return (
            ". Keras 2 does not read functions of one's own as activations from HDF5 files: save the model by "
            "model.save('model.keras')"
        )
    name = re.search(r"name '(\w+)' is not defined", text)
    if name:
        missing = f"the name {name[1]!r}, which the code of a Lambda layer uses"
    elif re.search(
        r"[Uu]nknown (layer|\w+ function|object|activation)|[Cc]ould not (locate|deserialize|find)|'str' object is",
        text,
    ):
        missing = "classes and functions of your own"
    else:
        return ""
    return (
        f". It may need {missing}: name the Python file or the module that defines what is missing, by --code FILE.py "
        "or --code MODULE (in Python: code='FILE.py')"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
