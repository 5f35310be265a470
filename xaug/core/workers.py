"""Work in processes of its own: one mechanism for generation, training and iNNvestigate.

A worker is `python -m xaug.core.workers`, started as a subprocess (never a fork: TensorFlow does not
survive one), so it works alike from notebooks, from scripts without a main guard and from commands.
Messages are one JSON line, followed by the raw bytes of the arrays that the line announces: nothing
is pickled. A worker ends when its parent ends, and its failures come back as the parent's errors.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import numpy as np

from xaug.core import errors
from xaug.core.errors import WorkerError, XaugError

__all__ = ["Worker", "cores", "run_tasks"]


def cores() -> int:
    """Number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def send(stream: BinaryIO, message: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
    """Write one message and its arrays."""
    arrays = {name: np.asarray(array, order="C") for name, array in (arrays or {}).items()}
    heads = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    stream.write(json.dumps({"message": message, "arrays": heads}).encode() + b"\n")
    for array in arrays.values():
        if array.size:
            stream.write(memoryview(array.reshape(-1)).cast("B"))
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict, dict[str, np.ndarray]]:
    """Read one message and its arrays; EOFError where the other side has gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = json.loads(line)
    arrays = {}
    for name, (dtype, shape) in head["arrays"].items():
        array = np.empty(shape, dtype)
        view = memoryview(array.reshape(-1)).cast("B") if array.size else memoryview(b"")
        read = 0
        while read < len(view):
            count = stream.readinto(view[read:])
            if not count:
                raise EOFError
            read += count
        arrays[name] = array
    return head["message"], arrays


class Worker:
    """A child process that runs `function(task, arrays, report)` for every task it is sent.

    Parameters
    ----------
    function
        dotted name, "module:function". The function returns `(result, arrays)`: a JSON-able dict and a
        dict of numpy arrays. It may call `report(**progress)` meanwhile.
    environment
        environment variables of the child, beside the parent's
    """

    def __init__(self, function: str, environment: dict[str, str] | None = None):
        self.function = function
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "xaug.core.workers", function, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        )

    def call(
        self,
        task: dict,
        arrays: dict[str, np.ndarray] | None = None,
        on_report: Callable[[dict], None] = lambda report: None,
    ) -> tuple[dict, dict[str, np.ndarray]]:
        """Run one task in the worker and wait for its result; raises what the task raised."""
        try:
            send(self.process.stdin, task, arrays)
            while True:
                message, found = receive(self.process.stdout)
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
        for stream in (self.process.stdin, self.process.stdout, self.log):
            with contextlib.suppress(OSError):
                stream.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def _rebuild(error: dict) -> XaugError:
    kind = getattr(errors, error["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, XaugError)):
        return WorkerError(f"{error['type']}: {error['text']}\n{error['trace']}")
    rebuilt = kind.__new__(kind)
    Exception.__init__(rebuilt, error["text"])
    rebuilt.__dict__.update(error["attributes"])
    return rebuilt


def run_tasks(
    function: str,
    tasks: Iterable[dict],
    workers: int,
    on_report: Callable[[dict], None] = lambda report: None,
    environment: dict[str, str] | None = None,
) -> Iterator[dict]:
    """Run every task in a process of its own, `workers` at a time; yield results as they come.

    A process serves one task only: no state (of Pythia, of TensorFlow) can pass from one to the next,
    so a result does not depend on the number of workers.
    """
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    tasks = list(tasks)
    for task in tasks:
        waiting.put(task)
    done: queue.SimpleQueue = queue.SimpleQueue()
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
                result, _ = worker.call(task, on_report=lambda report: done.put(("report", report)))
                done.put(("result", result))
            except Exception as error:
                done.put(("error", error))
            finally:
                running.discard(worker)
                worker.close()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(max(1, min(workers, len(tasks))))]
    for thread in threads:
        thread.start()
    try:
        results = 0
        while results < len(tasks):
            kind, content = done.get()
            if kind == "report":
                on_report(content)
            elif kind == "error":
                raise content
            else:
                results += 1
                yield content
    finally:
        stopped.set()
        for worker in list(running):
            worker.close()


def end_with(parent: int) -> None:
    """Leave when the parent is gone: a killed command must not leave workers behind.

    Ctrl-C in a terminal reaches all processes of a command; it is left to the parent to end.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(function: str, parent: str) -> None:
    """The child's side: serve tasks from standard input until it closes."""
    end_with(int(parent))
    # What libraries print must not mix with messages: keep the real stdout, point fd 1 at stderr.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    module, _, name = function.partition(":")

    def report(**progress) -> None:
        send(replies, {"report": progress})

    while True:
        try:
            task, arrays = receive(requests)
        except EOFError:
            return
        try:
            work = getattr(importlib.import_module(module), name)
            result, found = work(task, arrays, report)
            send(replies, {"result": result}, found)
        except Exception as error:
            content = {"type": type(error).__name__, "text": str(error), "trace": traceback.format_exc()}
            content["attributes"] = {k: v for k, v in vars(error).items() if isinstance(v, str)}
            send(replies, {"error": content})


if __name__ == "__main__":
    main(*sys.argv[1:])
