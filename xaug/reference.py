"""Reference networks: small trained runs that come with the package, each with its card.

A reference is the directory of a run with one training: manifest, scaler and model, without the optimiser's state,
and `card.md`, which says on what it was trained, how well it does, and what it is not good for.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from xaug import manifest
from xaug.errors import DatasetError, ModelError, unknown_name
from xaug.runs import Run, load_run, training_directory
from xaug.storage import atomic_path, digest_file, read_json, write_json

__all__ = ["export", "load_reference", "references"]


def _home() -> Path:
    """Where the references are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


def references() -> list[str]:
    """Names of the references."""
    return sorted(path.parent.name for path in _home().glob(f"*/{manifest.NAME}"))


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


def export(run: str | os.PathLike, output: str | os.PathLike, card: str, training: int = 0) -> Path:
    """Make a reference of one training of a run.

    Parameters
    ----------
    card
        text of `card.md`: data, seeds, metrics with spread, limits
    """
    run, output = load_run(run), Path(output)
    if (output / manifest.NAME).exists():
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
    write_json(output / manifest.NAME, content)
    return output
