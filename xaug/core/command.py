"""The frame of all commands: `--json`, errors of one line, exit codes and progress bars.

Exit codes: 0 if all is done; 1 for an error in the input or the configuration; 2 for wrong usage; 3 if all is done
but some input was skipped (and listed); 130 if the command was interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar, overload

import click
from tqdm import tqdm

from xaug._version import __version__
from xaug.core.errors import ConfigurationError, XaugError
from xaug.core.files import storage_errors
from xaug.core.types import JsonObject

__all__ = ["bar", "numbers_by_name", "option_list", "xaug_command"]

SKIPPED = 3
"""Exit code of a command that skipped some input without being allowed to."""
INTERRUPTED = "interrupted; finished parts are kept, run the same command again to go on"

Item = TypeVar("Item")


@overload
def bar(
    total: float | None, description: str, unit: str, *, initial: float = 0, leave: bool = True
) -> tqdm[NoReturn]: ...


@overload
def bar(
    total: float | None, description: str, unit: str, *, iterable: Iterable[Item], leave: bool = True
) -> tqdm[Item]: ...


def bar(
    total: float | None,
    description: str,
    unit: str,
    *,
    iterable: Iterable[Item] | None = None,
    initial: float = 0,
    leave: bool = True,
) -> tqdm[Item] | tqdm[NoReturn]:
    """A progress bar on standard error: it moves on a terminal, and writes one line a minute into a log file.

    Parameters
    ----------
    total : float or None
        number of units at the end; None if it is unknown or that of `iterable`
    description, unit : str
        what is done, and what is counted
    iterable : iterable, optional
        items to iterate over, one unit each; without it, call `update`
    initial : float
        units that are done already
    leave : bool
        whether the finished bar stays on the screen
    """
    live = sys.stderr.isatty()
    return tqdm(
        iterable,
        total=total,
        desc=description,
        unit=f" {unit}",
        initial=initial,
        leave=leave,
        dynamic_ncols=live,
        mininterval=0.1 if live else 60.0,
        maxinterval=10.0 if live else 120.0,
        file=sys.stderr,
    )


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


class OrderedCommand(click.Command):
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


def xaug_command(function: Callable[..., JsonObject]) -> click.Command:
    """Make a click command of a function that returns its result as a dict.

    The command prints the lines in the result's `summary`, and its `output`, the place where it wrote. `--json` prints
    the dict itself on standard output. A result with `skips_not_allowed` ends with exit code 3.
    """

    @functools.wraps(function)
    def run(as_json: bool, **options: Any) -> NoReturn:
        start = time.monotonic()
        _quiet_tensorflow()
        try:
            with _leaving_on_interrupt(), storage_errors(Path(options.get("output") or ".")):
                result = function(**options)
        except XaugError as error:
            if as_json:
                click.echo(json.dumps({"error": type(error).__name__, "message": str(error)}))
            click.echo(f"error: {error}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo(INTERRUPTED, err=True)
            sys.exit(130)
        if as_json:
            click.echo(json.dumps(result, default=str))
        else:
            for line in result.get("summary", []):
                click.echo(line)
            if "output" in result:
                click.echo(f"wrote {result['output']} ({time.monotonic() - start:.0f} s)")
        sys.exit(SKIPPED if result.get("skips_not_allowed") else 0)

    shared = click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON on standard output.")
    command = OrderedCommand(
        function.__name__,
        params=[shared],
        callback=run,
        help=inspect.getdoc(function),
        context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    )
    for parameter in vars(function).get("__click_params__", []):  # of decorators below this one
        command.params.append(parameter)
    version = click.version_option(__version__, prog_name="xaug")(command)
    version.shared.append(version.params[-1])
    return version
