"""The frame of all commands: `--json`, `-q`, `-v`, types of options, errors of one line, and exit codes.

Exit codes: 0 if all is done; 1 for an error in the input or the configuration; 2 for wrong usage; 3 if all is done
but some input was skipped (and listed); 130 if the command was interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import json
import logging
import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from xaug._version import __version__
from xaug.core.errors import ConfigurationError, XaugError, unknown_name
from xaug.core.extras import missing_package
from xaug.core.files import storage_errors
from xaug.core.lazy import load_when_used
from xaug.core.progress import Activity, following
from xaug.core.types import JsonObject

__all__ = ["TRUST", "ManyOf", "OneOf", "SafeGroup", "numbers_by_name", "option_list", "xaug_command"]

load_when_used("numpy", "h5py")  # every command imports this module before those that need the two

GLUE = "\ue000"
"""Stands for a hyphen while the lines of a help text are broken."""
SKIPPED = 3
"""Exit code of a command that skipped some input without being allowed to."""
INTERRUPTED = "interrupted; finished parts are kept, run the same command again to go on"


TRUST = (
    click.option("--unsafe", is_flag=True, help="Let model files run code that they hold; only for files you trust."),
    click.option(
        "--code", metavar="FILE|MODULE", multiple=True,
        help="Python file, or name of a module, that defines the layers and functions of your own which a model "
        "file names; it is run.",
    ),
)  # fmt: skip
"""Options of commands that open model files: what these may run."""


class OneOf(click.Choice[str]):
    """A type of option: one of some names; a wrong one gets the nearest of them as a suggestion, and exit code 2.

    Parameters
    ----------
    kind : str
        what the names are names of, as the message calls it
    choices : collection of str
        the names, which shells complete; a mapping may get more of them later
    """

    def __init__(self, kind: str, choices: Collection[str]) -> None:
        super().__init__(list(choices))
        self.kind, self.known = kind, choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is; wrong usage for any other."""
        if value not in self.known:
            self.fail(str(unknown_name(self.kind, str(value), self.known)), param, ctx)
        return str(value)


class ManyOf(click.types.StringParamType):
    """A type of option: names separated by commas; a wrong one gets the nearest as a suggestion, and exit code 2.

    Parameters
    ----------
    kind : str
        what the names are names of, as the message calls it
    known : callable
        returns all names; it is called when the option is given, since some registries take a while to load
    """

    name = "names"

    def __init__(self, kind: str, known: Callable[[], Collection[str]]) -> None:
        self.kind, self.known = kind, known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The names as they are, in one text; wrong usage if one is unknown."""
        names = option_list(str(value))
        known = self.known() if names else ()
        for name in names:
            if name not in known:
                self.fail(str(unknown_name(self.kind, name, known)), param, ctx)
        return str(value)


def option_list(text: str) -> list[str]:
    """The parts of `a,b,c` as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers_by_name(text: str, flag: str) -> dict[str, int]:
    """Read `a=1,b=2`, the value of an option `flag`, as a dict.

    Raises
    ------
    ConfigurationError
        if a part is not NAME=NUMBER with a whole number above 0, or names a name twice
    """
    found: dict[str, int] = {}
    for part in option_list(text):
        name, _, number = (word.strip() for word in part.partition("="))
        if not name or not number.isdecimal() or not int(number):
            raise ConfigurationError(
                f"{flag} {part!r}: must be NAME=NUMBER with a whole number above 0, as wjets=20000"
            )
        if name in found:
            raise ConfigurationError(f"{flag} {text}: names {name} twice")
        found[name] = int(number)
    return found


def _interrupted(signum: int, frame: FrameType | None) -> NoReturn:
    """Leave at once on Ctrl-C: finished work is on disk, and executors would first work off their queues."""
    sys.stderr.write(f"\n{INTERRUPTED}\n")
    sys.stderr.flush()
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with contextlib.suppress(OSError):
                os.kill(child.pid, signal.SIGKILL)  # loky's processes have no kill() of their own
    os._exit(130)


@contextlib.contextmanager
def _leaving_on_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the process at once while the block runs; afterwards it does what it did before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _quiet_tensorflow() -> None:
    """Keep TensorFlow's own messages out of ours, unless the user has set a level."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def writable_text() -> None:
    """Let what is printed replace letters that the terminal's encoding lacks, where it would fail otherwise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _glued(text: str) -> str:
    """The text with a letter of its own for each hyphen within a word, behind which no line is broken."""
    return re.sub(r"(?<=\S)-(?=\S)", GLUE, text)


