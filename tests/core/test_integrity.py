"""One flipped bit in any file of a finished directory is noticed, and the command makes just that file anew."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import xaug
from xaug.core import integrity, provenance
from xaug.core.errors import DatasetError, XaugError
from xaug.explain.explanation import Explanation
from xaug.explain.stage import explain_run
from xaug.generate.toy import generate
from xaug.report.stage import report
from xaug.training.stage import train

JETS = 60


def make_dataset(directory: Path) -> None:
    generate(directory / "dataset", jets=JETS, seed=2, workers=1)


def make_run(directory: Path) -> None:
    train(directory / "dataset", directory / "run", network="mlp", trainings=2, epochs=1, workers=1)


def make_lrp(directory: Path) -> None:
    explain_run(directory / "run", directory / "lrp", method="lrp", engine="native")


def make_ig(directory: Path) -> None:
    explain_run(directory / "run", directory / "ig", method="ig", baseline="blank")


def make_report(directory: Path) -> None:
    report([directory / "run"], directory / "report", attributions=[directory / "lrp"])


MAKERS = {"dataset": make_dataset, "run": make_run, "lrp": make_lrp, "ig": make_ig, "report": make_report}


def read_dataset(path: Path):
    return xaug.Dataset.open(path).load()


def read_run(path: Path):
    run = xaug.load_run(path)
    found = {"metrics": run.metrics, "low": run.scaler.ranges["xaug"].low}
    for i in range(len(run)):
        found |= {f"{i}_{name}": values for name, values in run.scores(i).items()}
        found |= {f"{i}_history": run.history(i), f"{i}_weights": np.concatenate(
            [w.ravel() for w in run.model(i).get_weights()])}  # fmt: skip
    return found


def read_explanation(path: Path):
    opened = Explanation.open(path)
    found = {f"{i}": one.relevance["xaug"] for i, one in enumerate(opened.attributions())}
    found |= {f"table_{i}": one.to_numpy() for i, one in enumerate(opened.class_tables())}
    return {**found, "rankings": opened.rankings, "top5": opened.top5}


def read_report(path: Path):
    return provenance.read(path, "report")["figures"]


READERS = {
    "dataset": read_dataset, "run": read_run, "lrp": read_explanation, "ig": read_explanation, "report": read_report,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("made")
    for make in MAKERS.values():
        make(directory)
    return directory


def files(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def flip(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def same(found, expected) -> bool:
    if isinstance(expected, np.ndarray):
        return np.array_equal(found, expected)
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[key], value) for key, value in expected.items())
    return found == expected


@pytest.mark.parametrize("stage", MAKERS)
def test_every_file_is_in_the_manifest(made, stage):
    listed = json.loads((made / stage / "manifest.json").read_text())["file_digests"]
    assert sorted(listed) == [name for name in files(made / stage) if name != "manifest.json"]
    for name, record in listed.items():
        assert record["bytes"] == (made / stage / name).stat().st_size


@pytest.mark.parametrize("stage", MAKERS)
def test_a_flipped_bit_is_noticed_wherever_it_is(made, stage):
    """Where it is read, by an error that names the file; a wrong value never comes back. Elsewhere, by the stage."""
    rng, directory, expected = np.random.default_rng(5), made / stage, READERS[stage](made / stage)
    for name in files(directory):
        path = directory / name
        before = path.read_bytes()
        for _ in range(3):
            flip(path, rng)
            try:
                assert same(READERS[stage](directory), expected), f"{name}: a wrong value comes back"
            except XaugError as error:
                assert Path(name).name in str(error) and "\n" not in str(error)
            with pytest.raises(DatasetError, match=Path(name).name):
                integrity.load_manifest(path) if name == "manifest.json" else integrity.verified(path)
            path.write_bytes(before)
    assert same(READERS[stage](directory), expected)


@pytest.mark.parametrize("stage", MAKERS)
def test_the_command_mends_what_is_damaged_and_makes_nothing_else(made, stage, tmp_path):
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    directory, make, rng = copy / stage, MAKERS[stage], np.random.default_rng(7)
    expected, names = READERS[stage](directory), files(directory)
    make(copy)
    kept = {name: (directory / name).stat().st_mtime_ns for name in names}
    make(copy)
    assert {name: (directory / name).stat().st_mtime_ns for name in names} == kept
    worst = max((name for name in names if "/" in name or stage != "run"), key=lambda n: (directory / n).stat().st_size)
    for damage in (lambda path: flip(path, rng), Path.unlink):
        damage(directory / worst)
        make(copy)
        assert files(directory) == names
        found = READERS[stage](directory)
        assert same(found, expected) or stage == "report"
        assert not integrity.damaged_files(directory, provenance.read(directory))
        others = [n for n in names if (Path(n).suffix == ".h5" and Path(n).parent != Path(worst).parent) or (
            stage == "dataset" and n.endswith(".h5") and n != worst)]  # fmt: skip
        assert all((directory / n).stat().st_mtime_ns == kept[n] for n in others)


@pytest.mark.parametrize("stage", MAKERS)
@pytest.mark.parametrize("name", ["manifest.json", "started.json"])
def test_a_damaged_record_is_mended(made, stage, name, tmp_path):
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    (copy / stage / name).write_bytes(b"{" + (copy / stage / name).read_bytes()[1:-4])
    with pytest.raises(DatasetError, match=name) as error:
        READERS[stage](copy / stage)
    if name == "manifest.json":
        assert re.search(rf"Delete it and run `python -m xaug\.\w+ .*-o {copy / stage}` again", str(error.value))
    MAKERS[stage](copy)
    READERS[stage](copy / stage)


def test_files_of_the_user_are_left_alone(made, tmp_path):
    """A file that was there before the directory was claimed is not of the stage, and never removed."""
    directory = tmp_path / "dataset"
    directory.mkdir()
    notes = directory / "notes.txt"
    notes.write_text("mine")
    import os

    os.utime(notes, (1, 1))
    make_dataset(tmp_path)
    notes.write_text("changed")
    make_dataset(tmp_path)
    assert notes.read_text() == "changed"


def test_the_message_names_file_and_command(made, tmp_path):
    copy = Path(shutil.copytree(made / "dataset", tmp_path / "dataset"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["command"] = "python -m xaug.generate toy --jets 60 -o dataset"
    (copy / "manifest.json").write_text(json.dumps(integrity.seal(manifest)))
    part = next(copy.glob("*.h5"))
    flip(part, np.random.default_rng(0))
    with pytest.raises(DatasetError) as error:
        xaug.Dataset.open(copy).load()
    assert str(error.value) == (
        f"{part} is damaged (its content is not what was written). Run `{manifest['command']}` again: it keeps what "
        "is not damaged"
    )


@pytest.mark.parametrize(
    "command, expected",
    [
        ("python -m xaug.train jets -o 'old place' --seed 2", "python -m xaug.train jets -o {} --seed 2"),
        ("xaug train jets --output old", "xaug train jets --output {}"),
        ("python -m xaug.study zbb -o study", "python -m xaug.study zbb -o study"),  # the directory is a part of it
        ("python train.py", "python -m xaug.train ... -o {}"),
    ],
)
def test_the_command_names_the_place_where_the_directory_is(command, expected, tmp_path):
    (tmp_path / "moved" / "x").mkdir(parents=True)
    (tmp_path / "moved" / "x" / "file").write_text("content")
    provenance.write(tmp_path / "moved" / "x", "train", {})
    manifest = provenance.read(tmp_path / "moved" / "x") | {"command": command}
    (tmp_path / "moved" / "x" / "manifest.json").write_text(json.dumps(integrity.seal(manifest)))
    (tmp_path / "moved" / "x" / "file").write_text("CONTENT")
    with pytest.raises(DatasetError, match=re.escape(f"Run `{expected.format(tmp_path / 'moved' / 'x')}` again")):
        integrity.verified(tmp_path / "moved" / "x" / "file")
