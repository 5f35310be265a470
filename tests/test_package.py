"""A wheel holds everything that the code reads, and files that every project has agree with the package."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest
import yaml

import xaug
from xaug.__main__ import main

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


def test_citation_names_this_version_and_both_papers():
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())
    assert citation["version"] == xaug.__version__
    papers = {one["value"] for paper in citation["references"] for one in paper["identifiers"]}
    assert papers == {"arXiv:2011.13466", "arXiv:2412.13864"}


def test_changelog_begins_with_what_is_not_released_or_with_this_version():
    """In the form of Keep a Changelog: a heading for each version, newest first, and known headings below them."""
    text = (CHECKOUT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert versions[0] == ("Unreleased" if ".dev" in xaug.__version__ else xaug.__version__)
    assert versions[-1] == "0.1.0"
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def _commands(command, name):
    """A command and all of its subcommands, by name."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for sub in command.list_commands(context):
            yield from _commands(command.get_command(context, sub), f"{name} {sub}")


def test_no_option_tells_its_default_twice():
    told = []
    for name, command in _commands(main, "xaug"):
        context = click.Context(command, info_name=name, show_default=True)
        for option in command.params:
            text = " ".join((option.get_help_record(context) or ("", ""))[1].split())
            if text.count("[default: ") > 1:
                told.append(f"{name} {option.name}: {text}")
    assert told == []
