"""Bars of attributions, matrices of agreement, curves of k best features: what is drawn is what was given."""

import itertools

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from xaug import variables
from xaug.plots.attribution import plot_agreement, plot_attribution
from xaug.plots.figures import figure
from xaug.plots.topk import plot_curves, plot_topk

LABELS = variables.labels("events")


def test_bars_stand_in_the_order_of_the_table_with_their_errors():
    table = pd.DataFrame({"mean": [0.5, 0.2, -0.3], "rms": [0.1, 0.0, 0.05]}, index=["ht", "mass_j1_b", "unknown"])
    with figure() as (_, ax):
        bars = plot_attribution(table, LABELS, ax)
        assert [bar.get_width() for bar in bars] == [0.5, 0.2, -0.3]
        heights = [bar.get_y() for bar in bars]
        assert heights == sorted(heights, reverse=True)
        labels = {tick.get_text(): at for tick, at in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)}
        assert list(labels) == [LABELS["ht"].label, LABELS["mass_j1_b"].label, "unknown"]
        centres = [bar.get_y() + bar.get_height() / 2 for bar in bars]
        assert centres == pytest.approx(list(labels.values()))
        colors = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in bars]
        assert colors[0] == colors[1] != colors[2]  # negative ones stand out
        segments = ax.containers[0].lines[2][0].get_segments()
        np.testing.assert_allclose([(s[0, 0], s[1, 0]) for s in segments], [(0.4, 0.6), (0.2, 0.2), (-0.35, -0.25)])


def test_fifty_five_labels_do_not_overlap():
    """At the height that the report gives them."""
    from xaug.report.figures.baselines import ROW

    names = variables.names("events", "event")[:55]
    table = pd.DataFrame({"mean": np.linspace(1, 0, 55), "rms": 0.01}, index=names)
    with figure(size=(4.2, 1.0 + ROW * 55)) as (fig, ax):
        plot_attribution(table, LABELS, ax)
        fig.draw_without_rendering()
        boxes = [tick.get_window_extent() for tick in ax.get_yticklabels()]
        for above, below in itertools.pairwise(boxes):
            assert above.y0 >= below.y1 - 1  # pixels: an index may touch the letter below it


def test_cells_of_a_matrix_hold_its_numbers():
    matrix = pd.DataFrame([[1.0, 0.25], [0.5, 1.0]], index=["B0", "Bbg"], columns=["B0", "Bbg"])
    with figure() as (_, ax):
        artist = plot_agreement(matrix, ax, 1.0, "{:.2f}")
        found = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in ax.texts}
        assert found == {(0, 0): "1.00", (0, 1): "0.25", (1, 0): "0.50", (1, 1): "1.00"}
        np.testing.assert_array_equal(artist.get_array(), matrix)
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["B0", "Bbg"]


def curves(ks, rankings=("B0", "random")):
    rng = np.random.default_rng(0)
    rows = [(name, k, i, rng.random()) for name in rankings for k in ks for i in range(3)]
    return pd.DataFrame(rows, columns=["ranking", "k", "training", "auc"])


def test_curves_are_means_and_bands_over_trainings():
    table = curves([1, 2, 3])
    with figure() as (_, ax):
        plot_topk(table, "auc", ax)
        for line, band, name in zip(ax.lines, ax.collections, ("B0", "random"), strict=True):
            own = table[table["ranking"] == name].groupby("k")["auc"]
            mean, rms = 1 - own.mean().to_numpy(), np.array([np.std(values, ddof=1) for _, values in own])
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_allclose(line.get_ydata(), mean)
            box = band.get_paths()[0].get_extents()
            assert (box.ymin, box.ymax) == pytest.approx(((mean - rms).min(), (mean + rms).max()))
        assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]


def test_bands_contain_the_test_sample():
    """Replicas of standard deviation 0.3 sqrt(2) (ddof 1) are added in quadrature; Z has none, and stays as it is."""
    table = curves([1, 2], ("B0",)).assign(significance=2.0)
    replicas = pd.DataFrame({"ranking": "B0", "k": [1, 1, 2, 2], "replica": [0, 1, 0, 1], "auc": [0.2, 0.8, 0.1, 0.7]})
    rms = np.hypot([np.std(own, ddof=1) for _, own in table.groupby("k")["auc"]], 0.3 * np.sqrt(2))
    mean = 1 - table.groupby("k")["auc"].mean().to_numpy()
    with figure(1, 2) as (_, axes):
        plot_topk(table, "auc", axes[0], replicas)
        box = axes[0].collections[0].get_paths()[0].get_extents()
        assert (box.ymin, box.ymax) == pytest.approx(((mean - rms).min(), (mean + rms).max()))
        plot_topk(table, "significance", axes[1], replicas)
        np.testing.assert_allclose(axes[1].lines[0].get_ydata(), 2.0)
        assert [ax.get_ylabel() for ax in axes] == ["1 − AUC", "significance $Z$"]


def test_all_features_stand_behind_a_gap():
    table = curves([0, 1, 2, 5, 10, 87], ("B0", "Bbg", "Bbgw"))
    with figure() as (_, ax):
        plot_topk(table, "auc", ax)
        lines = [line for line in ax.lines if not line.get_label().startswith("_")]
        assert all(line.get_xdata().max() == 10 for line in lines)
        last = sorted(container.lines[0].get_xdata()[0] for container in ax.containers)
        assert len(set(last)) == 3
        assert 10 < last[0] < last[-1] < 20
        ticks = dict(zip([tick.get_text() for tick in ax.get_xticklabels()], ax.get_xticks(), strict=True))
        assert ticks["10"] == 10
        assert last[0] < ticks["all (87)"] < last[-1]
        heights = [container.lines[0].get_ydata()[0] for container in ax.containers]
        means = 1 - table[table["k"] == 87].groupby("ranking")["auc"].mean()
        assert heights == pytest.approx([means[name] for name in ("B0", "Bbg", "Bbgw")])


def test_one_legend_for_all_metrics_outside_of_the_axes():
    table = curves([1, 2, 3]).assign(accuracy=0.5)
    with figure(1, 2) as (fig, axes):
        plot_curves(table, ["accuracy", "auc"], fig, axes)
        fig.draw_without_rendering()
        (legend,) = fig.legends
        assert [text.get_text() for text in legend.get_texts()] == ["B0", "random"]
        box = legend.get_window_extent()
        assert all(not box.overlaps(ax.get_tightbbox()) for ax in axes)
