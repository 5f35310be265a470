"""Figures are the same files whichever process writes them, each is drawn once, and failures are told."""

from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from xaug.core.errors import XaugError
from xaug.plots import figure, printing, save
from xaug.plots.figures import labelled
from xaug.plots.printing import printed_beside

ENOUGH = 100
"""Figures for which other processes are started."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(printing, "cores", lambda: 2)


def draw(stem, **options):
    with labelled("a sample"), figure(1, 2, size=(5, 3), **options) as (fig, axes):
        for i, ax in enumerate(axes):
            ax.plot([1, 10, 100 + i])
            ax.set_yscale("log")
            ax.set_xlabel(rf"$\tau_{i}^{{(1)}}/p_T$")
        save(fig, stem)


def test_another_process_writes_the_same_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw("here")
    with matplotlib.rc_context({"lines.linewidth": 4.0}):
        draw("wide")
    with printed_beside(ENOUGH):
        draw("beside")  # a relative path
        with matplotlib.rc_context({"lines.linewidth": 4.0}):  # a setting that the user has changed
            draw("wide_beside")
    for suffix in (".png", ".pdf"):
        for name in ("here", "wide"):
            other = {"here": "beside", "wide": "wide_beside"}[name]
            assert Path(f"{name}{suffix}").read_bytes() == Path(f"{other}{suffix}").read_bytes()
        assert Path(f"here{suffix}").read_bytes() != Path(f"wide{suffix}").read_bytes()


def test_each_file_is_drawn_once(tmp_path, monkeypatch):
    drawn, original = [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda fig, renderer: drawn.append(renderer) or original(fig, renderer))
    draw(tmp_path / "a")
    assert len(drawn) == 2


def test_a_figure_that_cannot_be_sent_is_written_here(tmp_path):
    with printed_beside(ENOUGH), figure() as (fig, ax):
        ax.plot([1, 2])
        ax.xaxis.set_major_formatter(lambda value, place: f"{value:.1f} a")
        save(fig, tmp_path / "own")
        assert (tmp_path / "own.pdf").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XaugError, match="file"), printed_beside(ENOUGH):
        draw(tmp_path / "file" / "a")
        draw(tmp_path / "b")


def test_an_error_of_the_block_ends_the_processes(tmp_path):
    with pytest.raises(ZeroDivisionError), printed_beside(ENOUGH):
        beside = printing._BESIDE.get()
        for i in range(4):
            draw(tmp_path / f"{i}")
        1 / 0  # noqa: B018
    for thread in beside._threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in beside._threads)
    assert all(worker.process.poll() is not None for worker in beside._workers)


def test_few_figures_are_written_here(tmp_path):
    with printed_beside(3):
        assert printing._BESIDE.get() is None
        draw(tmp_path / "a")
        assert (tmp_path / "a.png").exists()


def test_labels_are_typeset_once(tmp_path):
    draw(tmp_path / "a")
    before = MathTextParser._parse_cached.cache_info()
    draw(tmp_path / "b")
    after = MathTextParser._parse_cached.cache_info()
    assert after.misses == before.misses and after.hits > before.hits
    assert after.maxsize >= 1000
