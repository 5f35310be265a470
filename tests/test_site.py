"""The documentation site is built from the pages without a warning, and holds every page and public function."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import xaug.explain
import xaug.plots

TOP = Path(__file__).parent.parent
SOURCES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "CITATION.cff",
    "models",
    "notebooks",
    "xaug",
    "tests",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from a copy, because the build writes a page for each public function beside its sources."""
    source = tmp_path_factory.mktemp("site") / "source"
    source.mkdir()
    for name in SOURCES:
        target = source / name
        if (TOP / name).is_dir():
            ignore = shutil.ignore_patterns(
                "__pycache__", "generated", "*.h5", "*.root", "*.py" if name == "tests" else ""
            )
            shutil.copytree(TOP / name, target, ignore=ignore)
        else:
            shutil.copy(TOP / name, target)
    output = source.parent / "site"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "notebooks", ".", output],
        cwd=source, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return output


def test_every_page_is_in_the_contents(site):
    index = (site / "notebooks" / "index.html").read_text()
    for page in [*(TOP / "notebooks").glob("*.md"), *(TOP / "notebooks").glob("*.ipynb")]:
        assert (site / "notebooks" / f"{page.stem}.html").exists()
        assert f'href="{page.stem}.html"' in index or page.stem == "index", page.name


@pytest.mark.parametrize("module", [xaug, xaug.explain, xaug.plots], ids=lambda module: module.__name__)
def test_every_public_name_has_a_page(site, module):
    other = {"explain", "plots", "variables", "__version__"}
    missing = [n for n in module.__all__ if n not in other]
    missing = [n for n in missing if not (site / f"notebooks/generated/{module.__name__}.{n}.html").exists()]
    assert not missing


def test_formulas_need_no_network(site):
    page = (site / "notebooks" / "concepts.html").read_text()
    assert page.count("<math") > 10
    assert not re.search(r"<script[^>]*src=\"https?:", page)
    assert not re.search(r"<link[^>]*rel=\"stylesheet\"[^>]*href=\"https?:", page)


def test_commands_are_listed_with_their_options(site):
    page = (site / "notebooks" / "commands.html").read_text()
    for words in ("--image-scaling", "--baseline", "--preset", "study", "inspect"):
        assert words in page
