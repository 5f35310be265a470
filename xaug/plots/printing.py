"""Write figures to files: in this process, or in processes beside it while this one draws the next figure."""

from __future__ import annotations

import functools
import pickle
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from xaug.core.files import atomic_path
from xaug.core.types import Arrays, JsonObject
from xaug.core.workers import Report, Worker, cores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "print_figure", "printed_beside"]

FORMATS: dict[str, dict[str, str | None]] = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}
"""Formats of a figure by the suffix of the file, with what is left out of them: the same figure is the same file."""
FORMULAS = 4096
"""Typeset formulas that are kept: more than the labels of one study, at three sizes."""
PROCESSES_AT_MOST, FIGURES_FOR_ONE = 4, 5
"""Processes beside this one, and figures that make up for the start of one."""


def print_figure(fig: Figure, stem: str | Path) -> list[Path]:
    """Write a figure as PNG and PDF; within `printed_beside` another process does it, some time before the block ends.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        A figure, within the style in which it was made.
    stem : str or Path
        The files without their suffix.

    Returns
    -------
    list of Path
        The files.
    """
    beside = _BESIDE.get()
    if not (beside and beside.takes(fig, stem)):
        _print_here(fig, stem)
    return [Path(f"{stem}{suffix}") for suffix in FORMATS]


@contextmanager
def printed_beside(figures: int) -> Iterator[None]:
    """Write the figures that are saved within the block in other processes, if these are many enough to be worth it.

    Parameters
    ----------
    figures : int
        Number of figures that will be saved.

    Yields
    ------
    None
        Nothing. All files are written when the block ends.

    Raises
    ------
    XaugError
        If a file could not be written, or a process died.
    """
    processes = min(cores(), PROCESSES_AT_MOST, figures // FIGURES_FOR_ONE)
    if processes < 2:
        yield
        return
    beside = _Beside(processes)
    token = _BESIDE.set(beside)
    try:
        yield
        beside.finish()
    finally:
        _BESIDE.reset(token)
        beside.stop()


class _Beside:
    """Processes that write figures.

    Parameters
    ----------
    processes : int
        number of processes
    """

    def __init__(self, processes: int) -> None:
        self._waiting: queue.Queue[tuple[str, bytes] | None] = queue.Queue(maxsize=processes)
        self._errors: list[Exception] = []
        self._workers = [Worker(f"{__name__}:print_sent") for _ in range(processes)]
        self._threads = [threading.Thread(target=self._serve, args=(one,), daemon=True) for one in self._workers]
        for thread in self._threads:
            thread.start()

    def takes(self, fig: Figure, stem: str | Path) -> bool:
        """Give a figure to the next process that is free; False if it has parts that cannot be sent."""
        known = matplotlib.rcParams.copy()  # of the original, to read "backend" would choose and load one
        settings = {name: known[name] for name in known if not name.startswith("backend")}
        try:
            content = pickle.dumps((fig, settings))
        except (pickle.PicklingError, AttributeError, TypeError):  # a function without a name, as of a formatter
            return False
        self._raise()
        self._waiting.put((str(Path(stem).absolute()), content))
        return True

    def finish(self) -> None:
        """Wait until all figures are written."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._raise()

    def stop(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()
        for thread in self._threads:
            if thread.is_alive():  # the block has failed: let it throw away what waits
                with suppress(queue.Full):
                    self._waiting.put_nowait(None)

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]

    def _serve(self, worker: Worker) -> None:
        """Send figures to one process until there are no more; after a failure take them without doing anything."""
        while (task := self._waiting.get()) is not None:
            if self._errors:
                continue
            stem, content = task
            try:
                worker.call({"stem": stem}, {"figure": np.frombuffer(content, np.uint8)})
            except Exception as error:
                self._errors.append(error)


_BESIDE: ContextVar[_Beside | None] = ContextVar("beside", default=None)


def print_sent(task: JsonObject, arrays: Arrays, report: Report) -> tuple[JsonObject, Arrays]:
    """Write a figure that another process of this command sent; the side of the worker.

    Parameters
    ----------
    task : dict
        `stem`, the files without their suffix
    arrays : dict of arrays
        `figure`, the bytes of the pickled figure and of the settings of matplotlib
    report : callable
        not used

    Returns
    -------
    (dict, dict)
        nothing
    """
    # by the pipe of the process that started this one, never from a file
    fig, settings = pickle.loads(arrays["figure"].tobytes())
    with matplotlib.rc_context(settings):
        _print_here(fig, task["stem"])
    return {}, {}


def _print_here(fig: Figure, stem: str | Path) -> None:
    _keep_formulas()
    engine = fig.get_layout_engine()
    if engine is not None:
        engine.execute(fig)  # once for both files: it takes as long as to draw
        # no placeholder of an engine, as "none" leaves one: for that matplotlib draws every file twice
        with matplotlib.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
            fig.set_layout_engine(None)
    for suffix, metadata in FORMATS.items():
        with atomic_path(Path(f"{stem}{suffix}")) as temporary:
            fig.savefig(temporary, metadata=metadata)


@functools.cache
def _keep_formulas() -> None:
    """Let all figures share their typeset formulas; what is drawn is the same.

    Matplotlib keeps them for each renderer, which is for each file, so that the label of an axis is typeset again in
    every figure, which takes longer than to draw it.
    """
    from matplotlib.mathtext import MathTextParser

    plain = getattr(getattr(MathTextParser, "_parse_cached", None), "__wrapped__", None)
    if plain is None:  # a version that does it in another way
        return

    @functools.lru_cache(FORMULAS)
    def typeset(output: str, *key: Any) -> Any:
        return plain(parsers[output], *key)

    def of_any(parser: Any, *key: Any) -> Any:
        output = parser._output_type
        parsers.setdefault(output, parser)
        return typeset(output, *key)

    parsers: dict[str, Any] = {}
    of_any.cache_info = typeset.cache_info  # type: ignore[attr-defined]
    setattr(MathTextParser, "_parse_cached", of_any)  # noqa: B010 (private)
