"""The page: what it shows of tables and figures, how it escapes names, and what its numbers are sorted by."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xaug.plots import figures
from xaug.report.alternatives import describe
from xaug.report.origin import Origin, Step
from xaug.report.page import DrawnFigure, Page, make_page
from xaug.report.tables import NamedTable

HOSTILE = (
    "<script>alert(1)</script>", "a$b$c", r"x$\frac{$", '" onload="alert(1)', "a&b;c", "{{ 7*7 }}", "';--", "ü ☃",
)  # fmt: skip


def written(directory: Path, name: str = "run", table: pd.DataFrame | None = None) -> Path:
    """A page with one table and one figure, whose texts all have this name."""
    directory.mkdir(exist_ok=True)
    content = pd.DataFrame({"run": [name, "other"], "AUC": [0.9, 0.95]}) if table is None else table
    content.to_csv(directory / "performance.csv", index=False)
    stem = directory / "roc"
    with figures.figure(size=(1, 1)) as (fig, ax):
        ax.set_title(figures.literal(name))
        figures.save(fig, stem)
    steps = [Step(name, "train", f"python -m xaug.train -o '{name}'", "1", "abc")]
    origin = Origin(f"python -m xaug.report '{name}'", steps, {"xaug": "1"}, "")
    drawn = DrawnFigure(stem, f"{name}: a figure.", "ROC curves", f"ROC curves of {name}.")
    page = Page(name, [f"{name} is best."], [NamedTable("performance", "Performance", content)], [drawn], origin)
    path = directory / "report.html"
    path.write_text(make_page(page), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_they_are_and_run_nothing(name, tmp_path, read_page):
    page = read_page(written(tmp_path / "r", name), latex=True)
    assert page.text.count(name) >= 6  # title, summary, table, caption, command and step
    assert page.all("img")[0]["alt"] == f"ROC curves of {name}."
    assert page.tables[0][1][0] == name
    assert len(page.all("script")) == 1


def test_a_command_that_made_several_directories_is_told_once():
    steps = [Step(name, "train", command, "1", "abc") for name, command in (("a", "study"), ("b", "study"), ("c", "x"))]
    assert Origin("report", steps, {}, "").script == "study\nx\nreport"


def test_the_page_forbids_itself_to_fetch(tmp_path, read_page):
    page = read_page(written(tmp_path / "r"))
    policy = next(own["content"] for own in page.all("meta") if own.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert {link["href"] for link in page.all("a")} >= {"performance.csv", "roc.pdf", "roc.png", "#origin"}


def test_cells_are_sorted_by_the_number_that_they_begin_with(tmp_path, read_page):
    cells = [
        0.9,
        np.nan,
        "> 590 (95% CL)",
        "12.5 [10.1, 14.0]",
        "≥ 1,234",
        "3 over 4 trainings",
        "2nd run",
        "",
        "-1e-3",
    ]
    expected = [0.9, None, 590, 12.5, 1234, 3, None, None, -0.001]
    page = read_page(written(tmp_path / "r", table=pd.DataFrame({"run": "a", "value": pd.Series(cells, dtype=object)})))
    found = [own.get("data-sort") for own in page.all("td")[: len(cells)]]
    assert [None if one is None else float(one) for one in found] == expected
    assert page.tables[0][2][1].strip() == ""


def test_features_are_set_as_formulas(tmp_path, read_page):
    """In the first column alone; names of the user are still no markup."""
    content = pd.DataFrame({"feature": ["τ_21", "<b>x", "a_b"], "rank": ["τ_21", "1", "2"]})
    labels = {"τ_21": r"$\tau_{21}$", "<b>x": "<b>x"}
    content.to_csv(tmp_path / "ranks.csv", index=False)
    origin = Origin("python -m xaug.report r", [Step("r", "train", "python -m xaug.train", "1", "abc")], {}, "")
    page = Page("r", [], [NamedTable("ranks", "Ranks", content, formulas=labels)], [], origin)
    path = tmp_path / "report.html"
    path.write_text(make_page(page), encoding="utf-8")
    assert path.read_text().count("<math") == 1 and "<msub><mi>τ</mi><mn>21</mn></msub>" in path.read_text()
    table = read_page(path).tables[0]
    assert [row[0] for row in table[1:]] == ["τ21", "<b>x", "a_b"] and table[1][1] == "τ_21"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_column_of_a_run_is_headed_by_its_name(name, tmp_path, read_page):
    page = read_page(written(tmp_path / "r", table=pd.DataFrame({"feature": ["z"], name: ["1, 0.9"]})), latex=True)
    assert page.tables[0][0] == ["feature", name]


def test_statements_are_broken_at_semicolons(tmp_path, read_page):
    text = "a first statement that is rather long; a second statement; 1 & 2; end"
    path = written(tmp_path / "r", table=pd.DataFrame({"claim": ["x"], "ours": [text]}))
    assert read_page(path).tables[0][1][1] == text.replace("; ", ";")
    assert path.read_text().count("<br>") == 3


def test_texts_of_figures_tell_the_numbers(tmp_path):
    pd.DataFrame({"feature": list("abcdefg"), "mean": [1, 7, 3, 4, 5, 6, 2]}).to_csv(tmp_path / "x.csv", index=False)
    assert describe("Mean relevance", "run", tmp_path / "x") == (
        "Mean relevance, run. The largest: b 7, f 6, e 5, d 4 and c 3."
    )
    grid = pd.DataFrame({"signal_efficiency": [0.1, 0.5, 0.9], "net_background_efficiency": [0.0, 0.02, 0.4]})
    grid.to_csv(tmp_path / "roc.csv", index=False)
    assert describe("ROC", "", tmp_path / "roc").endswith("at a signal efficiency of 0.5: net 0.02.")
    assert describe("Images", "", tmp_path / "images") == "Images."
