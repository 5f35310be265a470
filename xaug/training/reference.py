"""Reference networks: small trained runs that come with the package, each with its card (`python -m xaug.reference`).

A reference is the directory of a run with one training: manifest, scaler and model, without the state of the
optimiser. Its `card.md` says on what the network was trained, how well it separates, and what it is not good for.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.errors import DatasetError, ModelError, unknown_name
from xaug.core.files import atomic_path, digest_file, write_json
from xaug.core.statistics import sample_deviation
from xaug.core.types import Array
from xaug.training.runs import Run, load_run, training_directory
from xaug.training.task import result_path

__all__ = ["card_of", "export", "load_reference", "references"]

SHOWN = {"auc": "AUC", "accuracy": "accuracy"}
"""Metrics of a card."""


def _home() -> Path:
    """The folder of the references: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


def references() -> list[str]:
    """Names of the reference networks that come with the package.

    Returns
    -------
    list of str
        in alphabetical order
    """
    return sorted(path.parent.name for path in _home().glob(f"*/{provenance.NAME}"))


def load_reference(name: str) -> Run:
    """A reference network, opened as a run.

    Parameters
    ----------
    name : str
        one of `xaug.training.reference.references()`

    Returns
    -------
    Run
        a run of one training, with `.models[0]`, `.scaler`, `.variables`, `.inputs(arrays)` and `.metrics`

    Raises
    ------
    ConfigurationError
        if there is no reference of this name; the message suggests the nearest one and lists all
    ModelError
        if the file of the network is not the released one
    """
    known = references()
    if name not in known:
        raise unknown_name("reference", name, known)
    run = load_run(_home() / name)
    model = training_directory(run.path, 0) / "model.keras"
    if digest_file(model) != run.manifest["model_digest"]:
        raise ModelError(f"{model} is not the released file (its digest differs); install xaug again")
    return run


def check_training(run: Run, training: int) -> None:
    """Raise DatasetError if a run has no training of this number."""
    if not 0 <= training < len(run):
        raise DatasetError(f"run {run.name} has trainings 0 to {len(run) - 1}, not {training}")


def _spread(values: Array) -> str:
    """The standard deviation over trainings, where there are several."""
    return f" ± {sample_deviation(values):.4f}" if len(values) > 1 else ""


def card_of(run: Run, name: str, limits: str = "", training: int = 0) -> str:
    """The text of a card: what the network is, its data, seeds and metrics, and what it is not good for.

    All numbers are read from the run and from its dataset, which must still be there.

    Parameters
    ----------
    run : Run
    name : str
        name of the reference
    limits : str
        what else one must know before using the network
    training : int
        number of the training that the reference holds

    Raises
    ------
    DatasetError
        if the run has no such training
    """
    check_training(run, training)
    data, spec, config = run.dataset(), run.input_spec, run.manifest["config"]
    inputs = ", ".join(f"{block} ({len(chosen)})" for block, chosen in spec.columns.items())
    counts = ", ".join(f"{count} {process}" for process, count in data.counts.items())
    splits = ", ".join(f"{data.size(split)} {split}" for split in ("train", "validation", "test"))
    rows = ["| metric on the test split | this training | mean ± standard deviation of all |", "| --- | --- | --- |"]
    for metric, title in SHOWN.items():
        values = np.array([own[metric] for own in run.metrics])
        rows.append(f"| {title} | {values[training]:.4f} | {values.mean():.4f}{_spread(values)} |")
    own = run.metrics[training]
    steps, kept = run.steps(training)
    best = f"epoch, {own['best_epoch'] + 1} of {own['epochs']} " if run.unit == "epoch" else ""
    best += f"(step {kept} of {steps})" if best else f"step, {kept} of {steps}"
    commit = f", with commit {run.manifest['commit']}," if run.manifest.get("commit") else ""
    lines = [
        f"# {name}",
        "",
        f"Network `{spec.network}` for {spec.kind}, {own['parameters']} trainable parameters. Inputs and their number "
        f"of variables: {inputs}; their names are in `manifest.json`, their scaling in `scaler.json`.",
        "",
        f"**Data.** {counts}; {splits}; digest `{config['dataset']}`.",
        "",
        f"**Training.** Number {training} of {len(run)}, seed {config['seed']}, {run.training_events} training rows in "
        f"batches of {config['batch_size']}, weights of the best {best}. Made{commit} by",
        "",
        f"    {run.manifest['command']}",
        "",
        *rows,
        "",
        "**Limits.** Trained on simulation, for studies of explanations; not for data."
        + (f" {limits}" if limits else ""),
        "",
        "```python",
        "import xaug",
        "",
        f'run = xaug.load_reference("{name}")',
        f"scores = run.models[0].predict(run.inputs(arrays))[:, 1]  # arrays of a dataset of {spec.kind}, unscaled",
        "```",
        "",
    ]
    return "\n".join(lines)


def export(run: str | os.PathLike[str], output: str | os.PathLike[str], card: str, training: int = 0) -> Path:
    """Make a reference of one training of a run.

    Parameters
    ----------
    run, output : path
        finished run, and directory to write
    card : str
        text of `card.md`: data, seeds, metrics with their spread, limits
    training : int
        number of the training

    Returns
    -------
    Path
        the directory

    Raises
    ------
    DatasetError
        if the directory is a reference already, or the run has no such training
    """
    source, target = load_run(run), Path(output)
    if (target / provenance.NAME).exists():
        raise DatasetError(f"{target} is a reference already; delete it first")
    check_training(source, training)
    model = training_directory(target, 0) / "model.keras"
    model.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(model) as path:
        source.model(training).save(path)  # loaded without its optimiser, so it is saved without one
    write_json(result_path(target, 0), {"history": source.history(training)})
    shutil.copyfile(source.path / "scaler.json", target / "scaler.json")
    (target / "card.md").write_text(card, encoding="utf-8")
    content = {key: source.manifest[key] for key in ("stage", "config", "versions", "inputs")}
    content |= {"metrics": [source.metrics[training]], "all_metrics": source.metrics}
    content |= {"dataset": source.record.dataset.name, "model_digest": digest_file(model)}
    content |= {"classes": list(source.classes), "training_events": source.training_events}
    write_json(target / provenance.NAME, content)
    return target
