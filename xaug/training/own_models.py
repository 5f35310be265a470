"""Take in a Keras model that xaug did not train, with events to explain, as a run and a dataset.

All that follows reads a run and a dataset, and so works for models of the user: methods, rankings, figures and reports.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError, ModelError, unknown_name
from xaug.core.files import digest_file, digest_json, write_json
from xaug.core.types import Array, Arrays, JsonObject
from xaug.data.dataset import Dataset
from xaug.data.labels import label_type
from xaug.data.own_arrays import OwnArrays, write_arrays
from xaug.data.records import CLASSES
from xaug.data.scaling import Scaler
from xaug.data.table import Block, Table, Variable
from xaug.networks.inputs import Inputs
from xaug.networks.keras_versions import input_names, inputs_by_key
from xaug.networks.model_files import load_model
from xaug.training.class_metrics import judge
from xaug.training.own_variables import read_variables
from xaug.training.runs import PREDICTED, training_directory, write_scores
from xaug.training.task import result_path

if TYPE_CHECKING:
    from keras import Model

__all__ = ["EVENTS", "take_in"]

EVENTS = "events"
"""Names of the run and of the dataset, beside the attributions."""
NETWORK = "own"
"""Name of the network in the records of such runs."""
FIELDS = ("label", "weight")
"""Arrays of a file of events that are no inputs."""


def take_in(
    model_file: Path,
    events: Path,
    directory: Path,
    *,
    variables: Path | None = None,
    classes: Sequence[str] | None = None,
    unsafe: bool = False,
    code: Sequence[str] = (),
    choose: Callable[[Model], tuple[int, bool]] = lambda model: (0, False),
) -> Path:
    """Write the run and the dataset of a model and of events; return the run.

    Parameters
    ----------
    model_file : Path
        file of a Keras model of any version, see `xaug.load_model`
    events : Path
        npz file with an array (n, ...) for each input of the model, by name, as the model reads it; with `label` and
        `weight` (n,) or without. Labels (n,) are classes, or for a regression the true values; several labels of an
        event (n, K) are zeros and ones. Or a dataset, of which the test split is read, unscaled
    directory : Path
        where both are written: the run under the name of the model file, the dataset as `events`
    variables : Path, optional
        YAML file that gives the columns of each input names, or name, label, unit and group
    classes : sequence of str, optional
        names of the classes in the order of the outputs
    unsafe : bool
        let the model file run code
    code : sequence of str
        Python files or names of modules with classes and functions that the model needs
    choose : callable
        of the model, the number of the output that is explained, and whether it is a regression

    Raises
    ------
    ConfigurationError
        if arrays, names or classes do not go with the model
    ModelError
        if the model cannot be opened, or is no classifier
    """
    model = load_model(model_file, unsafe=unsafe, code=code)
    index, is_value = choose(model)
    given = _events(events, model)
    x, table = given.x, _table(given, None if variables is None else read_variables(variables))
    outputs = _outputs(model, x, index)
    if is_value or _are_values(given.label, outputs):
        probability, label, names = _by_value(outputs, given.label, classes)
    else:
        probability = _probabilities(outputs)
        names = _classes(classes, probability.shape[1])
        label = _labels(_one_label(given.label, probability), names, events)
    weight = np.ones(len(label)) if given.weight is None else given.weight.astype(np.float64)
    columns: Arrays = {name: values.astype(np.float32) for name, values in x.items()}
    columns |= {"label": label.astype(label_type(len(names))), "weight": weight}
    processes = tuple(name for i, name in enumerate(names) if (label == i).any())
    process = np.array([processes.index(names[i]) for i in label])
    arrays = OwnArrays(columns, table, names, process, processes)
    write_arrays(directory / EVENTS, arrays, np.full(len(label), 2))
    data = Dataset.open(directory / EVENTS)
    facts: JsonObject = {"parameters": int(sum(np.prod(weight.shape) for weight in model.trainable_weights))}
    by_model = given.label is None or (is_value and outputs.shape[1] > 1)
    facts["labels"] = PREDICTED if by_model else "given"
    name = model_file.stem if model_file.stem != EVENTS else f"{EVENTS}_model"
    if index or is_value:
        facts["output"] = f"{index}{' as it is' if is_value else ''}"
    return _write_run(model_file, directory / name, data, probability, facts)


@dataclass(frozen=True)
class _GivenEvents:
    """Events as a file holds them: inputs by name, classes, weights, and variables where they are known."""

    path: Path
    x: Arrays
    label: Array | None
    weight: Array | None
    variables: Mapping[str, tuple[Variable, ...]]


def _labels(given: Array, classes: Sequence[str], path: Path) -> Array:
    """Labels (n,) of classes that are given by number or by name."""
    names: list[Any] = [str(value) for value in given] if given.dtype.kind in "US" else given.tolist()
    known: list[Any] = list(classes) if given.dtype.kind in "US" else list(range(len(classes)))
    for value in dict.fromkeys(names):
        if value not in known:
            raise ConfigurationError(f"{path}: label {value!r} is none of {', '.join(map(str, known))}")
    return np.array([known.index(value) for value in names])


def _events(path: Path, model: Model) -> _GivenEvents:
    """The events of an npz file or of a dataset, checked against the inputs of a model."""
    names = input_names(model)
    if path.is_dir():
        data = Dataset.open(path)
        for name in names:
            if name not in data.table.blocks:
                raise unknown_name("block of the dataset, which the model reads as its input,", name, data.table.blocks)
        arrays = dict(data.load([*names, *FIELDS], "test"))
        variables = {name: tuple(data.table.variables(name)) for name in names}
        arrays["label"] = np.array(data.classes)[arrays["label"]]
    else:
        arrays, variables = _by_name(_read_npz(path), model), {}
    inputs = {key: values for key, values in arrays.items() if key not in FIELDS}
    for key in inputs:
        if key not in names:
            raise ConfigurationError(
                f"{unknown_name(f'input of the model, in {path},', key, names)}. Each array has the name of an input, "
                f"as np.savez('test.npz', {names[0]}=array)"
            )
    for name, tensor in zip(names, model.inputs, strict=True):
        if name not in inputs:
            raise ConfigurationError(f"{path} has no array {name!r}, which the model reads; it has {', '.join(arrays)}")
        _check_shape(path, name, inputs[name], tuple(tensor.shape[1:]))
    n = len(inputs[names[0]])
    for key, values in arrays.items():
        if len(values) != n:
            raise ConfigurationError(f"{path}: {key!r} has {len(values)} events, {names[0]!r} has {n}")
    if n == 0:
        raise ConfigurationError(f"{path} holds no events")
    label, weight = (_one_axis(arrays.get(key)) for key in FIELDS)
    _check_fields(path, n, label, weight)
    return _GivenEvents(path, {name: inputs[name] for name in names}, label, weight, variables)


def _check_fields(path: Path, n: int, label: Array | None, weight: Array | None) -> None:
    if weight is not None and (weight.shape != (n,) or weight.dtype.kind not in "biuf"):
        raise ConfigurationError(f"{path}: 'weight' is {weight.dtype} {weight.shape}; one number an event is read")
    for key, values in (("label", label), ("weight", weight)):
        if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
            event = np.argwhere(~np.isfinite(values))[0][0]
            raise ConfigurationError(f"{path}: {key!r} is NaN or infinity in event {event}; leave such events out")
    if weight is not None and not weight.sum() > 0:
        raise ConfigurationError(
            f"{path}: the numbers of 'weight' add up to {weight.sum():g}; means over events need a positive sum"
        )


def _by_name(arrays: Arrays, model: Model) -> Arrays:
    """Arrays whose keys are those of a model that takes a dict, by the names of its inputs."""
    by_id = {id(tensor): name for name, tensor in zip(input_names(model), model.inputs, strict=True)}
    keys = {key: by_id[id(tensor)] for key, tensor in inputs_by_key(model).items() if id(tensor) in by_id}
    taken = set(input_names(model)) & set(arrays)
    return {key if key in taken else keys.get(key, key): values for key, values in arrays.items()}


def _one_axis(values: Array | None) -> Array | None:
    """A column (n, 1) of labels or weights as (n,), and text as text."""
    if values is None:
        return None
    values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _read_npz(path: Path) -> Arrays:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise ConfigurationError(f"{path} holds one array without a name; write np.savez('test.npz', NAME=array)")
        with found as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"{path} is no npz file of numbers, nor a dataset ({reason})") from None


def _check_shape(path: Path, name: str, values: Array, wanted: tuple[int | None, ...]) -> None:
    if values.dtype.kind not in "biuf":
        raise ConfigurationError(f"{path}: {name!r} holds {values.dtype}, not numbers")
    own, axes = values.shape[1:], str(wanted)[1:-1].rstrip(",")
    if len(own) != len(wanted) or any(b is not None and a != b for a, b in zip(own, wanted, strict=True)):
        raise ConfigurationError(f"{path}: {name!r} has the shape {values.shape}; the model reads (n, {axes})")
    if len(own) not in (1, 2, 3):
        raise ConfigurationError(
            f"{path}: {name!r} has the shape {values.shape}; this command reads vectors, lists and images, of one to "
            "three axes. In Python, xaug.explain.lrp and xaug.explain.integrated_gradients take inputs of any shape"
        )
    if not np.isfinite(values).all():
        event = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ConfigurationError(f"{path}: {name!r} holds NaN or infinity in event {event}; leave such events out")


def _table(events: _GivenEvents, named: Mapping[str, Sequence[Variable]] | None) -> Table:
    """Names of the columns of all inputs: by the file of variables, by the dataset, or by number."""
    named = named or {}
    for block in named:
        if block not in events.x:
            raise unknown_name("input in the file of variables", block, events.x)
    blocks = {}
    for block, values in events.x.items():
        width = values.shape[-1]
        numbered = [block] if width == 1 else [f"{block}_{i}" for i in range(width)]
        default = events.variables.get(block) or [Variable(name, name.replace("_", " ")) for name in numbered]
        own = list(named.get(block, default))
        if len(own) != width:
            raise ConfigurationError(f"input {block!r} has {width} columns, but {len(own)} variables are named")
        group = ("kinematic", "list", "image")[values.ndim - 2]
        full = tuple(Variable(v.name, v.label, v.unit, v.group or group) for v in own)
        blocks[block] = Block(block, full, values.shape[1:-1])
    return Table("own", blocks).without_code()


def _outputs(model: Model, x: Arrays, index: int) -> Array:
    """One of the outputs (n, K) of the model."""
    import keras

    tensors = list(model.outputs)
    rank = len(tensors[index].shape)
    if rank != 2:
        shapes = ", ".join(str(tuple(output.shape)) for output in tensors)
        place = ", ".join([":", *["0"] * (rank - 2)])
        remedy = (
            f"Explain one of them, as `keras.Model(model.inputs, model.outputs[{index}][{place}])`"
            if rank > 2
            else f"Explain `keras.Model(model.inputs, keras.layers.Reshape((1,))(model.outputs[{index}]))`"
        )
        raise ModelError(
            f"the model has outputs of the shapes {shapes}; numbers (events, K) are explained here. {remedy}, and save "
            "that model"
        )
    one = keras.Model(model.inputs, tensors[index])
    y = np.asarray(one.predict(list(x.values()), batch_size=1024, verbose=0), np.float64)
    if not np.isfinite(y).all():
        raise ModelError("the model gives NaN or infinity for some events; leave them out")
    return y


def _are_values(label: Array | None, y: Array) -> bool:
    """Whether events come with true values of a regression, and not with classes."""
    return label is not None and y.shape[1] == 1 and label.dtype.kind == "f" and not np.isin(label, (0, 1)).all()


def _by_value(y: Array, true: Array | None, classes: Sequence[str] | None) -> tuple[Array, Array, tuple[str, ...]]:
    """Scores (n, K), labels (n,) and names of classes for a regression.

    It has no classes: events are split at the median of the true value, or else of the output. With several outputs an
    event belongs to the largest one, in units of its range.
    """
    low, high = y.min(axis=0), y.max(axis=0)
    score = (y - low) / np.where(high > low, high - low, 1.0)
    if y.shape[1] == 1:
        value = y[:, 0] if true is None else np.asarray(true, np.float64).reshape(-1)
        names = ("below_median", "above_median") if classes is None else _classes(classes, 2)
        above = _above_median(value)
        above = above if 0 < above.sum() < len(above) else _above_median(y[:, 0])
        return np.concatenate([1 - score, score], axis=1), above.astype(int), names
    names = tuple(f"output_{i}" for i in range(y.shape[1])) if classes is None else _classes(classes, y.shape[1])
    return score, score.argmax(axis=1), names


def _above_median(values: Array) -> Array:
    """Whether values (n,) lie above their median, or on it where none lies above, as for zeros and many ones."""
    above: Array = values > np.median(values)
    return above if above.any() else values >= np.median(values)


def _one_label(given: Array | None, probability: Array) -> Array:
    """One label for each event: of several the first, of none the likeliest."""
    likeliest: Array = probability.argmax(axis=1)
    if given is None or given.ndim == 1:
        return likeliest if given is None else given
    if given.shape != probability.shape or not np.isin(given, (0, 1)).all():
        raise ConfigurationError(
            f"label has the shape {given.shape}; classes (n,), or zeros and ones {probability.shape}, are read"
        )
    return np.where(given.any(axis=1), given.argmax(axis=1), likeliest)


def _probabilities(y: Array) -> Array:
    """Probability (n, K) of each class; of a single output (n, 2), the second being what it stands for.

    Sigmoids of several labels stay as they are: each is the probability of its own label.
    """
    is_probability = y.min() >= 0 and y.max() <= 1
    if y.shape[1] == 1:
        p = y if is_probability else 1 / (1 + np.exp(-y))
        return np.concatenate([1 - p, p], axis=1)
    if is_probability:
        return y
    e = np.exp(y - y.max(axis=1, keepdims=True))  # a linear output of logits
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _classes(classes: Sequence[str] | None, k: int) -> tuple[str, ...]:
    if classes is None:
        return CLASSES if k == 2 else tuple(f"class_{i}" for i in range(k))
    if len(classes) != k or len(set(classes)) != k or "" in classes:
        raise ConfigurationError(f"--classes {','.join(classes)}: the model has {k} classes; name each once, in order")
    return tuple(classes)


def _write_run(model_file: Path, run: Path, data: Dataset, probability: Array, facts: JsonObject) -> Path:
    """Write the directory of a run with one training, which is the model as it is."""
    inputs = Inputs(
        data.table, NETWORK, {b: list(data.table.names(b)) for b in data.table.blocks}, outputs=len(data.classes)
    )
    config: JsonObject = {"dataset": data.digest, **inputs.config, "model": _digest(model_file)}
    config |= {"output": facts["output"]} if "output" in facts else {}
    if provenance.begin(run, "train", config):
        return run
    training = training_directory(run, 0)
    training.mkdir(parents=True, exist_ok=True)
    if model_file.is_dir():
        shutil.copytree(model_file, training / "model.keras", dirs_exist_ok=True)
    else:
        shutil.copyfile(model_file, training / "model.keras")
    Scaler(data.table, {}, {"dataset": data.digest, "split": "none"}).save(run / "scaler.json")
    test = data.load(["label", "weight", "event_id"], "test")
    score = probability[:, 1] if len(data.classes) == 2 else probability
    write_scores(
        training / "scores.h5", {"score": score, **{key: test[key] for key in ("label", "weight", "event_id")}}
    )
    try:
        metrics = judge(test["label"], probability, data.classes, test["weight"]).to_json()
    except DatasetError:  # events of one class have no ROC curve
        metrics = {"auc": float("nan"), "accuracy": float("nan")}
    metrics |= {"training": 0, "steps": 0, "best_step": 0, **facts}
    write_json(result_path(run, 0), {**metrics, "history": {"loss": [], "val_loss": []}})
    provenance.write(
        run, "train", config, dataset=str(data.path.resolve()), dataset_from_here=f"../{EVENTS}",
        classes=list(data.classes), training_events=0, inputs=inputs.to_json(), metrics=[metrics],
    )  # fmt: skip
    return run


def _digest(model_file: Path) -> str:
    if model_file.is_dir():
        files = sorted(path for path in model_file.rglob("*") if path.is_file())
        return digest_json([[str(path.relative_to(model_file)), digest_file(path)] for path in files])
    return digest_file(model_file)
