import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from xaug.core import errors
from xaug.core.errors import WorkerError, XaugError
from xaug.core.workers import Worker, cores, run_tasks

TASKS = '''
import builtins, os, signal, sys, time
from pathlib import Path

import numpy as np

from xaug.core import errors


def echo(task, arrays, report):
    return {"task": task, "pid": os.getpid()}, arrays


def transform(task, arrays, report):
    return {}, {"sum": arrays["a"].sum(axis=0), "double": 2 * arrays["a"], "own": np.zeros((0, 3))}


def environment(task, arrays, report):
    return {name: os.environ.get(name) for name in task["names"]}, {}


def modules(task, arrays, report):
    return {"modules": sorted(sys.modules)}, {}


def noisy(task, arrays, report):
    print("printed by Python")
    os.write(1, b"printed by C\\n")
    return {"quiet": True}, {}


def progress(task, arrays, report):
    for step in range(task["steps"]):
        report(step=step, text="äö")
    return {}, {}


def fail(task, arrays, report):
    if "kind" not in task:
        return {"fine": True}, {}
    kind = getattr(errors, task["kind"], None) or getattr(builtins, task["kind"])
    raise kind(*task["arguments"])


def die(task, arrays, report):
    report(pid=os.getpid())
    sys.stderr.write("last words: out of memory\\n")
    sys.stderr.flush()
    if task["how"] == "exit":
        os._exit(7)
    if task["how"] == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit(5)


def not_json(task, arrays, report):
    return {"object": object()}, {}


def sleep(task, arrays, report):
    report(pid=os.getpid())
    time.sleep(task["seconds"])
    return {"slept": task["seconds"]}, {}


def busy(task, arrays, report):
    report(pid=os.getpid())
    while True:
        pass


def meet(task, arrays, report):
    """Notes when it runs, and with which process."""
    begin = time.monotonic()
    time.sleep(0.2)
    if task["number"] == task.get("failing"):
        raise errors.ConfigurationError("this number fails")
    return {"number": task["number"], "pid": os.getpid(), "begin": begin, "end": time.monotonic()}, {}
'''


@pytest.fixture(scope="module", autouse=True)
def tasks(tmp_path_factory):
    """A module of tasks that workers can import."""
    directory = tmp_path_factory.mktemp("tasks")
    (directory / "worker_tasks.py").write_text(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(directory))
        yield


