"""Plots: what is drawn is what was given; signs and orientation by inspection of the artists."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

import xaug
from xaug import variables
from xaug.data.variables import Variable
from xaug.plots import figures
from xaug.plots.distributions import class_histogram, plot_distribution
from xaug.plots.faithfulness import plot_deletion
from xaug.plots.figures import (
    CLASS_COLORS,
    SERIES_COLORS,
    figure,
    formula,
    labelled,
    save,
    save_frame,
    save_table,
    series_style,
)
from xaug.plots.history import plot_history
from xaug.plots.images import FRAMES, PIXELS, frame_of, plot_heatmap, plot_image
from xaug.plots.relevance import plot_relevance
from xaug.plots.roc import GRID, auc_text, plot_learning_curve, plot_roc, roc_band
from xaug.plots.scores import plot_scores
from xaug.training.learning_curve import Extrapolation


def test_distributions_have_unit_area():
    rng = np.random.default_rng(0)
    values, label = rng.normal(90, 10, 1000), np.arange(1000) % 2
    counts = class_histogram(values, label)
    with figure() as (_, ax):
        plot_distribution(counts, variables.labels("jets")["softdrop_mass"], ax)
        assert ax.get_xlabel() == r"$m_\mathrm{SD}$ [GeV]"
    assert counts.sum(flow=True) == 1000


def test_integers_get_a_bin_each():
    counts = class_histogram(np.array([0, 1, 1, 5.0]), np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(counts.axes[0].centers, np.arange(6))


def test_constant_variable_has_a_histogram():
    assert class_histogram(np.full(10, 0.3), np.zeros(10, int)).sum(flow=True) == 10


def test_heatmap_is_blue_for_support_and_orange_against():
    relevance = np.zeros((16, 16))
    relevance[4, 8], relevance[10, 3] = 1.0, -1.0
    with figure() as (_, ax):
        artist = plot_heatmap(relevance, ax)
        colors = artist.cmap(artist.norm(relevance))
    for where, strong, weak in (((4, 8), 2, 0), ((10, 3), 0, 2)):  # channels red 0, blue 2
        assert colors[where][strong] > 0.3
        assert colors[where][weak] < 0.2


def test_images_are_drawn_with_phi_up_and_eta_right():
    """The subleading subjet, row 3 or 4 of axis 1 (phi = -1), is drawn below the leading one."""
    image = np.zeros((16, 16))
    image[4, 8] = 0.5
    with figure() as (_, ax):
        artist = plot_image(image, ax, frame=frame_of("jets"))
        assert artist.origin == "lower"
        assert artist.get_extent() == [-2, 2, -2, 2] or tuple(artist.get_extent()) == (-2, 2, -2, 2)


def test_images_of_other_data_have_axes_of_pixels():
    assert frame_of("mine") == PIXELS
    assert frame_of("toy") == FRAMES["toy"]
    with figure() as (_, ax):
        artist = plot_heatmap(np.zeros((4, 6)), ax, frame=frame_of("mine"))
        assert tuple(artist.get_extent()) == (-0.5, 5.5, -0.5, 3.5)
        assert not ax.lines  # no crosses


def test_roc_band_of_two_trainings():
    label = np.repeat([0, 1], 500)
    rng = np.random.default_rng(1)
    curves = [(label, rng.normal(1.5 * label)) for _ in range(2)]
    band = roc_band(curves)
    from sklearn.metrics import roc_auc_score

    areas = [roc_auc_score(*curve) for curve in curves]
    assert band.auc == pytest.approx(np.mean(areas))
    assert band.auc_rms == pytest.approx(np.std(areas, ddof=1))
    # full signal efficiency needs a threshold at the lowest signal score
    passing = [(score[label == 0] >= score[label == 1].min()).mean() for _, score in curves]
    assert band.mean[-1] == pytest.approx(np.mean(passing))
    with figure() as (_, ax):
        plot_roc({"a": band}, ax, floor=1e-3)
        assert ax.get_yscale() == "log"
    assert len(band.mean) == len(GRID)


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_perfect_separation_is_seen(names):
    """The line of curves that no background event passes lies within the axes, and the figure says what it is."""
    label = np.arange(40) % 2
    perfect, weak = (roc_band([(label, score)]) for score in (label * 1.0, np.cos(np.arange(40))))
    bands = dict(zip(names, (perfect, weak), strict=False))
    with figure() as (_, ax):
        line = plot_roc(bands, ax, floor=0.025)[0]
        assert ax.get_ylim()[0] < 0.5 * line.get_ydata().min()
        (text,) = [text.get_text() for text in ax.texts]
        assert text.startswith("All curves: no background" if len(names) == 1 else "a: no background")
        told = [text.get_text() for text in ax.get_legend().get_texts()]
        assert told[0] == f"a: 1 \u2212 AUC < {1 - 0.05 ** (1 / 20):.1e} (95% CL)"  # of 20 pairs
        assert all("AUC 0." in one for one in told[1:])
        ax.clear()
        plot_roc({"b": weak}, ax, floor=0.025)
        assert ax.get_ylim()[0] == 0.025 and not ax.texts
    assert perfect.limit[:-1] == pytest.approx(1 - 0.05 ** (1 / 20))  # none of 20 background events passes
    assert np.isnan(weak.limit[-1])  # all pass


def test_bars_show_largest_on_top_with_their_spread():
    table = pd.DataFrame({"mean": [0.7, 0.3, 0.1], "spread": [0.1, 0.05, 0.0]}, index=["image", "dxy_max", "tau21"])
    with figure() as (_, ax):
        bars = plot_relevance(table, variables.labels("jets"), ax)
        widths = [bar.get_width() for bar in bars]
        heights = [bar.get_y() for bar in bars]
        assert widths == [0.7, 0.3, 0.1]
        assert heights[0] > heights[1] > heights[2]
        assert ax.get_yticklabels()[0].get_text() == "image (all pixels)"


@pytest.mark.parametrize(("first", "end", "told"), [(6.0, 0.49, ["6.00 ± 0.50"]), (1.0, None, []), (np.nan, None, [])])
def test_a_bar_that_dwarfs_the_others_is_cut_and_says_its_length(first, end, told):
    table = pd.DataFrame({"mean": [first, 0.3, 0.1], "spread": [0.5, 0.05, 0.0]}, index=["list", "dxy_max", "tau21"])
    with figure() as (_, ax):
        bars = plot_relevance(table, variables.labels("jets"), ax)
        assert [text.get_text() for text in ax.texts] == told
        if end is not None:
            assert ax.get_xlim() == pytest.approx((0, end))
            assert bars[0].get_width() == first
        elif first > 0:
            assert ax.get_xlim()[1] > first


def test_one_bar_alone_is_not_cut():
    with figure() as (_, ax):
        plot_relevance(pd.DataFrame({"mean": [9.0], "spread": [0.1]}, index=["list"]), variables.labels("jets"), ax)
        assert ax.get_xlim()[1] > 9


def test_groups_of_the_user_have_colours_of_their_own():
    labels = {name: Variable(name, name, group=group) for name, group in (("a", "mine"), ("b", ""), ("c", "flavour"))}
    table = pd.DataFrame({"mean": [0.3, 0.2, 0.1], "spread": 0.0}, index=["a", "b", "c"])
    with figure() as (_, ax):
        bars = plot_relevance(table, labels, ax)
        assert len({bar.get_facecolor() for bar in bars}) == 3
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["flavour", "mine", "other"]


def test_scores_have_unit_area_and_the_spread_of_trainings():
    counts = np.zeros((2, 2, 40))
    counts[:, 1, 39] = 3, 5  # all signal in the last bin, in both trainings
    counts[0, 0, 0], counts[1, 0, 1] = 4, 4
    with figure() as (_, ax):
        _, signal, band, background = plot_scores(counts, ax)
        assert signal.get_data().values[39] == pytest.approx(40)
        np.testing.assert_allclose(background.get_data().values[:3], [20, 20, 0])
        assert band.get_paths()[0].get_extents().ymax == pytest.approx(20 + 40 / np.sqrt(2))
        assert ax.get_yscale() == "log"


def hatched_bins(ax):
    """Left and right ends of the hatched bins."""
    boxes = [patch.get_extents() for patch in ax.patches if patch.get_hatch()]
    return [(box.x0, box.x1) for box in (one.transformed(ax.transData.inverted()) for one in boxes)]


def test_bins_of_few_scores_are_hatched():
    """Events count, not their weights; an empty bin has nothing to be hatched."""
    counts = np.ones((2, 2, 40))
    events = np.full(40, 10.0)
    events[[3, 17]], events[5] = (1, 9.5), 0
    with figure() as (_, ax):
        plot_scores(counts, ax, events=events)
        np.testing.assert_allclose(hatched_bins(ax), [(3 / 40, 4 / 40), (17 / 40, 18 / 40)])


def test_bins_of_few_values_are_hatched():
    values = np.repeat([0.0, 1.0, 2.0, 3.0], [30, 9, 10, 40])
    with figure() as (_, ax):
        plot_distribution(class_histogram(values, values > 1), Variable("n", "n"), ax)
        np.testing.assert_allclose(hatched_bins(ax), [(0.5, 1.5)])


def test_scores_begin_at_half_of_their_smallest_bin():
    """A band whose lower edge is a rounding error does not stretch a logarithmic axis."""
    counts = np.zeros((3, 3, 40))
    counts[:, :, 5] = 99
    counts[:, 1, 7] = np.array([1.0, 1e-16, 2.0]) * (1 + 1e-9)
    with figure() as (_, ax):
        plot_scores(counts, ax, ["a", "b", "c"])
        density = (counts / counts.sum(axis=2, keepdims=True) * 40).mean(axis=0)
        assert ax.get_ylim()[0] == pytest.approx(density[density > 0].min() / 2)
        assert ax.get_ylim()[1] > density.max()


def test_history_marks_the_kept_epoch_and_learning_curve_all_points():
    with figure() as (_, ax):
        artists = plot_history([{"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0]}], ax)
        assert list(artists[-1].get_xdata()) == [2]
    with figure() as (_, ax):
        plot_learning_curve({"a": [(100, 0.8, 0.01), (50, 0.7, 0.02)]}, ax)  # without errors of the test sample
        assert [t.get_text() for t in ax.get_xticklabels()] == ["50", "100"]
    with figure() as (_, ax):
        history = {"loss": [3.0, 2.0], "val_loss": [1.5, 2.0], "steps": [40.0, 55.0]}
        artists = plot_history([history], ax, "step")
        assert list(artists[-1].get_xdata()) == [40] and list(artists[0].get_xdata()) == [40, 55]
        assert ax.get_xlabel() == "step"
    with figure() as (_, ax):
        fit = Extrapolation(0.1, 1.0, 0.5, 400.0, 0.85, 0.02)
        artists = plot_learning_curve({"a": [(100, 0.8, 0.01), (50, 0.75, 0.02)]}, ax, {"a": fit})
        assert [t.get_text() for t in ax.get_xticklabels()] == ["50", "100", "400"]
        (dashed,) = [line for line in ax.lines if line.get_linestyle() == "--"]
        np.testing.assert_allclose(dashed.get_ydata()[[0, -1]], [0.9 - 50**-0.5, 0.9 - 400**-0.5])


def test_the_same_figure_is_the_same_file(tmp_path):
    for name in ("one", "two"):
        with figure() as (fig, ax):
            ax.plot([1, 2])
            save(fig, tmp_path / name)
    for suffix in (".png", ".pdf"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_tables_of_unequal_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="argument 2"):
        save_table(tmp_path / "t", {"a": [1, 2], "b": [1]})
    assert not list(tmp_path.iterdir())


def test_all_public_plots_are_there():
    for name in xaug.plots.__all__:
        assert callable(getattr(xaug.plots, name))
    with pytest.raises(AttributeError, match="no attribute 'plot_nothing'"):
        xaug.plots.plot_nothing  # noqa: B018


def test_a_frame_is_written_with_its_index(tmp_path):
    table = pd.DataFrame({"mean": [0.1, 0.25]}, index=["a", "b"])
    assert save_frame(tmp_path / "t", table, "feature").read_text() == "feature,mean\na,0.1\nb,0.25\n"
    assert save_frame(tmp_path / "t", table).read_text().splitlines() == ["mean", "0.1", "0.25"]


def test_label_stands_above_all_panels_and_changes_no_size_of_theirs(tmp_path):
    """A name with a `$` stays as it is, and a long text is broken into lines within the figure."""
    sizes, texts = [], []
    for text in ("", "costs 5$ and $x$; " * 20):
        with labelled(text), figure() as (fig, ax):
            ax.plot([1, 2])
            save(fig, tmp_path / "drawn")
            sizes.append((fig.get_size_inches()[1], ax.get_window_extent().height))
            texts += [(one.get_text(), one.get_window_extent(), ax.get_window_extent()) for one in fig.texts]
            width = fig.bbox.width
    ((text, box, panel),) = texts
    assert "$x$" not in text.replace(r"\$", "") and text.count("\n") >= 2
    assert box.y0 >= panel.y1 and box.x1 <= width
    assert sizes[1][0] > sizes[0][0]
    assert sizes[1][1] == pytest.approx(sizes[0][1], rel=0.03)


def test_series_have_colours_that_no_class_has():
    styles = [series_style(i) for i in range(12)]
    assert len({tuple(style.values()) for style in styles}) == 12
    assert not set(SERIES_COLORS) & set(CLASS_COLORS)


@pytest.mark.parametrize("label", [r"$\slashed{E}_T$", r"$\broken{$", r"$p_{T$", "a $ b", "$$", "m<b>"])
def test_labels_that_matplotlib_cannot_set_are_shown_letter_by_letter(label, tmp_path):
    """A figure is drawn all the same, and its names are those that the user gave."""
    labels = {"x": Variable("x", label, "GeV"), "y": Variable("y", r"$m_{jj}$")}
    table = pd.DataFrame({"mean": [2.0, 1.0, 0.5], "spread": 0.1}, index=["x", "y", "h$t$"])
    with figure() as (fig, ax):
        plot_relevance(table, labels, ax)
        shown = [text.get_text() for text in ax.get_yticklabels()]
        ax.set_xlabel(formula(labels["x"].axis_label))
        save(fig, tmp_path / "r")
    assert [text.replace(r"\$", "$") for text in shown] == [label, r"$m_{jj}$", "h$t$"]
    assert shown[1] == r"$m_{jj}$"  # a formula that can be set is set


def test_names_of_classes_are_shown_as_they_are():
    """They are names of the user, and no formulas."""
    classes = (r"$\broken{$", "W$_x$")
    counts = class_histogram(np.arange(40.0), np.arange(40) % 2)
    with figure() as (fig, ax):
        plot_distribution(counts, Variable("x", "x"), ax, classes)
        fig.legend()
        fig.canvas.draw()
        shown = [text.get_text().replace(r"\$", "$") for text in fig.legends[0].get_texts()]
    assert sorted(shown) == sorted(classes)


def test_explanations_have_colours_that_no_class_has():
    curve = ([0, 0.5, 1], [1, 0.4, 0], [0.1, 0.1, 0.0])
    with figure() as (_, ax):
        artists = plot_deletion({f"explanation {i}": curve for i in range(12)}, ax)
    lines = [one for one in artists if isinstance(one, Line2D)]
    assert not {to_hex(line.get_color()) for line in lines} & {to_hex(color) for color in CLASS_COLORS}
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 12


@pytest.mark.parametrize(
    ("auc", "spread", "text"),
    [
        (0.97734, 0.00091, "AUC 0.9773 ± 0.0009"),
        (0.5, None, "AUC 0.5000"),
        (0.99992, 3e-5, "1 \u2212 AUC = 8.0e-05 ± 3.0e-05"),
        (1.0, 0.0, "AUC 1.0000 ± 0.0000"),
    ],
)
def test_an_auc_close_to_one_is_told_by_what_it_lacks(auc, spread, text):
    assert auc_text(auc, spread) == text


def test_crowded_learning_curves_show_what_is_lacking_to_one():
    """The thin error bar is the sum in quadrature of both errors."""
    with figure() as (_, ax):
        plot_learning_curve({"a": [(50, 0.97, 0.003, 0.004), (100, 0.99, float("nan"), 0.002)]}, ax)
        assert ax.get_yscale() == "log" and ax.get_ylabel().startswith("1 \u2212 AUC")
        line = ax.containers[0][0]
        np.testing.assert_allclose(line.get_ydata(), [0.03, 0.01])
        outer = ax.containers[1][2][0].get_segments()
        np.testing.assert_allclose([s[1][1] - s[0][1] for s in outer], [0.01, 0.004])


def test_a_floor_bin_makes_the_axis_logarithmic():
    rng = np.random.default_rng(1)
    floor = np.where(rng.random(2000) < 0.8, -3.0, rng.normal(0, 1, 2000))
    for values, scale in ((floor, "log"), (rng.normal(0, 1, 2000), "linear"), (rng.integers(0, 2, 2000), "linear")):
        with figure() as (_, ax):
            plot_distribution(class_histogram(values, np.arange(2000) % 2), Variable("v"), ax)
            assert ax.get_yscale() == scale
            assert ax.get_ylim()[0] >= 0


@pytest.mark.parametrize("name", ["_hidden", "costs $5", "$x$", r"\frac", "<b>bold</b>"])
def test_names_of_runs_stand_in_the_legend_as_they_are(name, tmp_path):
    band = roc_band([(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.4, 0.3]))])
    with figure() as (fig, ax):
        plot_roc({name: band}, ax, 0.01)
        (text,) = ax.get_legend().get_texts()
        assert text.get_text().replace(r"\$", "$").strip().startswith(name)
        save(fig, tmp_path / "drawn")  # mathematics that cannot be read would raise


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("name", ["2D CNN", "dense network, 36 of 36 XAUGs: " * 5, "a" * 200, "$x_$" * 40])
def test_no_title_is_wider_than_its_figure(columns, name):
    with figures.figure(1, columns, size=(4.2 * columns, 4.0), squeeze=False) as (fig, axes):
        for ax in axes.flat:
            figures.set_title(ax, name)
        fig.draw_without_rendering()
        for ax in axes.flat:
            drawn = ax.title.get_window_extent()
            assert drawn.x0 >= 0 and drawn.x1 <= fig.bbox.x1 and drawn.y1 <= fig.bbox.y1
        boxes = [ax.title.get_window_extent() for ax in axes.flat]
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
