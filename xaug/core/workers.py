"""Run work in other processes: one mechanism for generation, training and iNNvestigate.

A worker is a Python process of its own, started as a subprocess. It is never a fork, which TensorFlow does not
survive, so it works alike from notebooks, from scripts without a main guard and from commands. A message is one line
of JSON, followed by the raw bytes of the arrays that the line announces: nothing is pickled. A worker ends when its
parent ends, and its failures come back as errors of the parent.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import queue
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from xaug.core import errors
from xaug.core.errors import WorkerError, XaugError
from xaug.core.types import Array, Arrays, Json, JsonObject

__all__ = ["Report", "Worker", "cores", "run_tasks", "safe_imports"]


START = "import sys; sys.path[0] or sys.path.pop(0); import xaug.core.workers as here; here.main(*sys.argv[1:])"
"""The program of a worker; Python puts the current directory, whose modules it must not take, first on the path."""


class Report(Protocol):
    """A function by which a task reports its progress to the parent process."""

    def __call__(self, **progress: Json) -> None:
        """Send one report, a JSON object of these names and values."""


def cores() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def import_environment() -> dict[str, str]:
    """Environment variables with which a child process imports this xaug, and nothing from the current directory."""
    root = str(Path(__file__).parents[2])
    before = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    installed = root in (*site.getsitepackages(), sysconfig.get_path("purelib"))
    places = before if installed or root in before else [*before, root]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(places)}


@contextlib.contextmanager
def safe_imports() -> Iterator[None]:
    """While it lasts, pools of processes start workers that import nothing from the current directory."""
    here, root = os.getcwd(), str(Path(__file__).parents[2])
    path, environment = list(sys.path), import_environment()
    before = {name: os.environ.get(name) for name in environment}
    sys.path[:] = [place for place in path if place and (os.path.abspath(place) != here or place == root)]
    os.environ.update(environment)
    try:
        yield
    finally:
        sys.path[:] = path
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _bytes_of(array: Array) -> memoryview:
    """The memory of a contiguous array, byte by byte."""
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def _send(stream: IO[bytes], message: JsonObject, arrays: Mapping[str, Array] | None = None) -> None:
    """Write one message and its arrays."""
    contiguous = {name: np.asarray(array, order="C") for name, array in (arrays or {}).items()}
    heads = {name: [array.dtype.str, list(array.shape)] for name, array in contiguous.items()}
    stream.write(json.dumps({"message": message, "arrays": heads}).encode() + b"\n")
    for array in contiguous.values():
        stream.write(_bytes_of(array))
    stream.flush()


def _receive(stream: io.BufferedIOBase) -> tuple[JsonObject, Arrays]:
    """Read one message and its arrays; EOFError if the other side has gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = json.loads(line)
    arrays = {}
    for name, (dtype, shape) in head["arrays"].items():
        array = np.empty(shape, dtype)
        view = _bytes_of(array)
        read = 0
        while read < len(view):
            count = stream.readinto(view[read:])
            if not count:
                raise EOFError
            read += count
        arrays[name] = array
    return head["message"], arrays


def _ignore(report: JsonObject) -> None:
    """Take a report and do nothing with it."""