class AnyWidth(click.HelpFormatter):
    """Help texts whose descriptions keep most of a narrow terminal, and whose options are not broken at hyphens."""

    def write(self, string: str) -> None:
        """Write what is laid out."""
        super().write(string.replace(GLUE, "-"))

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(_glued(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and their descriptions; a long name stands on a line of its own."""
        rows = [(name, _glued(text)) for name, text in rows]
        super().write_dl(rows, min(col_max, max(self.width // 3, 8)) if self.width < 60 else col_max, col_spacing)


class AnyWidthContext(click.Context):
    """A context with such help texts."""

    formatter_class = AnyWidth


class AnyTerminal(click.Command):
    """A command whose help can be printed in any locale, and in a terminal of any width."""

    context_class = AnyWidthContext

    def main(self, *arguments: Any, **extra: Any) -> Any:
        """Run the command."""
        writable_text()
        return super().main(*arguments, **extra)

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """The context of a call; click's own help is never narrower than 50 columns."""
        columns = shutil.get_terminal_size().columns
        if columns < 52:
            extra.setdefault("terminal_width", max(columns, 20))
        return super().make_context(*arguments, **extra)


class SafeGroup(AnyTerminal, click.Group):
    """A group of such commands; an unknown one gets the nearest name as a suggestion."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            ctx.fail(str(unknown_name("command", args[0], known)))
        return super().resolve_command(ctx, args)


class OrderedCommand(AnyTerminal):
    """A command that lists its options in the order in which its source does, and those of all commands last.

    Decorators of click run from the lowest to the highest, so the options that they add to a command arrive in reverse.
    """

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.shared = list(self.params)
        """The options that all commands have."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """All options and arguments, as help and parser read them."""
        own = [parameter for parameter in reversed(self.params) if parameter not in self.shared]
        help_option = self.get_help_option(ctx)
        return [*own, *self.shared, *([] if help_option is None else [help_option])]


def _log_everything() -> None:
    """Show the log of xaug on standard error."""
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S", force=True)
    logging.getLogger("xaug").setLevel(logging.DEBUG)


def _fail(error: XaugError | ModuleNotFoundError, as_json: bool, verbose: bool) -> NoReturn:
    """Say in a line what is wrong, and end with exit code 1; raise what is an error of the program."""
    text = missing_package(error) if isinstance(error, ModuleNotFoundError) else str(error)
    if text is None:
        raise error
    if as_json:
        click.echo(json.dumps({"error": type(error).__name__, "message": text}))
    if verbose:
        traceback.print_exception(error)
    click.echo(f"error: {text}", err=True)
    sys.exit(1)


def _last_line(result: JsonObject, done: Activity, seconds: float) -> list[str]:
    """The line that says where the command wrote, or that all was there already."""
    if "output" not in result:
        return []
    if done.had_nothing_to_do:
        return [f"nothing to do: {result['output']} is finished"]
    return [f"wrote {result['output']} ({seconds:.0f} s)"]


def xaug_command(function: Callable[..., JsonObject]) -> click.Command:
    """Make a click command of a function that returns its result as a dict.

    The command prints the lines in the result's `summary`, and its `output`, the place where it wrote, or that there
    was nothing to do. `--json` prints the dict itself on standard output, `-q` nothing. A result with
    `skips_not_allowed` ends with exit code 3.
    """

    @functools.wraps(function)
    def run(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> NoReturn:
        if quiet and verbose:
            raise click.UsageError("-q and -v exclude each other")
        start = time.monotonic()
        _quiet_tensorflow()
        if verbose:
            _log_everything()
        try:
            with _leaving_on_interrupt(), following(quiet) as done, storage_errors(Path(options.get("output") or ".")):
                result = function(**options)
        except (XaugError, ModuleNotFoundError) as error:
            _fail(error, as_json, verbose)
        except KeyboardInterrupt:
            click.echo(INTERRUPTED, err=True)
            sys.exit(130)
        if as_json:
            click.echo(json.dumps(result, default=str))
        elif not quiet:
            for line in [*result.get("summary", []), *_last_line(result, done, time.monotonic() - start)]:
                click.echo(line)
        sys.exit(SKIPPED if result.get("skips_not_allowed") else 0)

    shared = [
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON on standard output."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show errors only."),
        click.Option(
            ["-v", "--verbose"], is_flag=True, help="Show what is read and written, and where an error arose."
        ),
    ]
    command = OrderedCommand(
        function.__name__,
        params=shared,
        callback=run,
        help=inspect.getdoc(function),
        context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    )
    for parameter in vars(function).get("__click_params__", []):  # of decorators below this one
        command.params.append(parameter)
    version = click.version_option(__version__, prog_name="xaug")(command)
    version.shared.append(version.params[-1])
    return version
