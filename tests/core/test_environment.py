"""`xaug doctor` names what is wrong in an environment, and what to do about it."""

import json
from collections import namedtuple
from importlib import metadata

import pytest
from click.testing import CliRunner

from xaug.core import environment
from xaug.core.environment import findings
from xaug.doctor import main

REQUIRES = [
    'numpy>=1.26; python_version >= "3"',
    'numpy>=99; python_version < "3"',
    "no-such-package>=3",
    "pandas>=99",
    'coffea-of-nobody>=1; extra == "process"',
    'xaug[process]; extra == "study"',
    'scipy>=99; python_version < "3"',
    'h5py>=99; python_version >= "3"',
]


@pytest.fixture
def without_tensorflow(monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)


def state(found, name):
    return next((one.state, one.line) for one in found if one.name == name)


def test_packages_are_compared_with_what_xaug_needs(without_tensorflow, monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(environment, "_extras", lambda: ["process", "study"])
    found = findings(tmp_path)
    assert state(found, "numpy")[0] == "ok"
    assert state(found, "no-such-package") == (
        "problem",
        "problem no-such-package: is not installed. Run pip install 'no-such-package>=3'",
    )
    assert "xaug needs >=99" in state(found, "pandas")[1]
    assert "xaug needs >=99" in state(found, "h5py")[1]
    assert not any(one.name == "scipy" for one in found)  # another Python needs it
    assert state(found, "process")[0] == "absent"
    assert "coffea-of-nobody" in state(found, "process")[1] and "'xaug[process]'" in state(found, "process")[1]


def test_problems_end_with_exit_code_1(without_tensorflow, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(environment, "_extras", lambda: ["process", "study"])
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "error: 3 problems in this environment, see above"


def test_a_full_disk_and_a_forbidden_directory_are_problems(without_tensorflow, monkeypatch, tmp_path):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(1e9))
    assert state(findings(tmp_path), "disk") == (
        "problem",
        f"problem disk: 1.0 GB are free in {tmp_path}. Free some space",
    )
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    assert "not writable" in state(findings(tmp_path), "disk")[1]


def test_tensorflow_that_does_not_start_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "START", "raise ImportError('libcudart is missing')")
    kind, line = state(findings(tmp_path), "TensorFlow starts")
    assert kind == "problem" and "ImportError: libcudart is missing" in line


def test_this_environment_is_sound(without_tensorflow):
    done = CliRunner().invoke(main, ["--json"])
    assert done.exit_code == 0, done.output
    assert {one["state"] for one in json.loads(done.stdout)["findings"]} <= {"ok", "absent"}
