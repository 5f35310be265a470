"""Reweighting: all classes get the spectrum of one class, and a network can no longer use the variable."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.train import main
from xaug.training.reweighting import Binning, Reweighting, fit_reweighting, read_binning

EDGES = (200.0, 300.0, 500.0, 1000.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes that differ in nothing but the spectrum of pt; weights of either sign."""
    path = tmp_path_factory.mktemp("reweighting") / "data"
    rng = np.random.default_rng(1)
    n = 6000
    label = np.arange(n) % 2
    pt = 150 + rng.exponential(np.where(label == 1, 400, 200), n)
    xaug.Dataset.write(
        path, xaug=np.stack([pt, rng.normal(size=n)], axis=1), label=label, classes=["QCD", "top"],
        weight=rng.choice([1.0, 1.0, 1.0, -1.0], n), variables={"xaug": [xaug.Variable("pt", "$p_T$", "GeV"), "noise"]},
    )  # fmt: skip
    return xaug.Dataset.open(path)


def spectrum(data, split, label, factors=None):
    """Weighted share of a class in each bin, by a histogram of NumPy."""
    arrays = data.load(["xaug", "label", "weight"], split)
    own = arrays["label"] == label
    weight = arrays["weight"][own] * (1 if factors is None else factors[own])
    counts, _ = np.histogram(arrays["xaug"][own, 0], (-np.inf, *EDGES, np.inf), weights=weight)
    return counts / counts.sum()


@pytest.mark.parametrize("reference", ["QCD", "top"])
def test_all_classes_get_the_spectrum_of_the_reference(data, reference):
    found = fit_reweighting(data, Binning("pt", EDGES), reference, "event")
    arrays = data.load(["xaug", "label"], "train")
    factors = found.weights(arrays["xaug"][:, 0], arrays["label"])
    wanted = spectrum(data, "train", data.classes.index(reference))
    for label in (0, 1):
        np.testing.assert_allclose(spectrum(data, "train", label, factors), wanted, atol=1e-12)
        np.testing.assert_allclose(found.after[label], wanted, atol=1e-12)
    np.testing.assert_array_equal(factors[arrays["label"] == data.classes.index(reference)], 1)


def test_it_is_read_as_it_was_written(data, tmp_path):
    found = fit_reweighting(data, Binning("pt", EDGES), "QCD")
    found.save(tmp_path / "r.json")
    again = Reweighting.load(tmp_path / "r.json")
    np.testing.assert_array_equal(again.factors, found.factors)
    assert again.binning == found.binning and again.reference == "QCD"


@pytest.mark.parametrize("text", ["pt", "pt:", "pt:200", "pt:300,200", "pt:a,b", "pt:1,inf", ":1,2"])
def test_binnings_that_are_none(text):
    with pytest.raises(ConfigurationError, match="write VARIABLE:EDGES"):
        read_binning(text)


def test_refusals(data):
    with pytest.raises(ConfigurationError, match="did you mean 'pt'"):
        fit_reweighting(data, Binning("ptt", EDGES), "QCD")
    with pytest.raises(ConfigurationError, match="did you mean 'QCD'"):
        fit_reweighting(data, Binning("pt", EDGES), "QCDD")
    with pytest.raises(DatasetError, match=r"class QCD has a weight of .* between 2500 and .*Choose wider bins"):
        fit_reweighting(data, Binning("pt", (200.0, 2500.0)), "top")
    with pytest.raises(DatasetError, match=r"no training event lies between 1e\+06 and 2e\+06; pt is 150"):
        fit_reweighting(data, Binning("pt", (1e6, 2e6)), "top")


def test_by_command(data, tmp_path):
    """A network that reads pt alone tells the classes apart, and no longer when the spectra are the same."""
    auc = {}
    for name, options in {"plain": [], "flat": ["--reweight", "pt:170,200,250,300,400,500,700,1000", "--reference", "QCD"]}.items():  # noqa: E501 # fmt: skip
        command = [data.path, "--network", "mlp", "--trainings", 1, "--epochs", 8, "--batch-size", 128, "-o", tmp_path / name]  # noqa: E501 # fmt: skip
        done = CliRunner().invoke(main, [str(argument) for argument in [*command, "--weights", "unit", *options]])
        assert done.exit_code == 0, done.output
        run = xaug.load_run(tmp_path / name)
        auc[name] = run.metrics[0]["auc"]
    assert (tmp_path / "flat" / "reweighting.png").exists() and not (tmp_path / "plain" / "reweighting.json").exists()
    assert "reweighting.json" in json.loads((tmp_path / "flat" / "manifest.json").read_text())["file_digests"]
    assert auc["plain"] > 0.62 and abs(auc["flat"] - 0.5) < 0.5 * (auc["plain"] - 0.5)


def test_one_option_needs_the_other(data, tmp_path):
    done = CliRunner().invoke(main, [str(data.path), "--network", "mlp", "--reweight", "pt:1,2", "-o", str(tmp_path)])
    assert done.exit_code == 1 and "needs --reference CLASS" in done.stderr
