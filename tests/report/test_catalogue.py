"""The table of figures: complete, in step with the docs, and what is drawn for which runs."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from xaug.core.errors import ConfigurationError
from xaug.report.catalogue import CATALOGUE, chosen_entries, stem_of, subjects
from xaug.report.material import Material

PAGE = Path(__file__).parents[2] / "notebooks" / "figures.md"
OF_JETS = [entry for entry in CATALOGUE if entry.kind != "events"]
PAPER = [3, 4, *range(8, 32)]
"""The figures of arXiv:2011.13466 that show data."""


def explained(name, network, xaugs=(), block=None, trainings=2, method="lrp"):
    columns = ({block: ["x"]} if block else {}) | ({"xaug": list(xaugs)} if xaugs else {})
    spec = SimpleNamespace(network=network, columns=columns)

    class Run:
        input_spec = spec

        def __len__(self):
            return trainings

    return SimpleNamespace(name=name, xaugs=list(xaugs), run=Run(), manifest={"config": {"method": method}})


def material(*runs, smaller=()):
    return Material(None, [], {}, list(runs), list(smaller))


def entry(key, kind):
    (found,) = chosen_entries(kind, [key])
    return found


def test_every_figure_of_the_paper_is_there():
    numbers = [int(entry.key) for entry in OF_JETS if entry.key.isdigit()]
    assert numbers == PAPER
    assert all(entry.kind in ("toy", "jets") for entry in OF_JETS if entry.key.isdigit())
    assert all(entry.kind == ("toy" if int(entry.key) in (3, 4, *range(10, 18)) else "jets")
               for entry in OF_JETS if entry.key.isdigit())  # fmt: skip


def test_docs_name_every_figure_and_its_file():
    rows = [
        [cell.strip() for cell in line.strip("|\n").split(" | ")]
        for line in PAGE.read_text().splitlines()
        if line[:2] == "| "
    ]
    files = {}
    for row in rows:
        if keys := re.fullmatch(r"(\d+)(?: to (\d+))?", row[0]):
            first, last = int(keys[1]), int(keys[2] or keys[1])
            stems = re.findall(r"`(\w+)`", row[2])
            assert stems[0].startswith(f"fig{first:02d}")
            assert stems[-1].startswith(f"fig{last:02d}")
            files |= {
                str(n): stems[0].replace(str(first), str(n)) if n > first else stems[0] for n in range(first, last + 1)
            }
            numbers = re.search(r"--figures ([\d,]+)", row[3])[1].split(",")
            assert numbers == [str(n) for n in range(first, last + 1)]
        elif re.fullmatch(r"`\w+`", row[0]):
            files[row[0].strip("`")] = row[2].strip("`")
    expected = {}
    for one in OF_JETS:
        of_a_run = one.of in ("run", "explained", "spread")
        expected[one.key] = one.name + ("_RUN" if of_a_run else "")
    assert files == expected


def test_the_network_of_the_paper_comes_first_with_most_variables():
    mlp = explained("mlp", "mlp", ["z", "delta_r_subjets"])
    five = explained("five", "cnn1d", ["z"], "list")
    every = explained("every", "cnn1d", ["z", "delta_r_subjets"], "list")
    image = explained("image", "cnn2d", ["z", "delta_r_subjets"], "image")
    assert subjects(entry("20", "jets"), material(mlp, image, five, every)) == [every]
    assert subjects(entry("26", "jets"), material(mlp, image, five, every)) == [image]
    assert subjects(entry("20", "jets"), material(mlp, five)) == [mlp]  # that run of cnn1d lacks Delta R
    assert subjects(entry("20", "jets"), material(five)) == []
    assert subjects(entry("24", "jets"), material(mlp, image, five, every)) == [five, every]
    assert subjects(entry("19", "jets"), material(mlp, explained("plain", "cnn2d", block="image")))[0].name == "plain"


def test_spread_needs_two_trainings_and_takes_smaller_samples():
    one, two = explained("one", "mlp", ["z"], trainings=1), explained("two", "mlp", ["z"])
    small, other = explained("small", "mlp", ["z"]), explained("other", "mlp", ["z", "mass"])
    ig = explained("ig", "mlp", ["z"], method="ig")
    small.run.input_spec = ig.run.input_spec = two.run.input_spec
    assert subjects(entry("uncertainty", "jets"), material(one, two, smaller=[small, ig, other])) == [[two, small]]
    assert stem_of(entry("uncertainty", "jets"), [two, small], Path("r")) == Path("r/uncertainty_two")


def test_unknown_figures():
    with pytest.raises(ConfigurationError, match="unknown figure of jets '13'"):
        chosen_entries("jets", ["13"])
    with pytest.raises(ConfigurationError, match="did you mean 'history'"):
        chosen_entries("toy", ["histroy"])
