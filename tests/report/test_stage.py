"""The report stage: which runs belong together, and what it refuses."""

import pytest
from click.testing import CliRunner

from xaug.core.errors import ConfigurationError
from xaug.explain.stage import explain_run
from xaug.report.__main__ import main
from xaug.report.stage import report
from xaug.training.stage import train


@pytest.fixture(scope="module")
def runs(zbb_dataset, tmp_path_factory):
    directory = tmp_path_factory.mktemp("report_runs")
    options = {"network": "mlp", "trainings": 1, "epochs": 1}
    train(zbb_dataset, directory / "all", **options)
    train(zbb_dataset, directory / "few", max_jets=50, **options)
    explain_run(directory / "few", directory / "few_lrp", max_events=5)
    return directory


def test_a_run_without_attributions_is_enough(runs, tmp_path, read_page):
    done = CliRunner().invoke(main, [str(runs / "all"), "-o", str(tmp_path / "r")])
    assert done.exit_code == 0, done.output
    page = read_page(tmp_path / "r" / "report.html")
    assert "The classes are separated by dense network, 36 XAUGs (all) with an AUC of" in page.text
    assert "jets_per_event 1" in page.text  # the selection
    assert not (tmp_path / "r" / "learning_curve.png").exists()


def test_only_small_samples_or_foreign_attributions_are_refused(runs, tmp_path):
    with pytest.raises(ConfigurationError, match="full sample"):
        report([runs / "few"], tmp_path / "a")
    with pytest.raises(ConfigurationError, match="not among the runs"):
        report([runs / "all"], tmp_path / "b", [runs / "few_lrp"])
    with pytest.raises(ConfigurationError, match="two runs of this report are called 'all'"):
        report([runs / "all", runs / "few", runs / "all"], tmp_path / "c")
    with pytest.raises(ConfigurationError, match="at least one run"):
        report([], tmp_path / "c")
