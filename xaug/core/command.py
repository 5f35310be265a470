"""What all commands share: `--json`, one-line errors, exit codes, progress bars.

Exit codes: 0 all done; 1 an error of the input or the configuration; 2 wrong usage; 3 done, but some
input was skipped (and listed); 130 interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
from tqdm import tqdm

from xaug._version import __version__
from xaug.core.errors import XaugError
from xaug.core.files import storage_errors

__all__ = ["bar", "option_list", "xaug_command"]

SKIPPED = 3
INTERRUPTED = "interrupted; finished parts are kept, run the same command again to go on"


def bar(total: float | None, description: str, unit: str, **options) -> tqdm:
    """A progress bar on standard error: live on a terminal, a line a minute in a log file."""
    live = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=description,
        unit=f" {unit}",
        dynamic_ncols=live,
        mininterval=0.1 if live else 60.0,
        maxinterval=10.0 if live else 120.0,
        file=sys.stderr,
        **options,
    )


def option_list(text: str) -> list[str]:
    """`a,b,c` as a list of names."""
    return [part.strip() for part in text.split(",") if part.strip()]


def interrupted(*_) -> None:
    """Leave at once on Ctrl-C: all that is finished is on disk, and executors would first work off their queue."""
    sys.stderr.write(f"\n{INTERRUPTED}\n")
    sys.stderr.flush()
    for child in multiprocessing.active_children():
        with contextlib.suppress(OSError):
            os.kill(child.pid, signal.SIGKILL)  # loky's processes have no kill() of their own
    os._exit(130)


def quiet_tensorflow() -> None:
    """No lines on processors, graphics cards and retracing among ours, unless the user has set a level."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def xaug_command(function: Callable[..., dict]) -> click.Command:
    """Make a click command of a function that returns its result as a dict.

    The result's `output` is printed (where the command wrote), with `summary` lines; `--json` prints
    the dict itself on standard output. A result with `skips` that were not allowed exits with 3.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
    @functools.wraps(function)
    def run(as_json: bool, **options):
        start = time.monotonic()
        quiet_tensorflow()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupted)
        try:
            with storage_errors(Path(options.get("output") or ".")):
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

    return click.version_option(__version__, prog_name="xaug")(
        click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})(run)
    )
