"""Packages that wait until they are used; parsers of commands, which use none of them."""

import os
import subprocess
import sys
import threading

import pytest

from xaug.__main__ import STAGES
from xaug.core.lazy import load_when_used


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Names of the packages that were loaded: `waiting_package`, which imports a part and itself while it loads."""
    folder = tmp_path / "waiting_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import builtins, time\n"
        "builtins.loaded_packages.append(__name__)\n"
        "time.sleep(0.05)\n"
        "from waiting_package.part import seven\n"
        "import waiting_package as itself\n"
        "eight = itself.seven + 1\n"
    )
    (folder / "part.py").write_text("seven = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    loaded = []
    monkeypatch.setattr("builtins.loaded_packages", loaded, raising=False)
    yield loaded
    for name in ("waiting_package", "waiting_package.part"):
        sys.modules.pop(name, None)


def test_a_package_loads_when_an_attribute_is_read(package):
    load_when_used("waiting_package", "no_such_package")
    assert "no_such_package" not in sys.modules
    import waiting_package
    import waiting_package as again

    assert again is waiting_package and not package
    assert waiting_package.eight == 8
    assert package == ["waiting_package"]
    assert type(waiting_package) is type(sys)
    with pytest.raises(AttributeError, match="no attribute 'nine'"):
        _ = waiting_package.nine


def test_a_package_loads_when_a_part_is_imported(package):
    load_when_used("waiting_package")
    from waiting_package.part import seven

    assert seven == 7 and package == ["waiting_package"]


def test_a_package_loads_once_for_several_threads(package):
    load_when_used("waiting_package")
    import waiting_package

    found = []
    threads = [threading.Thread(target=lambda: found.append(waiting_package.eight)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [8] * 8 and package == ["waiting_package"]


def test_a_package_that_fails_says_so_each_time(package, tmp_path):
    (tmp_path / "waiting_package" / "__init__.py").write_text("import builtins\nraise ImportError('broken')\n")
    load_when_used("waiting_package")
    import waiting_package

    with pytest.raises(ImportError, match="broken"):
        _ = waiting_package.eight
    with pytest.raises(ImportError, match="broken"):
        import waiting_package.part


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment in which Python keeps its bytecode, as that of an installed package is kept."""
    own = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode")), "COLUMNS": "100"}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own


HELP = """
import sys, time
from xaug.__main__ import main
try:
    main([*sys.argv[1:], "-h"], prog_name="xaug")
except SystemExit as end:
    print(end.code, time.process_time(), *sys.modules, file=sys.stderr)
"""
IMPORT = "import sys, time, xaug; print(0, time.process_time(), *sys.modules, file=sys.stderr)"
CLICK = "import sys, time, click; print(0, time.process_time(), file=sys.stderr)"
HEAVY = {"numpy.linalg", "h5py.h5", "pandas", "scipy", "keras", "tensorflow"}


@pytest.fixture(scope="module")
def measured(environment):
    """measured(code, words): what Python code printed, its processor time (the start included) and loaded modules."""

    def run(code, words=()):
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        status, seconds, *modules = done.stderr.split()
        assert status == "0"
        return done.stdout, float(seconds), set(modules)

    return run


def times_click(measured, code, words=()):
    """Processor time of this code in times of a bare `import click`, the shortest of each, measured in turns."""
    own, bare = [], []
    while len(own) < 3 or (min(own) > 8 * min(bare) and len(own) < 10):
        own.append(measured(code, words)[1])
        bare.append(measured(CLICK)[1])
    return min(own) / min(bare)


@pytest.mark.parametrize("command", ["", *STAGES])
def test_help_loads_nothing_heavy(command, measured):
    printed, _, modules = measured(HELP, command.split())
    assert "Usage: xaug" in printed and not HEAVY & modules


def test_help_is_fast(measured):
    """Click itself is what a command must load; `explain` has most options, for which it reads most of xaug."""
    for command in ([], ["explain"]):
        assert times_click(measured, HELP, command) <= 8


def test_import_is_fast_and_loads_no_tensorflow(measured):
    assert not HEAVY & measured(IMPORT)[2]
    assert times_click(measured, IMPORT) <= 3
