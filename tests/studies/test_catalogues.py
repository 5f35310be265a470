"""The figures of the papers: complete, in step with the docs, and drawn of the networks that the papers show."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from xaug.core.errors import ConfigurationError
from xaug.networks.registry import networks
from xaug.report.figures import GENERIC
from xaug.report.subjects import ExplainedEvents, ExplainedSizes, Facts, SingleRun
from xaug.studies import STUDIES, study_with_figures
from xaug.studies.base import Study, register
from xaug.studies.toy.figures import FIGURES as TOY
from xaug.studies.vlq.figures import FIGURES as VLQ
from xaug.studies.zbb.figures import FIGURES as ZBB

PAGE = Path(__file__).parents[2] / "notebooks" / "figures.md"
IN_TOY, IN_ZBB = [3, 4, *range(10, 18)], [8, 9, *range(18, 32)]
"""The figures of arXiv:2011.13466 that show data; figures 1, 2 and 5 to 7 are drawings."""


@pytest.mark.parametrize(("catalogue", "numbers"), [(TOY, IN_TOY), (ZBB, IN_ZBB), (VLQ, [1, 2, 3, 4, 5])])
def test_every_figure_of_a_paper_is_there(catalogue, numbers):
    found = [entry for entry in catalogue if entry.key.isdigit()]
    assert [int(entry.key) for entry in found] == numbers
    assert all(entry.file.startswith(f"fig{int(entry.key):02d}_") for entry in found)
    assert len({entry.file for entry in catalogue}) == len(list(catalogue))


def documented():
    """Key -> files, as the page says."""
    lines = [line for line in PAGE.read_text().splitlines() if line[:2] == "| "]
    files = {}
    for row in ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines):
        if keys := re.fullmatch(r"(\d+)(?: to (\d+))?", row[0]):
            first, last = int(keys[1]), int(keys[2] or keys[1])
            stems = re.findall(r"`(\w+)`", row[2])
            assert stems[-1].startswith(f"fig{last:02d}")
            for n in range(first, last + 1):
                files[str(n)] = stems[0].replace(f"fig{first:02d}", f"fig{n:02d}")
            assert re.search(r"--figures ([\d,]+)", row[3])[1].split(",") == [str(n) for n in range(first, last + 1)]
        elif re.fullmatch(r"`\w+`", row[0]):
            files[row[0].strip("`")] = row[2].strip("`")
    return files


def test_docs_name_every_figure_and_its_file():
    """The figures of the paper on jets and all general ones; a file of one run ends in the name of the run."""
    expected = {
        entry.key: entry.file
        + ("_RUN" if issubclass(entry.subject, (SingleRun, ExplainedEvents, ExplainedSizes)) else "")
        for catalogue in (GENERIC, TOY, ZBB)
        for entry in catalogue
    }
    assert documented() == expected


def test_figures_of_a_paper_are_of_its_networks():
    assert TOY["13"].needs.networks[0] == ZBB["26"].needs.networks[0] == "cnn2d"
    assert ZBB["20"].needs.networks[0] == "cnn1d"
    assert ZBB["20"].once and ZBB["31"].once and not ZBB["24"].once
    assert ZBB["31"].needs.count == 31
    assert ZBB["relevance"].needs.networks == ("rnn", "mlp")  # figures 23 and 24 show the others
    assert {VLQ[key].needs.baseline for key in "345"} == {"blank", "background", "weighted"}


@pytest.mark.parametrize("catalogue", [GENERIC, TOY, ZBB, VLQ], ids=lambda one: one.name)
def test_what_a_figure_shows_names_no_network(catalogue):
    """A report of other networks would have the name above their figures; `heading` adds that which is drawn."""
    known = {text for name, network in networks().items() for text in (name, network.label) if text}
    for entry in catalogue:
        assert not re.search(rf"\b({'|'.join(map(re.escape, known))}|[12]D|CNN|RNN|MLP)\b", entry.shows), entry.shows


def test_a_figure_of_one_run_has_its_network_above_it():
    def of(*names):
        return [SimpleNamespace(facts=Facts(network=name)) for name in names]

    assert TOY["11"].heading(of("mlp", "mlp")) == "Mean relevance of each feature, training by training, dense network"
    assert ZBB["20"].heading(of("cnn1d")) == "Relevance over ΔR and z of the subjets, 1D CNN"
    assert ZBB["20"].heading(of("of_the_user")) == "Relevance over ΔR and z of the subjets"
    assert TOY["16"].heading(of("rnn")) == TOY["relevance"].heading(of("mlp")) == "Mean relevance of each feature"


def test_numbers_alone_find_their_paper_by_the_kind_of_dataset():
    assert study_with_figures(["3"], "toy").name == "toy"
    assert study_with_figures(["3"], "events_met").name == "vlq"
    assert study_with_figures(["20", "31"], "jets").name == "zbb"
    assert study_with_figures(["20", "3"], "jets") is None
    assert study_with_figures(["20"], "mine") is None


def test_a_study_is_registered_once_and_names_its_directory():
    with pytest.raises(ConfigurationError, match="a study 'toy' already"):
        register(Study("toy", "", (), dict, lambda: None))
    chosen = {"networks": "mlp", "five": "ours", "options": "paper-literal"}
    assert STUDIES["zbb"].directory("quick", chosen) == "zbb_quick_paper_literal"
    assert STUDIES["zbb"].directory("quick", {**chosen, "options": None}) == "zbb_quick"
