"""Every snippet of the pages works: it runs here, or is named below with the reason why not.

A snippet is a block of `bash` or `python`. Those of a page run one after another, as a reader would run them, in one
directory and one namespace, as they are written. Where a page speaks of a study, a small one stands in the directory
under the name that the page uses. Every command line of every page, run or not, is read by the parser of the command.
"""

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from xaug.__main__ import main

CHECKOUT = Path(__file__).parents[1]
PAGES = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "models/README.md")]
PAGES += sorted((CHECKOUT / "notebooks").glob("*.md"))
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TEXT = {page.name if page.parent.name != "models" else "models": page.read_text() for page in PAGES}
SNIPPETS = {name: BLOCK.findall(text) for name, text in TEXT.items()}

ELSEWHERE = {
    "CONTRIBUTING.md": "tests/test_contributing.py executes the recipes, .ci/run the commands of a developer",
    "contrasts.md": "tests/test_contrasts.py reads the commands, each of which takes hours",
    "formats.md": "tests/formats/test_page.py runs them on files of the published layouts",
}
"""Pages whose snippets another test owns."""
NOT_RUN = {
    "README.md": {
        "python3.11 -m venv .venv && .venv/bin/pip": "it installs all packages; .ci/run does",
        "python3.11 -m venv .venv-test": "it would run this test; .ci/run does",
    },
    "cluster.md": {
        "python -m xaug.process files -o jets --executor iterative": "tests/process runs all executors",
        "dask scheduler --port": "it needs several machines; tests/process runs a scheduler of its own",
    },
    "judge.md": {
        "python -m xaug.generate zbb": "it generates for minutes; the same commands run on the toy above it",
        "python -m xaug.report mlp_xaug": "it needs that run",
        "python -m xaug.study zbb": "it is a whole study; the same commands run on the toy at the top of the page",
        "python -m xaug.report zbb_quick/runs": "it needs that study; tests/studies draws these figures",
        "python -m xaug.train zbb_quick/dataset": "it trains for minutes on that study",
    },
    "literal.md": {
        "python -m xaug.generate zbb": "it generates and trains for hours",
        "python -m xaug.explain cnn2d_xaug_literal": "it needs these trainings",
        "import numpy": "it needs these trainings",
    },
    "own_model.md": {
        "python -m xaug.explain pfn.h5": "it needs a network of EnergyFlow; tests/networks opens one alike"
    },
    "concepts.md": {"python -m xaug.explain zbb_mlp": "tests/explain runs these options"},
    "ig.md": {
        "python -m xaug.explain vlq_run": "it needs a run on events; 03_ig_baselines.ipynb trains one",
        "import xaug": "it needs a run on events; 03_ig_baselines.ipynb does the same",
        "python -m xaug.topk vlq_events": "it trains hundreds of networks; 03_ig_baselines.ipynb trains few",
    },
    "results.md": {"import numpy": "it needs the study of events at its full size"},
    "likelihood.md": {"python -m xaug.study zbb": "it is a whole study; its steps run one by one in the tests"},
}
"""Snippets that no test runs, by their beginning, with the reason."""
SLOW = {
    "judge.md": "all tests of three explanations of four trainings; tests/report/judgement makes the same page smaller",
    "likelihood.md": "IG of two trainings",
    "lrp_and_innvestigate.md": "five comparisons by iNNvestigate",
}
"""Pages that run with `pytest -m slow`."""
RUN = [name for name, snippets in SNIPPETS.items() if snippets and name not in ELSEWHERE]


def reason(page, code):
    """Why a snippet is not run; None for one that is."""
    return next((why for start, why in NOT_RUN.get(page, {}).items() if code.startswith(start)), None)


@pytest.mark.parametrize("page", NOT_RUN)
def test_every_exception_is_one_snippet(page):
    for start in NOT_RUN[page]:
        assert sum(code.startswith(start) for _, code in SNIPPETS[page]) == 1, start


def command_lines(text):
    """The commands of xaug in blocks of bash and in code within the text, without those that leave something open."""
    lines = [line for language, code in BLOCK.findall(text) if language == "bash" for line in code.splitlines()]
    lines += re.findall(r"`((?:python -m xaug[. ]|xaug )[^`\n]+)`", text)
    found = re.findall(
        r"(?:^|&& \S*|= ?[\"']?)((?:python -m xaug[. ]|xaug )[^#&;\"\n]+)", "\n".join(lines), re.MULTILINE
    )
    return [line.strip() for line in found if not re.search(r"\.\.\.|\$|\bN\b|[A-Z]{3,}(?!\.md)|\*", line)]


def parse(line):
    """Read a command line by the parser of its command; an error of usage fails the test."""
    words = shlex.split(line.removeprefix("python -m ").replace("xaug.", "xaug ", 1))[1:]
    command, context = main, None
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, command, words = command.resolve_command(context or click.Context(main), words)
        context = click.Context(command, info_name=name)
    if isinstance(command, click.Group) and not words:
        return
    if not {"-h", "--help", "--version"} & set(words):
        command.make_context(command.name, words)


@pytest.mark.parametrize("page", [page for page in TEXT if page != "CONTRIBUTING.md"])
def test_commands_are_accepted(page):
    for line in command_lines(TEXT[page]):
        if len(shlex.split(line.removeprefix("python -m "))) > 1:  # more than a name
            try:
                parse(line)
            except click.UsageError as error:
                if "Missing" not in error.format_message():  # a text may name an option alone
                    pytest.fail(f"{line}: {error.format_message()}")


def test_wrong_commands_would_be_found():
    with pytest.raises(click.UsageError, match="did you mean 'preset_a'"):
        parse("python -m xaug.explain run --rule presetA -o lrp")
    with pytest.raises(click.UsageError, match="No such option"):
        parse("xaug study zbb --no-such-option")


@pytest.fixture(scope="session")
def small_study(zbb_dataset, shared_directory):
    """A study as `zbb_quick`: one epoch of two networks on 300 jets, one of which is explained."""
    from xaug.explain.stage import explain_run
    from xaug.training.stage import train

    def make(place):
        shutil.copytree(zbb_dataset, place / "dataset")
        for network, trainings in (("mlp", 2), ("cnn2d", 2)):
            run = place / "runs" / f"{network}_xaug"
            train(place / "dataset", run, network=network, trainings=trainings, epochs=1, seed=1)
        explain_run(run, place / "attributions" / run.name, method="lrp", engine="native", max_events=20)

    return shared_directory("snippets_zbb_quick", make)


@pytest.fixture
def directory(tmp_path, request, monkeypatch):
    """A working directory that holds what the page needs."""
    text = TEXT[request.getfixturevalue("page")]
    for name in ("zbb_quick", "zbb"):
        if f'"{name}/' in text:
            (tmp_path / name).symlink_to(request.getfixturevalue("small_study"))
    for name, content in re.findall(r"```(?:yaml|python)\n# (\S+\.\w+)\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("default::UserWarning:xaug")  # as a reader sees them: warnings, not errors
@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow if page in SLOW else ()) for page in RUN])
def test_snippets_run(page, directory):
    namespace = {"__name__": "__main__"}
    for language, code in SNIPPETS[page]:
        if reason(page, code):
            continue
        if language == "python":
            exec(compile(code, page, "exec"), namespace)
            continue
        for line in code.splitlines():
            words = shlex.split(line, comments=True)
            assert words[:2] == ["python", "-m"] and words[2].startswith("xaug."), line
            done = CliRunner().invoke(main, [words[2].removeprefix("xaug."), *words[3:]])
            assert done.exit_code == 0, (line, done.output)
