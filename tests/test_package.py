"""A wheel holds everything that the code reads, and files that every project has agree with the package."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import click
import pytest
import yaml

import xaug
from xaug.__main__ import main

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what is packed, with one more reference network in it."""
    pytest.importorskip("setuptools")
    source = tmp_path_factory.mktemp("source")
    for name in ("xaug", "models"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source / name)
    (source / "models" / "tiny" / "training_0").mkdir(parents=True)
    for name in ("manifest.json", "training_0/model.keras"):
        (source / "models" / "tiny" / name).write_text("{}")
    return source


def build(source, kind):
    """Build the wheel or the sdist of a source tree; return the file."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(source / 'dist')!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    return source / "dist" / done.stdout.splitlines()[-1]


def content(wheel):
    """Names of the files in a wheel, without its records."""
    with zipfile.ZipFile(wheel) as file:
        return {name for name in file.namelist() if ".dist-info/" not in name}


@pytest.mark.skipif(not (CHECKOUT / ".git").exists() or shutil.which("git") is None, reason="no checkout of git")
def test_no_file_of_the_sources_is_ignored():
    """A fixture that `.gitignore` hides is found by the tests here, and by nobody who clones the project."""
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--"]
    folders = ["xaug", "models", "tests", "notebooks"]
    names = subprocess.run(
        [*command, *folders], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    made = ("__pycache__/", ".ipynb_checkpoints/", "notebooks/generated/")
    assert [name for name in names if not any(part in name for part in made)] == []


@pytest.fixture(scope="module")
def sdist(source):
    """The files of an unpacked sdist, before anything else is built there."""
    with tarfile.open(build(source, "sdist")) as file:
        file.extractall(source / "unpacked", filter="data")
    (unpacked,) = (source / "unpacked").iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel_file(sdist):
    """A wheel that is made of the sdist, as pip makes it for a user who downloads that."""
    return build(sdist, "wheel")


@pytest.fixture(scope="module")
def wheel(wheel_file):
    """Names of the files in the wheel."""
    return content(wheel_file)


def test_the_wheel_says_what_the_extras_are(wheel_file):
    """`xaug` alone has no generator, no clustering and no Dask; `xaug[study]` has all that `setup.cfg` lists."""
    with zipfile.ZipFile(wheel_file) as file:
        (name,) = (name for name in file.namelist() if name.endswith("METADATA"))
        lines = re.findall(
            r"^Requires-Dist: ([\w-]+)(?:\[([\w,]+)\])?[^;\n]*(?:; .*extra == .(\w+).)?", file.read(name).decode(), re.M
        )
    needs = {}
    for package, extras, extra in lines:
        needs.setdefault(extra, set()).update([f"xaug[{one}]" for one in extras.split(",")] if extras else [package])
    heavy = {"pythia8mc", "fastjet", "coffea", "uproot", "awkward", "vector", "pyarrow", "dask", "distributed"}
    assert not needs[""] & heavy
    assert needs["study"] == {"xaug[generate]", "xaug[dask]"}
    assert heavy <= needs["process"] | needs["generate"] | needs["dask"]
    assert "xaug[study]" in needs["test"]


BLOCKED = """
import importlib, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
"""
EXTRA = {
    "coffea",
    "uproot",
    "awkward",
    "vector",
    "fastjet",
    "particle",
    "pyarrow",
    "loky",
    "pythia8mc",
    "dask",
    "distributed",
}


def run_without(packages, code, cwd):
    """Run Python code in a process that cannot import these packages."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED.format(packages=packages) + code],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip


def test_the_light_core_trains_explains_and_reports(tmp_path):
    """Toy jets need no package of an extra, from generation to the report."""
    code = """
from xaug.__main__ import main
for line in (
    "generate toy --jets 60 --workers 1 -o toy",
    "train toy --network mlp --trainings 1 --epochs 1 --workers 1 -o run",
    "explain run --method lrp --rule epsilon --engine native -o lrp",
    "report run --attributions lrp -o report",
    "inspect run",
):
    try:
        main(line.split())
    except SystemExit as end:
        assert end.code == 0, line
"""
    done = run_without(EXTRA, code, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "report" / "report.html").exists()


@pytest.mark.parametrize("name", ["zbb", "vlq"])
def test_generation_in_the_light_core_names_the_extra_that_has_all_it_needs(name, tmp_path):
    """Many packages are missing; the one that is named first is in `generate`, which has those of `process` as well."""
    code = f"from importlib import metadata\nmetadata.requires = lambda name: {REQUIRES!r}\n"
    code += f"from xaug.__main__ import main\nmain(['generate', {name!r}, '--events', '1', '-o', 'files'])"
    done = run_without(EXTRA, code, tmp_path)
    assert done.returncode == 1 and "pip install 'xaug[generate]'" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("generate zbb --jets 1 -o files", "pythia8mc", "generate"),
        ("process files -o jets", "coffea", "process"),
        ("study zbb -o zbb", "pythia8mc", "generate"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(command, package, extra, tmp_path, monkeypatch):
    (tmp_path / "files").mkdir()
    code = f"from importlib import metadata\nmetadata.requires = lambda name: {REQUIRES!r}\n"
    code += f"from xaug.__main__ import main\nmain({command.split()!r})"
    done = run_without({package}, code, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert f"the package {package} is not installed" in line
    assert f"pip install 'xaug[{extra}]'" in line


REQUIRES = ["numpy<2", 'coffea<2027; extra == "process"', "pythia8mc==8.3; extra == 'generate'"]


def test_all_modules_and_data_are_in(wheel):
    files = [path for path in (CHECKOUT / "xaug").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(CHECKOUT)) for path in files} <= wheel
    assert any(name.endswith(".cmnd") for name in wheel)


def test_the_sdist_has_what_every_project_has(sdist):
    assert {"README.md", "LICENSE", "setup.py", "setup.cfg", "PKG-INFO"} <= {path.name for path in sdist.iterdir()}


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


def test_the_recipe_of_conda_needs_what_the_light_core_needs():
    """For the Python that it names, and without iNNvestigate, which no channel has."""
    recipe = yaml.safe_load((CHECKOUT / ".conda" / "meta.yaml").read_text())
    assert recipe["package"]["version"] == xaug.__version__
    config = configparser.ConfigParser()
    config.read(CHECKOUT / "setup.cfg")
    needs = [
        one for one in config["options"]["install_requires"].splitlines() if one and ">=" not in one.partition(";")[2]
    ]
    own = {re.sub(r"\W", "", one.partition(";")[0]) for one in needs if not one.startswith("innvestigate")}
    run = [one.replace("matplotlib-base", "matplotlib") for one in recipe["requirements"]["run"]]
    assert {re.sub(r"\W", "", one) for one in run if not one.startswith("python ")} == own
    command = config["options.entry_points"]["console_scripts"].strip()
    assert recipe["build"]["entry_points"] == [command]
    assert recipe["about"]["license"] == config["metadata"]["license"]
    (python,) = (one for one in recipe["requirements"]["run"] if one.startswith("python "))
    assert python in recipe["requirements"]["host"]  # the versions for which pip takes the packages that are named here
    assert python.removeprefix("python ") == ">=3.10,<3.12"
    assert all(re.search('python_version [<>=]+ "3.12"', one) for one in needs if ";" in one)
    named = set(re.findall(r"xaug\[(\w+)\]", (CHECKOUT / ".conda" / "meta.yaml").read_text()))
    assert named and named <= set(config["options.extras_require"])


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
