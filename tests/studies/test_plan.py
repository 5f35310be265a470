"""What a study says that it will do is what it does, and takes about as long as it was measured to take."""

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner

from xaug.core.progress import announce, begin_stage, following
from xaug.studies import STUDIES
from xaug.studies.plan import duration, machine_factor, planned, training_seconds
from xaug.studies.planned_stage import PlannedStage
from xaug.study import main

MEASURED = {"toy": 6, "zbb": 6, "vlq": 8}
"""Minutes that the studies take at quick scale on two idle cores, as the README says."""


def dry_run(tmp_path, *arguments):
    done = CliRunner().invoke(main, [*arguments, "--dry-run", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "out").exists()
    return done.output.splitlines()


@pytest.mark.parametrize("study", MEASURED)
def test_times_are_those_that_were_measured(study, tmp_path, monkeypatch):
    """Within a factor of two, on a machine as fast as that of the measurement."""
    monkeypatch.setattr("xaug.studies.plan.machine_factor", lambda: 1.0)
    monkeypatch.setattr("xaug.studies.plan.cores", lambda: 2)
    stages = STUDIES[study].plan(tmp_path, scale="quick")
    seconds = planned(stages, None, tmp_path)["seconds"]
    assert MEASURED[study] * 30 < seconds < MEASURED[study] * 120


def test_stages_and_sizes_are_listed(tmp_path):
    lines = dry_run(tmp_path, "zbb", "--networks", "mlp_xaug", "--jets", "100", "--trainings", "3")
    assert lines[0].startswith("stage 1 of 10: generate (100 selected jets of each class), about ")
    assert [line.split(": ")[1].split(" (")[0] for line in lines[:10]] == [
        "generate", "process", "train mlp_xaug", "explain mlp_xaug", "train mlp_xaug_15_jets", "train mlp_xaug_30_jets",
        "train mlp_xaug_60_jets", "explain mlp_xaug_lrp_background", "explain mlp_xaug_ig", "report",
    ]  # fmt: skip
    assert "3 trainings of at most 30 epochs, 120 jets" in lines[2]
    assert lines[-1].startswith("about ") and lines[-1].endswith(f"nothing was written to {tmp_path / 'out'}")


@pytest.mark.parametrize("study", MEASURED)
def test_a_wrong_choice_is_found_by_a_dry_run(study):
    assert CliRunner().invoke(main, [study, "--scale", "quik", "--dry-run"]).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["judge", "x", "--tests", "likelihood,halfs", "-o", "y"], ["judge", "x", "--methods", "igg", "-o", "y"],
        ["truth", "--toys", "xorr"], ["truth", "--methods", "lrp,igg"], ["toy", "--networks", "cnn2dd"],
        ["zbb", "--networks", "cnn2d_alone,f92"], ["truht"],
    ],
)  # fmt: skip
def test_a_wrong_name_in_a_list_is_wrong_usage(arguments):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and "did you mean" in done.output


def test_a_finished_stage_takes_no_time(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "manifest.json").write_text("{}")
    stages = [PlannedStage(name, "all", 100.0, 1.0, tmp_path / name) for name in "ab"]
    first, second = planned(stages, 1, tmp_path)["stages"]
    assert (first["done"], first["seconds"]) == (True, 0.0)
    assert not second["done"] and second["seconds"] > 1


def test_more_cores_and_steps_count(tmp_path, monkeypatch):
    monkeypatch.setattr("xaug.studies.plan.machine_factor", lambda: 2.0)
    monkeypatch.setattr("xaug.studies.plan.cores", lambda: 4)
    stage = PlannedStage("a", "all", 100.0, 1.0, tmp_path)
    assert planned([stage], None, tmp_path)["seconds"] == 2 * (100 / 4 + 1)
    assert planned([stage], 2, tmp_path)["seconds"] == 2 * (100 / 2 + 1)
    steps = [training_seconds("cnn2d", 1000, {"steps": n, "batch_size": 100}, 1) for n in (10_000, 20_000)]
    assert steps[1] - steps[0] == pytest.approx(10_000 * 100 / 3500)


def test_the_calibration_is_short_and_positive():
    start = time.process_time()
    assert 0.1 < machine_factor() < 100
    assert time.process_time() - start < 2


def test_the_calibration_does_not_count_other_work(monkeypatch):
    """A clock that counts the time of other processes would see this sleep."""
    alone = machine_factor()
    tanh = np.tanh
    monkeypatch.setattr("xaug.studies.plan.np.tanh", lambda x: time.sleep(1e-4) or tanh(x))
    assert machine_factor() < 4 * alone


@pytest.mark.parametrize(("load", "told"), [(0.1, False), (7.2, True)])
def test_the_prediction_says_what_it_assumes(load, told, tmp_path, monkeypatch):
    monkeypatch.setattr("xaug.studies.plan.machine_factor", lambda: 2.0)
    monkeypatch.setattr("xaug.studies.plan.cores", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    found = planned([PlannedStage("a", "all", 100.0, 1.0, tmp_path)], None, tmp_path)
    assert (
        "on 2 cores that nothing else uses, each taking 2.0 times as long as that of the reference"
        in found["summary"][-1]
    )
    assert ("about 7 processes share" in found["summary"][-1]) == told
    assert found["assumed"] == {"cores": 2, "core_time_over_reference": 2.0}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (50, "50 s"), (150, "2.5 min"), (1200, "20 min"), (9000, "2.5 h"), (2e5, "2.3 days")],
)
def test_times_are_readable(seconds, text):
    assert duration(seconds) == text


def test_a_stage_says_which_of_how_many_it_is(capsys):
    with following():
        announce(["generate", "train mlp", "report"])
        begin_stage("train mlp")
        begin_stage("something else")
    assert capsys.readouterr().err.splitlines() == ["stage 2 of 3: train mlp", "something else"]


@pytest.mark.parametrize("study", ["toy"])
def test_a_study_begins_the_stages_that_it_plans(study, tmp_path, monkeypatch):
    """All of them, each once; the stages themselves do nothing here."""
    begun = []
    for place in ("xaug.studies.toy.stages", "xaug.studies.runner"):
        monkeypatch.setattr(f"{place}.begin_stage", begun.append)
    sizes = ["--jets", "40", "--trainings", "1", "--epochs", "1", "--networks", "mlp", "--workers", "1", "--json"]
    done = CliRunner().invoke(main, [study, *sizes, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert begun == ["generate", "train mlp_xaug", "explain mlp_xaug", "explain mlp_xaug_ig", "report"]
    stages = STUDIES[study].plan(tmp_path, scale="quick", jets=40, trainings=1, epochs=1, networks="mlp")
    assert begun == [stage.name for stage in stages]
    assert json.loads(done.stdout)["output"] == str(tmp_path / "out")
