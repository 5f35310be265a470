"""What an installation holds: everything that a checkout has and code reads."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in a wheel of this checkout, with a reference network in it."""
    pytest.importorskip("setuptools")
    source = tmp_path_factory.mktemp("source")
    for name in ("xaug", "models"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source / name)
    (source / "models" / "tiny" / "training_0").mkdir(parents=True)
    for name in ("manifest.json", "training_0/model.keras"):
        (source / "models" / "tiny" / name).write_text("{}")
    code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(source)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    with zipfile.ZipFile(source / done.stdout.splitlines()[-1]) as file:
        return set(file.namelist())


def test_all_modules_and_data_are_in(wheel):
    files = [path for path in (CHECKOUT / "xaug").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(CHECKOUT)) for path in files} <= wheel
    assert any(name.endswith(".cmnd") for name in wheel)


def test_references_are_in(wheel):
    assert {
        "xaug/models/README.md",
        "xaug/models/tiny/manifest.json",
        "xaug/models/tiny/training_0/model.keras",
    } <= wheel
    assert not {name for name in wheel if name.startswith("models")}