def gone(pid: int, seconds: float) -> bool:
    """Whether a process ends within some seconds (a zombie has ended)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def no_workers_left() -> bool:
    """Whether all workers of our tasks that this process started end within two seconds."""
    workers = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # or a zombie, which has ended
            if any(part.startswith("worker_tasks:") for part in child.cmdline()):
                workers.append(child.pid)
    return all(gone(pid, 2) for pid in workers)


class TestCall:
    def test_result_and_next_task_in_the_same_process(self):
        with Worker("worker_tasks:echo") as worker:
            first, _ = worker.call({"a": [1, 2.5, None, "ä\n"]})
            second, _ = worker.call({})
        assert first["task"] == {"a": [1, 2.5, None, "ä\n"]}
        assert first["pid"] == second["pid"] == worker.process.pid != os.getpid()

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(6.0).reshape(2, 3),
            np.arange(24, dtype=np.float32).reshape(2, 3, 4).T,
            np.arange(20)[::3],
            np.zeros((0, 3), np.float32),
            np.zeros((3, 0)),
            np.zeros(0, bool),
            np.array([True, False]),
            np.array([1, 2**64 - 1], np.uint64),
            np.array([-128, 127], np.int8),
            np.array([1.5, np.nan, -np.inf], np.float16),
            np.arange(3, dtype=">f8"),
            np.array(3.5),
            np.array(["zbb", "qcd"]),
        ],
        ids=lambda array: f"{array.dtype.str}{array.shape}",
    )
    def test_arrays_come_back_as_they_went(self, array):
        with Worker("worker_tasks:echo") as worker:
            _, found = worker.call({}, {"a": array, "b": np.arange(2)})
        assert found["a"].shape == array.shape
        assert found["a"].dtype == array.dtype
        np.testing.assert_array_equal(found["a"], array)
        np.testing.assert_array_equal(found["b"], [0, 1])

    def test_large_arrays(self):
        """More than any pipe holds, both ways."""
        array = np.random.default_rng(1).random((3000, 1000))
        with Worker("worker_tasks:transform") as worker:
            _, found = worker.call({}, {"a": array})
        np.testing.assert_array_equal(found["double"], 2 * array)
        np.testing.assert_array_equal(found["sum"], array.sum(axis=0))
        assert found["own"].shape == (0, 3)

    def test_found_arrays_can_be_changed(self):
        with Worker("worker_tasks:echo") as worker:
            _, found = worker.call({}, {"a": np.arange(3)})
        found["a"] += 1
        np.testing.assert_array_equal(found["a"], [1, 2, 3])

    def test_reports_in_order(self):
        reports = []
        with Worker("worker_tasks:progress") as worker:
            worker.call({"steps": 50}, on_report=reports.append)
        assert reports == [{"step": step, "text": "äö"} for step in range(50)]

    def test_what_a_task_prints_is_no_message(self):
        with Worker("worker_tasks:noisy") as worker:
            assert worker.call({})[0] == {"quiet": True}
            assert "printed by Python" in worker.last_words() or "printed by C" in worker.last_words()

    def test_environment(self):
        with Worker("worker_tasks:environment", {"OMP_NUM_THREADS": "1"}) as worker:
            result, _ = worker.call({"names": ["OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL", "PATH"]})
        assert result == {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": os.environ["PATH"]}

    def test_starts_with_few_modules(self):
        with Worker("worker_tasks:modules") as worker:
            loaded = set(worker.call({})[0]["modules"])
        assert loaded.isdisjoint({"tensorflow", "coffea", "matplotlib", "sklearn", "uproot", "pandas"})


class TestErrors:
    @pytest.mark.parametrize("kind", [name for name in errors.__all__ if name.endswith("Error")])
    def test_ours_come_back_as_themselves(self, kind):
        arguments = ["a.root", "is empty: π"] if kind == "InputFileError" else ["is empty: π"]
        with Worker("worker_tasks:fail") as worker:
            with pytest.raises(XaugError) as raised:
                worker.call({"kind": kind, "arguments": arguments})
            assert worker.call({})[0] == {"fine": True}  # and the worker goes on
        assert type(raised.value) is getattr(errors, kind)
        assert str(raised.value) == ": ".join(arguments)

    def test_an_input_file_error_keeps_its_file(self):
        with Worker("worker_tasks:fail") as worker, pytest.raises(errors.InputFileError) as raised:
            worker.call({"kind": "InputFileError", "arguments": ["a.root", "is empty"]})
        assert (raised.value.file, raised.value.reason) == ("a.root", "is empty")

    @pytest.mark.parametrize("kind", ["ValueError", "OSError", "MemoryError", "AssertionError"])
    def test_others_come_with_their_traceback(self, kind):
        with Worker("worker_tasks:fail") as worker:
            with pytest.raises(WorkerError, match=f"{kind}: my text") as raised:
                worker.call({"kind": kind, "arguments": ["my text"]})
            assert worker.call({})[0] == {"fine": True}
        assert "Traceback" in str(raised.value) and "worker_tasks.py" in str(raised.value)

    @pytest.mark.parametrize("function", ["worker_tasks:no_such", "no_such_module:echo"])
    def test_unknown_function(self, function):
        with Worker(function) as worker, pytest.raises(WorkerError, match="no_such"):
            worker.call({})

    def test_result_that_is_no_json(self):
        with Worker("worker_tasks:not_json") as worker, pytest.raises(WorkerError, match="not JSON serializable"):
            worker.call({})


class TestDeath:
    @pytest.mark.parametrize(("how", "code"), [("exit", 7), ("signal", -signal.SIGKILL), ("SystemExit", 5)])
    def test_in_a_task(self, how, code):
        with Worker("worker_tasks:die") as worker:
            with pytest.raises(WorkerError, match=rf"worker_tasks:die died \(exit code {code}\)") as raised:
                worker.call({"how": how})
            assert "last words: out of memory" in str(raised.value)

    def test_between_tasks(self):
        with Worker("worker_tasks:echo") as worker:
            worker.call({})
            worker.process.kill()
            worker.process.wait()
            with pytest.raises(WorkerError, match="exit code -9"):
                worker.call({}, {"a": np.zeros(100_000)})

    def test_close_ends_it(self):
        with Worker("worker_tasks:echo") as worker:
            worker.call({})
        assert worker.process.returncode is not None
        worker.close()  # twice does no harm

    @pytest.mark.parametrize("task", ["busy", "sleep", "idle"])
    def test_ends_with_its_parent(self, task):
        """The parent is killed, and cannot clean up, while its worker computes, sleeps or waits."""
        function = "echo" if task == "idle" else task
        script = (
            "import time\n"
            "from xaug.core.workers import Worker\n"
            f"worker = Worker('worker_tasks:{function}')\n"
            "show = lambda report: print(report['pid'], flush=True)\n"
            "result, _ = worker.call({'seconds': 600}, on_report=show)\n"
            "show(result)\n"
            "time.sleep(600)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        try:
            child = int(parent.stdout.readline())
            assert psutil.pid_exists(child)
        finally:
            parent.kill()
            parent.wait()
            parent.stdout.close()
        assert gone(child, 8)


class TestRunTasks:
    def test_every_task_in_its_own_process(self):
        results = list(run_tasks("worker_tasks:meet", ({"number": i} for i in range(6)), workers=3))
        assert sorted(result["number"] for result in results) == list(range(6))
        assert len({result["pid"] for result in results}) == 6
        edges = sorted([(r["begin"], 1) for r in results] + [(r["end"], -1) for r in results])
        at_once = np.cumsum([step for _, step in edges])
        assert 2 <= at_once.max() <= 3

    @pytest.mark.parametrize("workers", [1, 4])
    def test_results_do_not_depend_on_the_number_of_workers(self, workers):
        results = list(run_tasks("worker_tasks:echo", [{"number": i} for i in range(5)], workers))
        assert sorted(result["task"]["number"] for result in results) == list(range(5))

    def test_no_tasks(self):
        assert list(run_tasks("worker_tasks:echo", [], 2)) == []

    def test_reports(self):
        reports = []
        list(run_tasks("worker_tasks:progress", [{"steps": 3}, {"steps": 2}], 2, reports.append))
        assert sorted(report["step"] for report in reports) == [0, 0, 1, 1, 2]

    def test_environment(self):
        (result,) = run_tasks("worker_tasks:environment", [{"names": ["A_B"]}], 1, environment={"A_B": "c"})
        assert result == {"A_B": "c"}

    def test_an_error_ends_all(self):
        tasks = [{"number": i, "failing": 1} for i in range(8)]
        found = []
        with pytest.raises(errors.ConfigurationError, match="this number fails"):
            for result in run_tasks("worker_tasks:meet", tasks, 2):
                found.append(result)
        assert len(found) < 7
        assert no_workers_left()

    def test_leaving_early_ends_the_rest(self):
        pids = []
        results = run_tasks(
            "worker_tasks:sleep",
            [{"seconds": 0}, {"seconds": 600}],
            2,
            on_report=lambda report: pids.append(report["pid"]),
        )
        assert next(results) == {"slept": 0}
        results.close()
        assert no_workers_left()


def test_cores_are_those_that_may_be_used(python):
    allowed = {min(os.sched_getaffinity(0))}
    script = f"import os; os.sched_setaffinity(0, {allowed}); from xaug.core.workers import cores; print(cores())"
    assert python("-c", script).stdout == "1\n"
    assert cores() == len(os.sched_getaffinity(0))


PLANTED = ("numpy", "json", "typing", "tqdm", "yaml", "h5py", "cloudpickle", "sitecustomize")


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A current directory with modules that leave a witness when they are imported."""
    for name in PLANTED:
        (tmp_path / f"{name}.py").write_text(f"import os; open({str(tmp_path)!r} + '/ran', 'a').write({name!r})\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestSafeImports:
    @pytest.mark.parametrize("first", [[], [""], ["elsewhere"]])
    def test_workers_take_no_module_from_the_current_directory(self, planted, monkeypatch, first):
        """An empty entry in PYTHONPATH would mean the current directory too."""
        before = os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*first, *([before] if before else [])]))
        with Worker("worker_tasks:echo") as worker:
            worker.call({})
        assert not (planted / "ran").exists()

    def test_pools_of_processes_neither(self, planted):
        """The command runs with the current directory on its path, as `python -m` has it."""
        code = (
            "import sys; sys.path.pop(0) if sys.path[0] == '' else None\n"
            "import loky, os\n"
            "from xaug.core.workers import safe_imports\n"
            "sys.path.insert(0, os.getcwd())\n"
            "with safe_imports():\n"
            "    with loky.ProcessPoolExecutor(1) as pool:\n"
            "        found = pool.submit(eval, \"__import__('yaml').__file__\").result()\n"
            "assert sys.path[0] == os.getcwd()\n"
            "print(found)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(errors.__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert not (planted / "ran").exists() and str(planted) not in done.stdout
