"""The recipes of CONTRIBUTING.md work as they are written.

Each recipe is applied to a copy of the package, its commands are run there, and its result is compared with a number
that is computed without xaug.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import fastjet
import h5py
import numpy as np
import pytest
import uproot

import xaug

CHECKOUT = Path(__file__).parents[1]
RECIPES = (CHECKOUT / "CONTRIBUTING.md").read_text().split("## Recipes\n")[1]
PLACE = re.compile(
    r"(New file|At the end of|In) `(?P<file>[^`]+)`(?:, below the line `(?P<line>[^`]+)`)?:|(?P<use>Use it):"
)
FENCE = re.compile(r"```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Change:
    """A block of a recipe, and where it goes: below a line of a file, or at its end."""

    file: str
    code: str
    line: str | None

    def apply(self, root: Path) -> None:
        path = root / self.file
        old = path.read_text() if path.exists() else ""
        if self.line is None:
            path.write_text(f"{old}\n\n{self.code}" if old else self.code)
            return
        lines = old.splitlines(keepends=True)
        places = [number for number, text in enumerate(lines) if text.rstrip("\n") == self.line]
        assert len(places) == 1, f"{self.file} has {len(places)} lines {self.line!r}"
        lines.insert(places[0] + 1, self.code)
        path.write_text("".join(lines))


@dataclass(frozen=True)
class Recipe:
    """Changes of the package, and the commands or the script that use them."""

    changes: tuple[Change, ...]
    commands: tuple[str, ...]
    script: str


def recipe(title: str) -> Recipe:
    """Read the recipe under a heading."""
    section = RECIPES.split(f"### {title}\n")[1].split("\n### ")[0]
    changes, commands, script, place = [], [], "", None
    for match in re.finditer(rf"{PLACE.pattern}|{FENCE.pattern}", section, re.DOTALL):
        if match["file"] or match["use"]:
            place = match
        elif match["language"] == "bash":
            commands += match["code"].splitlines()
        elif place["use"]:
            script += match["code"]
        else:
            changes.append(Change(place["file"], match["code"], place["line"]))
    return Recipe(tuple(changes), tuple(commands), script)


TITLES = re.findall(r"^### (.+)$", RECIPES, re.MULTILINE)


@pytest.mark.parametrize("title", TITLES)
def test_recipes_are_short(title):
    """At most two files and 40 lines."""
    found = recipe(title)
    assert found.changes
    assert found.commands or found.script
    assert len({change.file for change in found.changes}) <= 2
    assert sum(len(change.code.strip().splitlines()) for change in found.changes) <= 40


def test_every_recipe_is_used_here():
    source = Path(__file__).read_text()
    assert [title for title in TITLES if f'follow("{title}"' not in source] == []


@pytest.fixture
def follow(tmp_path, zbb_files, zbb_dataset):
    """follow(title, prepare): applies a recipe to a copy of the package and runs its commands.

    It returns the working directory, which `prepare` may fill before the commands run.

    The directory holds ROOT files and a dataset of the unchanged package, as `files` and `jets`, unless the recipe
    makes its own.
    """

    def run(title: str, prepare: Callable[[Path], object] = lambda work: None) -> Path:
        found = recipe(title)
        shutil.copytree(CHECKOUT / "xaug", tmp_path / "package" / "xaug", ignore=shutil.ignore_patterns("__pycache__"))
        for change in found.changes:
            change.apply(tmp_path / "package")
        work = tmp_path / "work"
        work.mkdir()
        (work / "files").symlink_to(zbb_files)
        prepare(work)
        if not any(command.startswith("python -m xaug.process") for command in found.commands):
            shutil.copytree(zbb_dataset, work / "jets")
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "package")}
        for command in [shlex.split(command) for command in found.commands] + (
            [["python", "-c", found.script]] if found.script else []
        ):
            assert command[0] == "python"
            done = subprocess.run(
                [sys.executable, *command[1:]], cwd=work, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return work

    return run


def columns(dataset: Path, field: str) -> np.ndarray:
    """A field of all parts of a dataset, in the order of the file names, read without xaug."""
    found = []
    for path in sorted(dataset.glob("*.h5")):
        with h5py.File(path) as file:
            found.append(file[field][()])
    return np.concatenate(found)


def column(dataset: Path, block: str, name: str) -> np.ndarray:
    """One column of a block, found in the table that the dataset stores."""
    table = json.loads((dataset / "manifest.json").read_text())["table"]["blocks"][block]["columns"]
    return columns(dataset, block)[..., [one["name"] for one in table].index(name)]


def leading_jets(files: Path) -> list[tuple]:
    """pT, rapidity, azimuth and constituents of the leading anti-kT jet of each event, by classic fastjet.

    The cluster sequences are kept because the constituents belong to them.
    """
    found = []
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, 0.8)
    for path in sorted(files.glob("*.root")):
        with uproot.open(path) as file:
            names = [f"constituent_{name}" for name in ("pt", "eta", "phi", "m", "id")]
            events = file["T"].arrays(names)
        for event in ak.to_list(events):
            particles = []
            for pt, eta, phi, mass, number in zip(*(event[name] for name in names), strict=True):
                if abs(number) not in (12, 14, 16):
                    pz, energy = pt * np.sinh(eta), np.hypot(pt * np.cosh(eta), mass)
                    particles.append(fastjet.PseudoJet(pt * np.cos(phi), pt * np.sin(phi), pz, energy))
            sequence = fastjet.ClusterSequence(particles, definition)
            jet = max(sequence.inclusive_jets(20.0), key=lambda jet: jet.pt(), default=None)
            if jet is not None:
                found.append((jet.pt(), jet.rap(), jet.phi(), list(jet.constituents()), sequence))
    return found


def test_add_an_expert_variable(follow):
    """The width of each jet, against classic fastjet; jets are found again by their pT."""
    work = follow("Add an expert variable")
    expected = {}
    for pt, rapidity, azimuth, constituents, _ in leading_jets(work / "files"):
        moments = np.array([[one.pt(), one.rap() - rapidity, one.phi() - azimuth] for one in constituents])
        distance = np.hypot(moments[:, 1], np.angle(np.exp(1j * moments[:, 2])))
        expected[np.float32(pt)] = (moments[:, 0] * distance).sum() / moments[:, 0].sum()
    widths, momenta = column(work / "jets", "xaug", "width"), column(work / "jets", "xaug", "pt")
    assert len(widths) == 300
    nearest = np.array(list(expected))
    for width, pt in zip(widths, momenta, strict=True):
        own = nearest[np.abs(nearest - pt).argmin()]
        assert own == pytest.approx(pt, rel=1e-5)
        assert width == pytest.approx(expected[own], rel=1e-3)
    chosen = json.loads((work / "run" / "manifest.json").read_text())
    assert "width" in json.dumps(chosen["inputs"])


def test_add_a_column_of_the_particle_list(follow):
    """kT is pT times the distance, which the list holds as well."""
    work = follow("Add a column of the particle list")
    own, log_pt, distance = (column(work / "jets", "list", name) for name in ("log_kt", "log_pt", "delta_r"))
    far = (columns(work / "jets", "mask") > 0) & (distance > 1e-3)
    assert far.sum() > 3000
    np.testing.assert_allclose(own[far], log_pt[far] + np.log(distance[far]), atol=1e-4)


def test_add_a_network(follow):
    """It has the parameters of its layers, and does not see the order of the particles."""
    import keras

    work = follow("Add a network")
    model = keras.models.load_model(work / "run" / "training_0" / "model.keras")
    columns_read = model.inputs[0].shape[-1]
    sizes = [(columns_read, 32), (32, 64), (64, 128), (128, 2)]
    assert model.count_params() == sum(before * after + after for before, after in sizes)
    particles = np.random.default_rng(1).normal(size=(5, 20, columns_read)).astype(np.float32)
    shuffled = particles[:, np.random.default_rng(2).permutation(20)]
    np.testing.assert_allclose(model(particles), model(shuffled), atol=1e-6)


def test_add_an_explanation_method(follow, zbb_dataset):
    """The relevance is the squared derivative of the log-odds, here from differences of two outputs."""
    import keras

    work = follow("Add an explanation method")
    with h5py.File(work / "sensitivity" / "attribution_0.h5") as file:
        relevance, logit = file["relevance/xaug"][()], file["logit"][()]
    model = keras.models.load_model(work / "run" / "training_0" / "model.keras")

    def log_odds(x):
        probability = model(x).numpy().astype(np.float64)
        return np.log(probability[:, 1] / probability[:, 0])

    x = xaug.load_run(work / "run").inputs(xaug.Dataset.open(zbb_dataset).load(["xaug"], "test"))["xaug"]
    np.testing.assert_allclose(logit, log_odds(x), atol=1e-4)
    step = 1e-3
    slopes = [(log_odds(x + step * e) - log_odds(x - step * e)) / (2 * step) for e in np.eye(x.shape[1])]
    expected = np.square(slopes).T
    close = np.isclose(relevance, expected, atol=0.01 * expected.max())
    assert close.mean() > 0.98  # a difference across the kink of a ReLU is no derivative


def numbers(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_add_a_figure(follow):
    """The figure counts each event of the test split once, in the bin of its score."""
    work = follow("Add a figure")
    assert (work / "report" / "calibration_run.png").stat().st_size > 5000
    assert "calibration_run" in json.loads((work / "report" / "manifest.json").read_text())["figures"]
    found = xaug.load_run(work / "run").scores(0)
    for row in numbers(work / "report" / "calibration_run.csv"):
        inside = [
            label
            for score, label in zip(found["score"], found["label"], strict=True)
            if float(row["low"]) <= score < float(row["high"]) or score == 1.0 == float(row["high"])
        ]
        assert (int(row["events"]), int(row["signal"])) == (len(inside), sum(inside))


def test_add_a_study(follow):
    """It leaves a report, whose AUC is the share of pairs in which signal scores higher."""
    work = follow("Add a study")
    assert (work / "overlap" / "report" / "report.html").exists()
    assert len(columns(work / "overlap" / "dataset", "label")) == 600
    found = xaug.load_run(work / "overlap" / "runs" / "mlp").scores(0)
    signal, background = (found["score"][found["label"] == label].astype(float) for label in (1, 0))
    pairs = (signal[:, None] > background).mean() + 0.5 * (signal[:, None] == background).mean()
    (row,) = numbers(work / "overlap" / "report" / "performance.csv")
    assert row["run"] == "mlp"
    assert float(row["auc"].split()[0]) == pytest.approx(pairs, abs=6e-5)


def test_add_a_file_format(follow, zbb_dataset):
    """The archive and the tree of the same events give the same jets."""

    def write_archive(work: Path) -> None:
        branches = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m", "id": "id"}
        branches |= {f"v{x}": f"v{x}{x}" for x in "xyz"}
        with uproot.open(work / "files" / "zbb_qcd_00000.root") as file:
            events = file["T"].arrays([f"constituent_{branch}" for branch in branches.values()], entry_stop=100)
        flat = {name: ak.to_numpy(ak.flatten(events[f"constituent_{branch}"])) for name, branch in branches.items()}
        np.savez(work / "qcd.npz", counts=ak.to_numpy(ak.num(events["constituent_pt"])), **flat)
        content = {"my_qcd": {"files": ["qcd.npz"], "metadata": {"label": 0, "process": "qcd"}}}
        (work / "fileset.json").write_text(json.dumps(content))

    work = follow("Add a file format", write_archive)
    own, expected = columns(work / "jets", "xaug"), columns(zbb_dataset, "xaug")
    assert 10 < len(own) < len(expected)
    for row in own:
        same = np.abs(expected - row).max(axis=1).argmin()
        np.testing.assert_allclose(row, expected[same], rtol=1e-5)


def relevance_of_dense_layers(model, x, share) -> np.ndarray:
    """Relevance of flat inputs (n, features) for output 1, by a formula share(x, w, z, R) through all dense layers."""
    steps, a = [], x.astype(np.float64)
    dense = [layer for layer in model.layers if layer.get_weights()]
    for layer in dense:
        w, b = (v.astype(np.float64) for v in layer.get_weights())
        z = a @ w + b
        steps.append((a, w, z))
        a = np.maximum(z, 0) if layer is not dense[-1] else z
    relevance = a * [0, 1]
    for step in reversed(steps):
        relevance = share(*step, relevance)
    return relevance


def explained(work: Path, dataset: Path, name: str) -> tuple:
    """Model, inputs and relevance of the first training of `run`, explained in `relevance`."""
    import keras

    model = keras.models.load_model(work / "run" / "training_0" / "model.keras")
    with h5py.File(work / "relevance" / "attribution_0.h5") as file:
        relevance = file[f"relevance/{name}"][()]
    run = xaug.load_run(work / "run")
    return model, run.inputs(xaug.Dataset.open(dataset).load(run.input_spec.fields, "test"))[name], relevance


def assert_near(found: np.ndarray, expected: np.ndarray) -> None:
    """In units of the largest relevance of each event; single events with a denominator near zero are rounded more."""
    largest = np.abs(expected).reshape(len(expected), -1).max(axis=1)
    error = np.abs(found - expected).reshape(len(expected), -1).max(axis=1) / largest
    assert np.median(error) < 1e-5
    assert np.quantile(error, 0.9) < 1e-3


def test_add_a_layer_of_lrp(follow, zbb_dataset):
    """LRP-epsilon by matrices through the dense layers, on unit vectors; it passes unchanged to the particles."""
    work = follow("Add a layer of LRP")
    model, x, found = explained(work, zbb_dataset, "list")
    unit = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)
    expected = relevance_of_dense_layers(
        model, unit.reshape(len(x), -1), lambda a, w, z, r: a * ((r / (z + np.where(z < 0, -1e-7, 1e-7))) @ w.T)
    )
    assert_near(found, expected.reshape(x.shape))


def test_add_a_rule_of_lrp(follow, zbb_dataset):
    """LRP-gamma by matrices through the dense layers."""

    def share(a, w, z, r):
        favoured = w + 0.25 * np.maximum(w, 0)
        z = a @ favoured
        return a * (np.divide(r, z, out=np.zeros_like(z), where=z != 0) @ favoured.T)

    work = follow("Add a rule of LRP")
    model, x, found = explained(work, zbb_dataset, "xaug")
    assert_near(found, relevance_of_dense_layers(model, x, share))
