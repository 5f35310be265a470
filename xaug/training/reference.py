"""Reference networks: small trained runs that come with the package, each with its card (`python -m xaug.reference`).

A reference is the directory of a run with one training: manifest, scaler and model, without the optimiser's state,
and `card.md`, which says on what it was trained, how well it does, and what it is not good for.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from xaug.core import provenance
from xaug.core.errors import DatasetError, ModelError, unknown_name
from xaug.core.files import atomic_path, digest_file, read_json, write_json
from xaug.training.runs import Run, load_run, training_directory

__all__ = ["card_of", "export", "load_reference", "references"]

SHOWN = {"auc": "AUC", "accuracy": "accuracy"}
"""Metrics of a card."""


def _home() -> Path:
    """Where the references are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


def references() -> list[str]:
    """Names of the references."""
    return sorted(path.parent.name for path in _home().glob(f"*/{provenance.NAME}"))


def load_reference(name: str) -> Run:
    """A reference network as a run: `.models[0]`, `.scaler`, `.variables`, `.inputs(arrays)`, `.metrics`.

    Raises
    ------
    ModelError
        if its weights are not those that it was released with
    """
    if name not in references():
        raise unknown_name("reference", name, references())
    run = load_run(_home() / name)
    model = training_directory(run.path, 0) / "model.keras"
    if digest_file(model) != run.manifest["model_digest"]:
        raise ModelError(f"{model} is not the released file (its digest differs); install xaug again")
    return run


def card_of(run: Run, name: str, limits: str = "", training: int = 0) -> str:
    """Text of a card: what the network is, its data, seeds and metrics, and what it is not good for.

    All numbers are those of the run and of its dataset, which must still be there.

    Parameters
    ----------
    limits
        what else one must know before using it
    """
    data, spec, config = run.dataset(), run.input_spec, run.manifest["config"]
    inputs = ", ".join(f"{block} ({len(chosen)})" for block, chosen in spec.columns.items())
    counts = ", ".join(f"{count} {process}" for process, count in data.counts.items())
    splits = ", ".join(f"{data.size(split)} {split}" for split in ("train", "validation", "test"))
    rows = ["| metric on the test split | this training | mean ± standard deviation of all |", "| --- | --- | --- |"]
    for metric, title in SHOWN.items():
        values = np.array([own[metric] for own in run.metrics])
        rows.append(f"| {title} | {values[training]:.4f} | {values.mean():.4f} ± {values.std():.4f} |")
    own = run.metrics[training]
    commit = f", with commit {run.manifest['commit']}," if run.manifest.get("commit") else ""
    lines = [
        f"# {name}",
        "",
        f"Network `{spec.network}` for {spec.kind}, {own['parameters']} trainable parameters. Inputs and their number "
        f"of variables: {inputs}; their names are in `manifest.json`, their scaling in `scaler.json`.",
        "",
        f"**Data.** {counts}; {splits}; digest `{config['dataset']}`.",
        "",
        f"**Training.** Number {training} of {len(run)}, seed {config['seed']}, weights of the best epoch, "
        f"{own['best_epoch'] + 1} of {own['epochs']}. Made{commit} by",
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


def export(run: str | os.PathLike, output: str | os.PathLike, card: str, training: int = 0) -> Path:
    """Make a reference of one training of a run.

    Parameters
    ----------
    card
        text of `card.md`: data, seeds, metrics with spread, limits
    """
    run, output = load_run(run), Path(output)
    if (output / provenance.NAME).exists():
        raise DatasetError(f"{output} is a reference already; delete it first")
    if not 0 <= training < len(run):
        raise DatasetError(f"run {run.name} has trainings 0 to {len(run) - 1}, not {training}")
    target = training_directory(output, 0)
    target.mkdir(parents=True, exist_ok=True)
    with atomic_path(target / "model.keras") as path:
        run.model(training).save(path)  # loaded without its optimiser, so it is saved without
    history = read_json(training_directory(run.path, training) / "metrics.json")["history"]
    write_json(target / "metrics.json", {"history": history})
    shutil.copyfile(run.path / "scaler.json", output / "scaler.json")
    (output / "card.md").write_text(card)
    content = {key: run.manifest[key] for key in ("stage", "config", "versions", "inputs")}
    content |= {"metrics": [run.metrics[training]], "all_metrics": run.metrics}
    content |= {"dataset": Path(run.manifest["dataset"]).name, "model_digest": digest_file(target / "model.keras")}
    write_json(output / provenance.NAME, content)
    return output
