"""Studies in processes of their own, which can be killed."""

import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def start_study():
    """start_study(code, directory): starts Python code with this directory as its argument; gives the process."""

    def start(code, directory) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return start


@pytest.fixture(scope="session")
def run_study(start_study):
    """run_study(code, directory, timeout): the same to its end, which must be a good one."""

    def run(code, directory, timeout: float) -> None:
        process = start_study(code, directory)
        output, _ = process.communicate(timeout=timeout)
        assert process.returncode == 0, output

    return run
