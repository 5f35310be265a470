"""The study of events at its smallest: all stages, again, and after a kill in each of them."""

import json
import re
import signal
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import xaug
from xaug.generate.regimes import NAMED, REGIMES
from xaug.generate.vlq import PROCESSES
from xaug.studies import vlq
from xaug.study import main

# with fewer events ZZ would have none in the validation split, of which baselines are drawn
TINY = """
import sys
from xaug.studies import vlq
vlq.SCALES["tiny"] = vlq.EventScale(1200, 2, 3, 2, 30, "1,2,all", 2, 2, (1.25,))
vlq.study(sys.argv[1], scale="tiny", seed=3, preset="loose")
"""


@pytest.fixture(scope="module")
def finished(run_study, tmp_path_factory):
    directory = tmp_path_factory.mktemp("study") / "tiny"
    run_study(TINY, directory, timeout=1500)
    return directory


@pytest.mark.slow
@pytest.mark.timeout(3600)
class TestStudy:
    def test_every_stage_and_figure_is_there(self, finished):
        data = xaug.Dataset.open(finished / "dataset")
        assert set(data.processes) == set(PROCESSES)
        assert min(data.counts.values()) > 0
        figures = {"fig01_features", "fig02_topk", "fig03_features", "fig04_features", "fig05_features", "ablation",
                   "agreement", "roc", "history_event"}  # fmt: skip
        assert {path.stem for path in (finished / "report").glob("*.png")} == figures
        page = (finished / "report" / "report.html").read_text()
        assert len(re.findall("data:image/png;base64,", page)) == len(figures)
        for name in ("answers", "baselines", "performance", "processes"):
            assert len(pd.read_csv(finished / "report" / f"{name}.csv"))
        answers = pd.read_csv(finished / "report" / "answers.csv")
        assert set(answers["holds"]) == {"refused"}  # of a hundred events or so

    def test_rankings_come_from_validation_and_are_judged_on_test(self, finished):
        for name, baseline in vlq.BASELINES.items():
            content = json.loads((finished / "attributions" / name / "manifest.json").read_text())
            asked = content["config"]
            assert (asked["split"], asked["only"], asked["baseline"]) == ("validation", "signal", baseline)
            assert content["events"] == 30
        data = xaug.Dataset.open(finished / "dataset")
        for path in (finished / "topk_mean" / "runs").iterdir():
            run = xaug.load_run(path)
            assert len(run.scores(0)["label"]) == data.size("test")

    def test_all_rankings_end_with_the_same_networks(self, finished):
        table = pd.read_csv(finished / "topk_mean" / "topk.csv")
        assert set(table["ranking"]) == {*vlq.BASELINES, "random", "univariate"}
        assert (table[table["k"] == 87].groupby("training")["auc"].nunique() == 1).all()
        ablated = pd.read_csv(finished / "ablation_mean" / "ablation.csv")
        assert set(ablated["ranking"]) == set(table["ranking"])
        whole = [m["auc"] for m in xaug.load_run(finished / "runs" / "event").metrics]
        for _, own in ablated[ablated["k"] == 0].groupby("ranking"):
            np.testing.assert_allclose(own.sort_values("training")["auc"], whole, atol=1e-6)

    def test_second_run_does_nothing(self, run_study, finished):
        before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
        run_study(TINY, finished, timeout=300)
        assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()} == before

    def test_killed_in_every_stage_it_ends_as_unbroken(self, start_study, run_study, finished, tmp_path):
        """SIGKILL while generating, processing, training, explaining and retraining: the same numbers."""
        directory = tmp_path / "tiny"
        for pattern in ("files/*.root", "dataset", "runs/event/training_0", "attributions/Bbg", "topk_mean/runs/1_*"):
            process = start_study(TINY, directory)
            while not list(directory.glob(pattern)) and process.poll() is None:
                time.sleep(0.05)
            time.sleep(0.3)
            process.send_signal(signal.SIGKILL)
            process.wait()
        run_study(TINY, directory, timeout=1500)
        one, other = (xaug.Dataset.open(path / "dataset").load() for path in (finished, directory))
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
        for table in ("topk_mean/topk.csv", "ablation_mean/ablation.csv", "report/answers.csv"):
            assert (finished / table).read_text() == (directory / table).read_text(), table
        for path in finished.glob("attributions/*/class_level_*.csv"):
            again = pd.read_csv(directory / path.relative_to(finished), index_col=0)
            pd.testing.assert_frame_equal(pd.read_csv(path, index_col=0), again, rtol=1e-5)


class TestFiles:
    """Numbers of events by process, and files that studies share; generation itself is left out."""

    @pytest.fixture
    def asked(self, monkeypatch):
        """What the study asks of the generator; then it ends."""
        seen = {}

        class Enough(Exception):
            pass

        def generate(output, **options):
            seen.update(options, output=str(output))
            raise Enough

        monkeypatch.setattr("xaug.generate.vlq.generate", generate)

        def run(output, **options):
            with pytest.raises(Enough):
                vlq.study(output, **options)
            return seen

        return run

    def test_scale_has_numbers_of_its_own(self, asked, tmp_path):
        own = vlq.SCALES["standard"]
        assert set(own.events_of) < set(PROCESSES)
        found = asked(tmp_path / "x", scale="standard")
        assert (found["events"], found["events_of"]) == (own.events, own.events_of)
        assert (found["output"], found["preset"]) == (str(tmp_path / "x" / "files"), "tight")

    def test_users_numbers_replace_them_all(self, asked, tmp_path):
        found = asked(tmp_path / "x", scale="standard", events=70)
        assert (found["events"], found["events_of"]) == (70, {})
        found = asked(tmp_path / "x", scale="standard", events_of="zz=90")
        assert (found["events"], found["events_of"]) == (vlq.SCALES["standard"].events, {"zz": 90})

    def test_files_elsewhere(self, asked, tmp_path):
        found = asked(tmp_path / "x", preset="search", files=tmp_path / "shared")
        assert (found["output"], found["preset"]) == (str(tmp_path / "shared"), "search")

    def test_tight_and_search_share_files_and_loose_has_its_own(self):
        assert REGIMES["tight"] is REGIMES["search"] is not REGIMES["loose"]
        assert {own.name for own in REGIMES.values()} == set(NAMED)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--scale", "quik"], 2, "did you mean 'quick'"),
        (["--weights", "xsec"], 2, "unknown value of --weights 'xsec'"),
        (["--by", "absolute"], 2, "unknown value of --by 'absolute'"),
        (["--preset", "tigth"], 2, "did you mean 'tight'"),
        (["--least-effective", "many"], 1, "--least-effective many: must be a number >= 0"),
        (["--events-of", "wjet=20"], 1, "unknown process 'wjet'; did you mean 'wjets'"),
        (["--events-of", "wjets"], 1, "--events-of 'wjets': must be NAME=NUMBER"),
    ],
)
def test_unknown_names(tmp_path, options, code, words):
    """Before anything is generated."""
    done = CliRunner().invoke(main, ["vlq", *options, "-o", str(tmp_path / "x")])
    assert done.exit_code == code
    assert words in done.output
    assert not (tmp_path / "x").exists()
