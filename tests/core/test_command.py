import errno
import json
import os
import signal

import click
import pytest
from click.testing import CliRunner

import xaug
from xaug.core import provenance
from xaug.core.command import OneOf, numbers_by_name, option_list, xaug_command
from xaug.core.errors import ConfigurationError, InputFileError, unknown_name
from xaug.core.progress import note

HEAVY = {"tensorflow", "keras", "coffea", "matplotlib", "mplhep", "sklearn", "pandas", "uproot", "pythia8mc", "fastjet"}
STAGES = ["generate", "process", "train", "explain", "grid", "topk", "judge", "report", "reference", "doctor", "study"]
COMMANDS = [["xaug"], *([f"xaug.{stage}"] for stage in STAGES), ["xaug.generate", "zbb"]]

# Runs `python -m MODULE ARGUMENTS` once with --help and once with an unknown option. The last line has both exit codes
# and the top-level modules that were loaded.
RUN_AND_LIST = """
import runpy, sys
module, *arguments = sys.argv[1:]
codes = []
for option in ("--help", "--no-such-option"):
    sys.argv = [module, *arguments, option]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        codes.append(end.code or 0)
print(*codes, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


class TestImports:
    @pytest.mark.parametrize("statement", ["import xaug", "from xaug import XaugError", "import xaug.core.errors"])
    def test_of_xaug_is_light(self, python, statement):
        done = python("-c", f"{statement}; import sys; print(*sys.modules)")
        assert done.returncode == 0, done.stderr
        assert HEAVY.isdisjoint(done.stdout.split())
        assert "numpy" not in done.stdout.split()

    def test_public_names_need_no_tensorflow(self, python):
        names = [name for name in xaug.__all__ if name != "explain"]
        script = "import sys, xaug\nfor name in sys.argv[1:]: print(name, getattr(xaug, name), 'keras' in sys.modules)"
        done = python("-c", f"{script}\nprint(*sys.modules)", *names)
        assert done.returncode == 0, done.stderr
        *lines, modules = done.stdout.splitlines()
        assert [line.split()[0] for line in lines if line.endswith("False")] == names
        assert {"tensorflow", "keras"}.isdisjoint(modules.split())

    def test_stage_process_needs_no_tensorflow(self, python):
        done = python("-c", "import sys, xaug.process.stage, xaug.generate.zbb; print(*sys.modules)")
        assert {"tensorflow", "keras", "matplotlib", "sklearn"}.isdisjoint(done.stdout.split())

    def test_unknown_name(self):
        with pytest.raises(AttributeError, match="module 'xaug' has no attribute 'datset'"):
            xaug.datset  # noqa: B018

    def test_dir_is_what_can_be_had(self):
        assert {"Dataset", "Scaler", "load_run", "explain"} <= set(dir(xaug))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_light_and_a_wrong_option_is_named(python, command):
    done = python("-c", RUN_AND_LIST, *command)
    assert done.returncode == 0, done.stderr
    *text, last = done.stdout.splitlines()
    helped, wrong, *modules = last.split()
    assert (helped, wrong) == ("0", "2")
    assert "xaug" in modules and HEAVY.isdisjoint(modules)
    assert text[0].startswith("Usage: python -m xaug")
    assert sum(line.startswith("Usage:") for line in text) == 1, "wrong use is told on standard error"
    assert "No such option" in done.stderr and "Traceback" not in done.stderr


def command_of(function):
    """A command with an output, as the stages have one, around a function of no arguments."""

    @click.option("-o", "--output", default="OUT")
    @xaug_command
    def command(output):
        """What it does."""
        return function()

    return command


def run(function, *arguments):
    return CliRunner().invoke(command_of(function), arguments)


def raising(error):
    def function():
        raise error

    return function


class TestXaugCommand:
    RESULT = {"output": "here", "n": 3, "summary": ["first line", "second line"]}  # noqa: RUF012

    def test_text(self):
        result = run(lambda: self.RESULT)
        assert result.exit_code == 0
        assert result.stdout.splitlines()[:2] == ["first line", "second line"]
        assert result.stdout.splitlines()[2].startswith("wrote here (")

    def test_json(self):
        result = run(lambda: self.RESULT, "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == self.RESULT

    @pytest.mark.parametrize(
        ("error", "line"),
        [
            (ConfigurationError("--jets 0: must be at least 1"), "error: --jets 0: must be at least 1\n"),
            (InputFileError("a.root", "is empty"), "error: a.root: is empty\n"),
            (OSError(errno.ENOSPC, "No space left on device"), "error: OUT: the disk is full. Free some space"),
            (PermissionError(errno.EACCES, "Permission denied"), "error: OUT: not writable (Permission denied)"),
        ],
    )
    def test_error(self, error, line):
        plain, as_json = run(raising(error)), run(raising(error), "--json")
        assert plain.exit_code == as_json.exit_code == 1
        assert plain.stdout == ""
        assert plain.stderr.startswith(line) and plain.stderr.count("\n") == 1
        content = json.loads(as_json.stdout)
        assert f"error: {content['message']}\n" == plain.stderr
        assert content["error"] in ("ConfigurationError", "InputFileError", "StorageError")

    def test_interrupted(self):
        result = run(raising(KeyboardInterrupt()))
        assert result.exit_code == 130
        assert "run the same command again" in result.stderr

    def test_ctrl_c_does_afterwards_what_it_did_before(self):
        """Tests, notebooks and scripts call commands in their own process."""
        handlers = [signal.getsignal(signal.SIGINT)]
        run(lambda: handlers.append(signal.getsignal(signal.SIGINT)) or {})
        run(raising(ConfigurationError("no")))
        assert signal.getsignal(signal.SIGINT) is handlers[0] is not handlers[1]

    def test_bugs_are_not_hidden(self):
        assert isinstance(run(raising(ZeroDivisionError("bug"))).exception, ZeroDivisionError)

    @pytest.mark.parametrize(("allowed", "code"), [(True, 0), (False, 3)])
    @pytest.mark.parametrize("arguments", [[], ["--json"]])
    def test_skips(self, allowed, code, arguments):
        content = {"output": "here", "skips": [{"file": "a"}], "skips_not_allowed": not allowed}
        assert run(lambda: content, *arguments).exit_code == code

    @pytest.mark.parametrize("below", [True, False])
    def test_options_stand_in_the_order_of_the_source(self, below):
        """Whether the decorators stand above `xaug_command` or below it; options of all commands come last."""

        def function(**options):
            return {"found": list(options)}

        decorators = [
            click.argument("first"),
            click.argument("second"),
            *map(click.option, ("-o", "--alpha", "--beta")),
        ]
        command = function if below else xaug_command(function)
        for decorator in reversed(decorators):
            command = decorator(command)
        command = xaug_command(command) if below else command
        text = CliRunner().invoke(command, ["--help"]).output
        assert "FIRST SECOND" in text
        listed = [line.split()[0].rstrip(",") for line in text.partition("Options:")[2].splitlines() if line.strip()]
        assert listed == ["-o", "--alpha", "--beta", "--json", "-q", "-v", "--version", "-h"]
        done = CliRunner().invoke(command, ["1", "2", "--json"])
        assert sorted(json.loads(done.output)["found"]) == ["alpha", "beta", "first", "o", "second"]

    def test_version(self):
        result = run(lambda: {}, "--version")
        assert result.exit_code == 0 and xaug.__version__ in result.stdout

    def test_short_help(self):
        result = run(lambda: {}, "-h")
        assert result.exit_code == 0 and "What it does." in result.stdout


@pytest.mark.parametrize(
    ("text", "expected"), [("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("", []), (",", []), ("a b", ["a b"])]
)
def test_option_list(text, expected):
    assert option_list(text) == expected


def test_numbers_by_name():
    assert numbers_by_name(" wjets=200, tt1l = 30 ,", "--events-of") == {"wjets": 200, "tt1l": 30}
    assert numbers_by_name("", "--events-of") == {}


@pytest.mark.parametrize("text", ["wjets", "wjets=", "=3", "wjets=0", "wjets=-2", "wjets=1.5", "wjets=1=2", "a=1,a=2"])
def test_numbers_by_name_refuses(text):
    with pytest.raises(ConfigurationError, match="--events-of"):
        numbers_by_name(text, "--events-of")


class TestWhatIsSaid:
    def finishing(self, directory):
        """A function that does its work in a directory the first time."""

        def function():
            if provenance.begin(directory, "train", {"seed": 1}) is None:
                provenance.write(directory, "train", {"seed": 1})
            note("a line of progress")
            return {"output": str(directory), "summary": ["AUC 0.9"]}

        return function

    def test_a_finished_command_has_nothing_to_do(self, tmp_path):
        lines = [run(self.finishing(tmp_path / "run")).stdout.splitlines() for _ in range(2)]
        assert lines[0][0] == lines[1][0] == "AUC 0.9"
        assert lines[0][1].startswith(f"wrote {tmp_path / 'run'} (")
        assert lines[1][1] == f"nothing to do: {tmp_path / 'run'} is finished"

    def test_quiet_shows_errors_only(self, tmp_path):
        done, failed = run(self.finishing(tmp_path / "run"), "-q"), run(raising(ConfigurationError("no")), "-q")
        assert (done.stdout, done.stderr) == ("", "")
        assert (failed.stdout, failed.stderr, failed.exit_code) == ("", "error: no\n", 1)
        assert "a line of progress" in run(self.finishing(tmp_path / "run")).stderr

    def test_verbose_shows_where_an_error_arose(self):
        result = run(raising(ConfigurationError("no")), "-v")
        assert "raise error" in result.stderr and result.stderr.endswith("error: no\n")

    def test_quiet_and_verbose_exclude_each_other(self):
        assert run(dict, "-q", "-v").exit_code == 2

    @pytest.mark.parametrize(
        ("wrong", "meant"), [("presetA", "preset_a"), ("PRESET_A", "preset_a"), ("epsilom", "epsilon")]
    )
    def test_a_wrong_name_is_wrong_usage_with_the_right_suggestion(self, wrong, meant):
        @click.option("--rule", type=OneOf("rule", ["preset_a", "preset_b", "epsilon"]))
        @xaug_command
        def command(rule):
            return {}

        result = CliRunner().invoke(command, ["--rule", wrong])
        assert result.exit_code == 2
        assert f"unknown rule '{wrong}'; did you mean '{meant}'?" in result.stderr


ASCII = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
LATIN = """
import sys
from xaug.__main__ import main
main(sys.argv[1:], prog_name="xaug")
"""


@pytest.mark.parametrize("command", ["", "explain", "study vlq", "process"])
def test_help_in_a_narrow_terminal_without_unicode(python, command):
    """No letter fails, and no line is wider than the terminal, but for names that cannot be broken."""
    done = python("-c", LATIN, *command.split(), "-h", env={**os.environ, "COLUMNS": "40", **ASCII})
    assert done.returncode == 0, done.stderr
    long = [line for line in done.stdout.splitlines() if len(line) > 40]
    assert [line for line in long if len(max(line.split(), key=len)) < 12] == []


@pytest.mark.parametrize("width", range(30, 60, 3))
def test_no_option_is_broken_at_its_hyphens(width):
    """Examples of a help text can be copied."""
    words = "python -m xaug.process --least-effective 5 --output-kind mass:value --target Hbb-QCD - a b"

    @click.option("--of", help=words)
    @xaug_command
    def command(of):
        return {}

    command.help = words
    shown = command.get_help(command.make_context("c", [], terminal_width=width, resilient_parsing=True))
    assert shown.replace("\n", " ").split().count("--output-kind") == 2
    assert set(words.split()) <= set(shown.split()) and "\ue000" not in shown


def test_a_group_is_printed_without_unicode(python):
    script = "import click\nfrom xaug.core.command import SafeGroup\n"
    script += "SafeGroup('g', help='p\\u03b2').main(['--help'])"
    done = python("-c", script, env={**os.environ, **ASCII})
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("integrated_gradients", "ig"), ("IntegratedGradients", "ig"), ("expected-gradient", "expected"), ("LRP", "lrp"),
     ("deeplift", "rescale"), ("Shapley", "shapley")],
)  # fmt: skip
def test_a_label_suggests_its_name(wrong, meant):
    known = {"lrp": "LRP", "ig": "Integrated Gradients", "expected": "expected gradients",
             "rescale": "rescale rule (DeepLIFT)", "shapley": "Shapley values"}  # fmt: skip
    message = str(unknown_name("method", wrong, known))
    assert message == f"unknown method {wrong!r}; did you mean {meant!r}? Known: lrp, ig, expected, rescale, shapley"


@pytest.mark.parametrize(("name", "guess"), [("tau2_b1", "; did you mean 'tau2_b10'?"), ("zzz", ".")])
def test_unknown_name_suggests(name, guess):
    message = str(unknown_name("variable", name, ["pt", "tau2_b10"]))
    assert message == f"unknown variable {name!r}{guess} Known: pt, tau2_b10"
