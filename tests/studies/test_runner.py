"""Which runs a study makes, in which order, and what goes into a "+5" network."""

import pandas as pd
import pytest

import xaug
from xaug.core.errors import ConfigurationError
from xaug.studies import toy, zbb
from xaug.studies.runner import NetworkRun, Scale, chosen_runs, train_and_explain


def test_networks_name_their_runs():
    assert list(chosen_runs("mlp", zbb.RUNS)) == ["mlp_no_flavour", "mlp_xaug"]
    of_rnn = ["rnn", "rnn_two", "rnn_xaug", "rnn_15", "rnn_15_five"]
    assert list(chosen_runs("rnn, mlp_xaug", zbb.RUNS)) == ["mlp_xaug", *of_rnn]
    assert chosen_runs("all", zbb.RUNS) == zbb.RUNS
    assert chosen_runs("all", toy.RUNS) == toy.RUNS


def test_single_runs_can_be_chosen():
    """By their names; one that is called like its network by the name that means it alone."""
    for name in zbb.RUNS:
        if zbb.RUNS[name].xaug != "five":
            network = zbb.RUNS[name].network
            assert list(chosen_runs(f"{name}_alone" if name == network else name, zbb.RUNS)) == [name]
    assert list(chosen_runs("cnn2d_alone,rnn_15", toy.RUNS | {"rnn_15": zbb.RUNS["rnn_15"]})) == ["cnn2d", "rnn_15"]
    with pytest.raises(ConfigurationError, match="did you mean 'cnn1d_alone'"):
        chosen_runs("cnn1d_alon", zbb.RUNS)


def test_curves_without_training_are_always_there():
    assert list(chosen_runs("f91, rnn_15", zbb.RUNS, zbb.DISCRIMINANTS)) == ["rnn_15"]
    with pytest.raises(ConfigurationError, match="f91 needs no training and is part of every report"):
        chosen_runs("f91", zbb.RUNS, zbb.DISCRIMINANTS)


def test_recurrent_network_of_the_figure():
    """15 columns, all but the displacements, and the five XAUGs that the code of the paper joins to them."""
    table = xaug.variables.table_of("jets")
    names = table.names("list")
    assert table.select("list", zbb.RUNS["rnn_15"].particle_list) == names[:15] and names[15:] == ["dxy", "dz"]
    five = table.select("xaug", zbb.RUNS["rnn_15_five"].xaug)
    assert set(five) == {"softdrop_mass", "delta_r_subjets", "tau3_b05", "tau3_sd_b05", "tau3_b10"}


def test_a_run_with_five_brings_the_one_that_finds_them():
    assert list(chosen_runs("cnn1d_five", zbb.RUNS)) == ["cnn1d_five", "cnn1d_xaug"]


@pytest.mark.parametrize(("name", "words"), [("cnn3d", "did you mean"), (",", "names no network")])
def test_unknown_networks(name, words):
    with pytest.raises(ConfigurationError, match=words):
        chosen_runs(name, zbb.RUNS)


@pytest.mark.filterwarnings("ignore:only .* pairs are within the tolerance:UserWarning")
def test_five_are_found_in_the_run_and_more_networks_join_later(zbb_dataset, tmp_path):
    """The "+5" network, though named first, is trained on the five that LRP found; a second call keeps all."""
    runs = {
        "five": NetworkRun("mlp", "five"),
        "every": NetworkRun("mlp", "all"),
        "towers": NetworkRun("cnn1d", particle_list="log_pt,charge"),
    }
    size = Scale(150, 1, 1, 1, "all", max_events=6)
    two = {name: runs[name] for name in ("five", "every")}
    trained, explained = train_and_explain(zbb_dataset, tmp_path, two, size, seed=3)
    assert [path.name for path in trained] == ["five", "every"]
    chosen = xaug.load_run(tmp_path / "runs" / "five").variables["xaug"]
    table = pd.read_csv(tmp_path / "attributions" / "every" / "relevance.csv")
    largest = table.set_index("feature").loc[xaug.variables.names("jets", "xaug"), "mean"].nlargest(5)
    assert set(chosen) == set(largest.index)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    trained, explained = train_and_explain(zbb_dataset, tmp_path, runs, size, seed=3)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}.items()
    assert [path.name for path in explained] == ["five", "five_ig", "every", "every_ig", "towers", "towers_ig"]
    found = xaug.explain.Attribution.load(tmp_path / "attributions" / "towers" / "attribution_0.h5")
    assert {name: r.shape[1:] for name, r in found.relevance.items()} == {"log_pt": (20, 1), "charge": (20, 1)}


def test_authors_five(zbb_dataset, tmp_path):
    runs = {"five": NetworkRun("mlp", "five"), "every": NetworkRun("mlp", "all")}
    train_and_explain(zbb_dataset, tmp_path, runs, Scale(150, 1, 1, 1, "all", max_events=20), 3, five="authors")
    names = xaug.load_run(tmp_path / "runs" / "five").variables["xaug"]
    assert names == ["softdrop_mass", "tau3_b10", "tau2_sd_b05", "dxy_max", "dz_max"]
    with pytest.raises(ConfigurationError, match="did you mean 'authors'"):
        train_and_explain(zbb_dataset, tmp_path, runs, Scale(150, 1, 1, 1, "all"), 3, five="author")
