"""The commands of the page of contrasts: each one is accepted, and differs from its pair in what the page says."""

import importlib
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest

from xaug.jets.conventions import DEFAULT, PAPER_LITERAL, Conventions
from xaug.process.__main__ import change_settings
from xaug.process.stage import default_settings
from xaug.studies import STUDIES, zbb
from xaug.studies.runner import chosen_runs
from xaug.studies.zbb.choices import chosen_conventions, chosen_scaling
from xaug.training.config import TrainingConfig
from xaug.training.input_scaling import LITERAL, OUR_SCALING

PAGE = (Path(__file__).parents[1] / "notebooks" / "contrasts.md").read_text()
LONG, STUDY = (re.search(rf'^{name}="(.*)"$', PAGE, re.MULTILINE)[1] for name in ("LONG", "STUDY"))
DATASETS = dict(re.findall(r"^python -m xaug\.process files -o (\w+) *(.*)$", PAGE, re.MULTILINE))
TRAININGS = re.findall(r"`xaug train ([a-z].*?)`", PAGE.replace("$LONG", LONG))
STUDIES_OF_PAGE = re.findall(r"^\$STUDY (.*)$", PAGE, re.MULTILINE)


def options_of(stage, text):
    """The options of a command line as its own parser reads them."""
    command = importlib.import_module(stage).main
    arguments = shlex.split(re.sub(r"\bN\b", "7500", text))
    if stage == "xaug.study":
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command.make_context(stage, arguments).params


def conventions_of(name):
    given = options_of("xaug.process.__main__", f"files -o {name} {DATASETS[name]}")
    settings = change_settings(
        default_settings("jets"), cuts=(), detector=(), conventions=given["options"], choices=given["choices"],
        split_seed=0, split=None,
    )  # fmt: skip
    return settings.conventions


def test_datasets_differ_in_what_their_names_say():
    def differences(one, other):
        return {name for name, value in asdict(conventions_of(one)).items() if value != getattr(other, name)}

    assert conventions_of("default") == DEFAULT and conventions_of("literal") == PAPER_LITERAL
    assert differences("status91", DEFAULT) == {"status", "constituent_pt"}
    assert differences("no_floor", DEFAULT) == differences("literal_floor", PAPER_LITERAL) == {"displacement_floor"}
    assert differences("neutrinos", DEFAULT) == {"neutrinos"}
    assert differences("literal_no_status", PAPER_LITERAL) == {"status"}
    fields = PAGE.split("takes each field of")[1].split("\n\n")[0].split("Conventions`: ")[1]
    assert set(re.findall(r"`(\w+)`", fields)) == set(Conventions.names())


def test_generation_and_reports_are_accepted():
    (generation,) = re.findall(r"^python -m xaug\.generate (.*)$", PAGE, re.MULTILINE)
    given = (
        importlib.import_module("xaug.generate.__main__")
        .main.commands["zbb"]
        .make_context("zbb", shlex.split(generation)[1:])
    )
    assert given.params["options"] == "paper-literal", "one sample with neutrinos serves all"
    (drawing,) = re.findall(r"^python -m xaug\.report (.*)$", PAGE, re.MULTILINE)
    keys = options_of("xaug.report.__main__", drawing)["figures"].split(",")
    figures = STUDIES["zbb"].extension().figures
    assert len(figures.chosen(keys)) == 2


@pytest.mark.parametrize("text", TRAININGS)
def test_trainings_are_accepted_and_counted_in_steps(text):
    given = options_of("xaug.train", text)
    assert str(given["dataset"]) in DATASETS
    TrainingConfig(given["batch_size"], 1e-3, steps=given["steps"], patience=given["patience"])
    assert given["batch_size"] == 32 and given["epochs"] is None
    assert given["choices"] in (None, "paper-literal")
    assert (given["choices"] is None) == (not str(given["dataset"]).startswith("literal"))


def test_runs_that_a_question_compares_are_made_once():
    outputs = [str(options_of("xaug.train", text)["output"]) for text in TRAININGS]
    assert len(TRAININGS) == 17 and len(set(outputs)) == len(outputs)
    named = set(re.findall(r"`((?:cnn2d|cnn1d)_\w+)`", PAGE.split("| question |")[1].split("\n\n")[0]))
    assert named <= set(outputs)


@pytest.mark.parametrize("text", STUDIES_OF_PAGE)
def test_studies_are_accepted(text):
    given = options_of("xaug.study", f"{STUDY.removeprefix('python -m xaug.study ')} {text}")
    conventions = chosen_conventions(given["options"], given["convention"])
    scaling = chosen_scaling(given["options"], given["image_scaling"], given["displacement_scaling"])
    assert list(chosen_runs(given["networks"], zbb.RUNS)) == ["mlp_xaug", "cnn2d", "cnn2d_xaug"]
    is_default = (conventions, scaling) == (DEFAULT, OUR_SCALING)
    assert is_default == (str(given["output"]) == "zbb_default")
    assert (scaling == LITERAL) == (given["options"] == "paper-literal")
