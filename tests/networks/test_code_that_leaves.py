"""Code of the user that leaves Python is refused by name wherever it runs; the command would end without a word."""

import sys
from types import SimpleNamespace

import pytest

from xaug.core.errors import ConfigurationError, XaugError
from xaug.data.plugins import plugin_of
from xaug.networks.own_code import OwnCode
from xaug.networks.own_networks import OwnNetwork


def of_module(path):
    """--code with the name of a module that can be imported."""
    sys.path.insert(0, str(path.parent))
    try:
        OwnCode([path.stem])
    finally:
        sys.path.remove(str(path.parent))


WAYS = {
    "--network": lambda path: OwnNetwork.read(f"{path}:build").register(("background", "signal")),
    "--plugin": plugin_of,
    "--code FILE.py": lambda path: OwnCode([str(path)]),
    "--code MODULE": of_module,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("content", ["raise SystemExit(0)", "import sys\nsys.exit('done')", "exit()"])
def test_a_file_that_leaves_python(tmp_path, way, content):
    path = tmp_path / f"leaving_{tmp_path.name}.py"  # no two modules have one name
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=path.stem):
        WAYS[way](path)


def test_a_network_that_leaves_python_while_it_is_built(tmp_path):
    path = tmp_path / "leaving.py"
    path.write_text("def build(inputs, classes):\n    raise SystemExit(0)\n")
    network = OwnNetwork.read(f"{path}:build").register(("background", "signal"))
    with pytest.raises(XaugError, match=r"leaving.py:build fails"):
        network.build(SimpleNamespace(shapes={}))
