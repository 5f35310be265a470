"""Plots of explanations: what is drawn is what was given; nothing fails at constants, empty bins and classes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import StepPatch

from xaug import variables
from xaug.explain.analysis.binned import Profile, VariableMap
from xaug.explain.analysis.binning import bins_for
from xaug.explain.analysis.likelihood import LikelihoodTest
from xaug.plots.binned import plot_map, plot_profile
from xaug.plots.figures import figure, save
from xaug.plots.likelihood import plot_likelihood
from xaug.plots.ranking import MOST, plot_ranks
from xaug.plots.relevance import plot_trainings
from xaug.plots.roc import RocBand, plot_roc
from xaug.plots.spread import plot_feature_spread, plot_score_spread

LABELS = variables.labels("jets")


def profile_of(mean, counts, edges):
    mean, counts = np.asarray(mean, float), np.asarray(counts)
    training = np.stack([mean - 0.1, mean + 0.1])
    return Profile("mass", "mass", np.asarray(edges, float), counts, mean, np.full(mean.shape, 0.3), training)


def test_profile_draws_means_and_bands():
    found = profile_of([[0.1, np.nan, 0.3], [-0.2, 0.4, 0.5]], [[5, 0, 3], [1, 1, 2]], [0, 10, 20, 30])
    with figure(2, 1) as (_, (top, bottom)):
        plot_profile(found, LABELS["mass"], top, bottom)
        lines = [patch.get_data().values for patch in bottom.patches if isinstance(patch, StepPatch)]
        np.testing.assert_array_equal(lines[0], found.mean[0])
        np.testing.assert_array_equal(lines[1], found.mean[1])
        wide, narrow = (band.get_paths()[-1].get_extents() for band in bottom.collections[2:4])  # of signal
        assert (wide.ymin, wide.ymax) == pytest.approx((-0.2 - 0.3, 0.5 + 0.3))
        assert (narrow.ymin, narrow.ymax) == pytest.approx((-0.2 - 0.1 * np.sqrt(2), 0.5 + 0.1 * np.sqrt(2)))
        assert bottom.get_xlabel() == "$m$ [GeV]"
        assert top.get_xlabel() == ""


def test_densities_above_a_profile_have_unit_area():
    found = profile_of(np.zeros((2, 3)), [[5, 0, 3], [1, 1, 2]], [0, 10, 20, 40])
    with figure(2, 1) as (_, (top, bottom)):
        plot_profile(found, LABELS["mass"], top, bottom)
        for patch in top.patches:
            values, edges, _ = patch.get_data()
            assert (values * np.diff(edges)).sum() == pytest.approx(1)


@pytest.mark.parametrize("counts", [[[4], [0]], [[0], [0]]], ids=["empty class", "no events"])
def test_profile_of_a_constant_without_a_class(tmp_path, counts):
    found = profile_of([[0.0], [np.nan]], counts, [6.5, 7.5])
    with figure(2, 1) as (fig, (top, bottom)):
        plot_profile(found, LABELS["n_muons"], top, bottom)
        save(fig, tmp_path / "constant")


def test_map_is_blue_towards_signal_and_grey_without_events():
    mean = np.array([[1.0, -1.0], [0.0, np.nan]])  # x, then y
    found = VariableMap("z", "z", "mass", np.arange(3.0), np.arange(3.0), np.ones((2, 2, 2)), mean, mean[None])
    with figure() as (_, ax):
        mesh = plot_map(found, LABELS["z"], LABELS["mass"], ax, (-1, 1))
        drawn = mesh.get_array().reshape(2, 2)
        assert drawn[0, 1] == 0  # row y = 0, column x = 1
        red, _, blue, _ = mesh.cmap(mesh.norm(1.0))
        assert blue > red
        red, _, blue, _ = mesh.cmap(mesh.norm(-1.0))
        assert red > blue
        assert drawn.mask[1, 1]
        assert not drawn.mask[1, 0]
        assert ax.get_ylabel() == "$m$ [GeV]"
        assert len(set(ax.get_facecolor()[:3])) == 1


def test_cells_of_few_events_are_hatched():
    counts = np.array([[[3, 0], [5, 20]], [[4, 0], [5, 0]]])  # class, x, y: 7, 0, 10 and 20 events
    found = VariableMap("z", "z", "mass", np.arange(3.0), np.arange(3.0), counts, np.zeros((2, 2)), np.zeros((1, 2, 2)))
    with figure() as (_, ax):
        plot_map(found, LABELS["z"], LABELS["mass"], ax, (-1, 1))
        assert [(cell.get_x(), cell.get_y(), bool(cell.get_hatch())) for cell in ax.patches] == [(0, 0, True)]


@pytest.mark.parametrize(
    ("events", "axes", "bins"), [(10, 1, 5), (400, 1, 10), (10**6, 1, 30), (1000, 2, 10), (100, 2, 5), (10**6, 2, 30)]
)
def test_bins_have_events_enough(events, axes, bins):
    """40 in each bin of one variable and 10 in each cell of two, between 5 and 30 bins."""
    assert bins_for(events, axes) == bins


def test_bubbles_have_areas_of_the_per_cent():
    table = pd.DataFrame([[75.0, 25.0], [25.0, 75.0]], index=["mass", "image"], columns=[1, 2])
    with figure() as (_, ax):
        bubbles = plot_ranks(table, LABELS, ax)
        area = np.square(bubbles._widths)  # half widths
        assert area[0] / area[1] == pytest.approx(3)
        assert [text.get_text() for text in ax.texts] == ["75%", "25%", "25%", "75%"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["$m$", "image (all pixels)"]
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top


def test_of_many_features_the_first_are_drawn():
    names = variables.names("jets", "xaug")
    with figure() as (_, ax):
        bubbles = plot_ranks(pd.DataFrame(np.eye(36) * 100, index=names, columns=range(1, 37)), LABELS, ax)
        assert len(bubbles.get_offsets()) == MOST**2


def test_trainings_side_by_side():
    table = pd.DataFrame({"mean": [0.6, 0.3], "training_0": [0.5, 0.2], "training_1": [0.7, 0.4]}, ["mass", "list"])
    with figure(1, 2) as (_, axes):
        bars = plot_trainings(table, LABELS, axes)
        assert [bar.get_width() for bar in bars] == [0.5, 0.2, 0.7, 0.4]
        assert axes[1].get_title() == "training 2"


def test_spread_of_features_marks_stable_ranks_and_leaves_out_zeros():
    table = pd.DataFrame(
        {"mean": [0.5, 0.1, 0.0], "spread": [0.01, 0.05, 0.0], "stable": [True, False, False]},
        index=["mass", "pt", "n_muons"],
    )
    with figure() as (_, ax):
        filled, empty, *_ = plot_feature_spread({"100 jets": table}, LABELS, ax)
        assert list(filled.get_xdata()) == [0.5]
        assert list(empty.get_ydata()) == [0.05]
        assert empty.get_markerfacecolor() == "none"
        assert {text.get_text() for text in ax.texts} == {"$m$", "$p_T$"}


def test_names_of_points_cover_neither_points_nor_each_other():
    """36 points close together: some have their name, and no name lies on anything, in a small figure too."""
    rng = np.random.default_rng(5)
    mean = np.sort(10 ** rng.uniform(-1.3, 0, 36))[::-1]
    table = pd.DataFrame(
        {"mean": mean, "spread": 0.1 * mean * 10 ** rng.uniform(-0.3, 0.3, 36), "stable": False},
        index=variables.names("jets", "xaug"),
    )
    for size in ((4.8, 4.0), (2.8, 2.4)):
        with figure(size=size) as (fig, ax):
            plot_feature_spread({"all": table, "a tenth": 1.5 * table}, LABELS, ax)
            fig.draw_without_rendering()
            names = [text.get_window_extent() for text in ax.texts]
            points = np.concatenate(
                [ax.transData.transform(t[["mean", "spread"]].to_numpy()) for t in (table, 1.5 * table)]
            )
            assert 3 < len(names) < 36
            for i, name in enumerate(names):
                assert not any(name.contains(*point) for point in points)
                assert not any(name.overlaps(other) for other in names[:i])
                assert not name.overlaps(ax.get_legend().get_window_extent())
                assert ax.bbox.x0 <= name.x0 and name.x1 <= ax.bbox.x1


def test_spread_of_scores_shows_medians_by_class():
    mean = np.repeat([0.01, 0.02, 0.03, 0.02, 0.01, 0.97, 0.98, 0.99, 0.97, 0.98, 0.6], 2)
    rms = np.repeat([0.1, 0.2, 0.6, 0.2, 0.2, 0.3, 0.4, 0.5, 0.4, 0.4, 0.9], 2)
    label = np.repeat([0, 1], [10, 12])
    with figure() as (_, ax):
        plot_score_spread(mean, rms, label, ax)
        background, signal = (patch.get_data().values for patch in ax.patches)
        assert background[0] == 0.2
        assert signal[-1] == 0.4
        assert np.isnan(background[1:]).all()
        assert np.isnan(signal[:-1]).all()  # two events are too few
    with figure() as (_, ax):
        plot_score_spread(mean[:10], rms[:10], np.zeros(10), ax)  # no signal


def test_many_curves_have_their_legend_outside(tmp_path):
    band = RocBand(np.linspace(0.001, 1, 100), np.zeros(100), 0.9, 0.01)
    with figure() as (fig, ax):
        plot_roc({f"network {i}": band for i in range(11)}, ax, 1e-3)
        save(fig, tmp_path / "roc")
        legend = ax.get_legend().get_window_extent()
        assert legend.x0 > ax.get_window_extent().x1
        assert legend.x1 <= fig.bbox.x1
        styles = {(line.get_color(), line.get_linestyle()) for line in ax.get_lines()}
        assert len(styles) == 11


def test_likelihood_draws_points_line_and_correlation():
    edges, counts = np.array([0.0, 1.0, 3.0, 4.0]), np.full((2, 3), 50)
    attribution, ratio = np.array([-0.5, 0.1, 0.9]), np.array([-1.0, 0.2, 1.5])
    found = LikelihoodTest(
        "mass", "mass", edges, counts, attribution, np.full(3, 0.1), ratio, np.full(3, 0.2), 0.98, 0.02, np.nan, 0.99,
        0.5, 0.1, np.nan,
    )  # fmt: skip
    with figure() as (_, ax):
        points, line, band = plot_likelihood(found, LABELS["mass"], ax)
        np.testing.assert_array_equal(points.lines[0].get_xydata(), np.stack([[0.5, 2.0, 3.5], ratio], axis=1))
        np.testing.assert_array_equal(line.get_data().values, attribution)
        assert ax.get_title() == "correlation 0.98 ± 0.02"
        assert ax.get_xlabel() == "$m$ [GeV]"
        extent = band.get_paths()[0].get_extents()
        assert (extent.ymin, extent.ymax) == pytest.approx((-0.6, 1.0))