class Worker:
    """A child process that runs `function(task, arrays, report)` for every task that it is sent.

    Parameters
    ----------
    function : str
        dotted name, "module:function". The function returns `(result, arrays)`: a JSON object and a dict of NumPy
        arrays. Meanwhile it may call `report(**progress)`, see `Report`.
    environment : dict, optional
        environment variables of the child, beside those of the parent
    python : str, optional
        the Python that runs the child, where it is another one; xaug is installed there, unless this one is a checkout
    """

    def __init__(self, function: str, environment: Mapping[str, str] | None = None, python: str | None = None) -> None:
        self.function = function
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        self.process = subprocess.Popen(
            [python or sys.executable, "-c", START, function, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **import_environment(), "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        )
        requests, replies = self.process.stdin, self.process.stdout
        assert isinstance(requests, io.BufferedWriter) and isinstance(replies, io.BufferedReader)  # both are pipes
        self._requests, self._replies = requests, replies

    def call(
        self,
        task: JsonObject,
        arrays: Mapping[str, Array] | None = None,
        on_report: Callable[[JsonObject], None] = _ignore,
    ) -> tuple[JsonObject, Arrays]:
        """Run one task in the worker and wait for its result.

        Parameters
        ----------
        task : dict
            a JSON object
        arrays : dict of arrays, optional
            the arrays that go with the task
        on_report : callable
            called with each report that the task sends

        Returns
        -------
        (dict, dict of arrays)
            what the function returned in the child

        Raises
        ------
        XaugError
            the error that the task raised, if it is one of ours
        WorkerError
            if the task raised another error, or the worker died
        """
        try:
            _send(self._requests, task, arrays)
            while True:
                message, found = _receive(self._replies)
                if "report" in message:
                    on_report(message["report"])
                elif "error" in message:
                    raise _rebuild(message["error"])
                else:
                    return message["result"], found
        except (EOFError, BrokenPipeError) as error:
            code = self.process.wait()
            raise WorkerError(
                f"the worker of {self.function} died (exit code {code}). Its last words:\n{self.last_words()}"
            ) from error

    def last_words(self, characters: int = 2000) -> str:
        """The end of what the worker wrote to its standard error."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - characters))
        return self.log.read().decode(errors="replace").strip()

    def close(self) -> None:
        """End the worker."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self._requests, self._replies, self.log):
            with contextlib.suppress(OSError):
                stream.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _rebuild(error: JsonObject) -> XaugError:
    """The error that a worker sent: of its own class if it is one of ours, else a WorkerError with its traceback."""
    kind = vars(errors).get(error["type"])
    if not (isinstance(kind, type) and issubclass(kind, XaugError)):
        return WorkerError(f"{error['type']}: {error['text']}\n{error['trace']}")
    rebuilt = kind.__new__(kind)
    Exception.__init__(rebuilt, error["text"])
    rebuilt.__dict__.update(error["attributes"])
    return rebuilt


def run_tasks(
    function: str,
    tasks: Iterable[JsonObject],
    workers: int,
    on_report: Callable[[JsonObject], None] = _ignore,
    environment: Mapping[str, str] | None = None,
) -> Iterator[JsonObject]:
    """Run each task in a process of its own, `workers` at a time; yield the results as they come.

    A process serves one task only. No state (of Pythia, of TensorFlow) can pass from one task to the next, so a result
    does not depend on the number of workers.

    Parameters
    ----------
    function, environment
        see `Worker`
    tasks : iterable of dict
        one JSON object for each task
    workers : int
        number of processes at a time
    on_report : callable
        called in this thread with each report of any task
    """
    waiting: queue.SimpleQueue[JsonObject] = queue.SimpleQueue()
    count = 0
    for task in tasks:
        waiting.put(task)
        count += 1
    done: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    running: set[Worker] = set()
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            worker = Worker(function, environment)
            running.add(worker)
            try:
                result, _ = worker.call(task, on_report=lambda report: done.put(_Message(report=report)))
                done.put(_Message(result=result))
            except Exception as error:
                done.put(_Message(error=error))
            finally:
                running.discard(worker)
                worker.close()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(max(1, min(workers, count)))]
    for thread in threads:
        thread.start()
    try:
        results = 0
        while results < count:
            message = done.get()
            if message.report is not None:
                on_report(message.report)
            if message.error is not None:
                raise message.error
            if message.result is not None:
                results += 1
                yield message.result
    finally:
        stopped.set()
        for worker in list(running):
            worker.close()


@dataclass(frozen=True)
class _Message:
    """One message of a thread that serves tasks; exactly one field is set."""

    report: JsonObject | None = None
    result: JsonObject | None = None
    error: Exception | None = None


def end_with(parent: int) -> None:
    """End this process when its parent is gone: a killed command must not leave workers behind.

    Ctrl-C in a terminal reaches all processes of a command; this process ignores it and leaves it to the parent.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(function: str, parent: str) -> None:
    """Serve tasks from standard input until it closes; this is the side of the child process."""
    end_with(int(parent))
    # What libraries print must not mix with messages: keep the real standard output, point descriptor 1 at stderr.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    module, _, name = function.partition(":")

    def report(**progress: Json) -> None:
        _send(replies, {"report": progress})

    while True:
        try:
            task, arrays = _receive(requests)
        except EOFError:
            return
        try:
            work = getattr(importlib.import_module(module), name)
            result, found = work(task, arrays, report)
            _send(replies, {"result": result}, found)
        except Exception as error:
            attributes = {key: value for key, value in vars(error).items() if isinstance(value, str)}
            content = {"type": type(error).__name__, "text": str(error), "trace": traceback.format_exc()}
            _send(replies, {"error": {**content, "attributes": attributes}})
