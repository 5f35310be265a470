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
    grid = grid.assign(best_background_efficiency=[0.0, 0.0, 0.1], best_limit=[0.023, 0.023, np.nan])
    grid.to_csv(tmp_path / "roc.csv", index=False)
    told = "at a signal efficiency of 0.5: net 0.02 and best below 0.023 (95% CL)."
    assert describe("ROC", "", tmp_path / "roc").endswith(told)
    assert describe("Images", "", tmp_path / "images") == "Images."


SEEN = {
    "distributions": (
        {"z": {"edges": [0, 1, 2], "background": [3, 1], "signal": [0, 2]}},
        "The mean of z is 0.75 for background and 1.5 for signal.",
    ),
    "profiles": (
        {"z": {"edges": [0, 1, 2], "signal": [3, 1], "mean_signal": [0.9, None], "rms_signal": [0.1, None]}},
        "the mean normalised relevance of z is between 0.9 and 0.9 for signal.",
    ),
    "likelihood": (
        {name: {"correlation": c, "correlation_error": 0.1} for name, c in (("z", 0.95), ("r1", None))},
        "The correlation over bins: z 0.95 ± 0.10 and r1 none.",
    ),
    "nothing": ({}, "Nothing could be drawn; the caption says why."),
    "map": (
        {"x": "a", "y": "b", "x_edges": [0, 2, 4], "y_edges": [0, 1], "trainings": [[[1.0], [None]], [[3.0], [-4.0]]]},
        "smallest, -4, at a = 3 and b = 0.5 and largest, 2, at a = 1 and b = 0.5.",
    ),
    "images": (
        {"signal": [[0.0, 3.0], [1.0, 0.0]]},
        "Half of signal lies in 1 of 4 pixels, the strongest of them in row 1 from below and column 2.",
    ),
    "heatmaps": (
        {"events": [7], "images": [[[0, 1], [2, 0]]], "relevance": [[[0, 0.5], [-0.75, 0]]]},
        "Row 7 has 2 filled pixels, whose relevance adds up to -0.25; that of the strongest is -0.75.",
    ),
    "history": (
        {"0": {"loss": [3, 2], "val_loss": [0.7, 0.5, 0.6]}},
        "The validation loss is 0.7 at first, 0.6 at last and 0.5 at best in training 1.",
    ),
    "ranks": ({"0": {"z": [75.0, 25.0], "r": [25.0, 75.0]}}, "in training 1 z in 75% and r in 25% of the events."),
    "confusion": ({"classes": ["a", "b"], "mean": [[0.9, 0.1], [0.3, 0.7]]}, "what they are: a 90% and b 70%."),
    "agreement": ({"kendall_tau": {"a": {"a": 1, "b": 0.3}, "b": {"a": 0.3, "b": 1}}}, "is between 0.3 and 0.3."),
}


@pytest.mark.parametrize("kind", SEEN)
def test_texts_of_figures_tell_what_is_seen(kind, tmp_path):
    content, text = SEEN[kind]
    figures.save_numbers(tmp_path / kind, content)
    told = describe("A figure", "run", tmp_path / kind)
    assert told.startswith("A figure, run. ") and told.endswith(text)


def test_texts_of_scores_and_curves_tell_what_is_seen(tmp_path):
    scores = {"low": [0, 0.5], "high": [0.5, 1], "events": [4, 4], "signal": [1, 3], "signal_rms": [0, 0]}
    curve = {"network": ["a", "a"], "training_jets": [200, 100], "auc": [0.9, 0.8]}
    topk = {"ranking": ["IG"] * 3, "k": [1, 4, 4], "training": [0, 0, 1], "auc": [0.6, 0.8, 0.9]}
    texts = {
        "scores": (scores, "signal has a mean score of 0.62, 75% of it above 0.5."),
        "curve": (curve, "a has an AUC of 0.8000 at 100 and 0.9000 at 200 training jets."),
        "topk": (topk, "IG has an AUC of 0.600 at k = 1 and 0.850 at k = 4."),
    }
    for name, (table, text) in texts.items():
        pd.DataFrame(table).to_csv(tmp_path / f"{name}.csv", index=False)
        assert describe("A figure", "", tmp_path / name).endswith(text)
