"""Peak memory of each stage for ten times as many jets.

The sizes are 100,000 and 1,000,000 toy jets; `XAUG_BENCHMARK_JETS=50000,200000` takes others. Memory is that of a
command with all its workers.
"""

import os
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]
JETS = tuple(int(n) for n in os.environ.get("XAUG_BENCHMARK_JETS", "100000,1000000").split(","))
STAGES = {
    "generate": "generate toy --jets {per_class} --workers 1 -o {place}/toy",
    "train": "train {place}/toy --network cnn2d --trainings 1 --steps 40 --check-every 20 --batch-size 2048 "
    "-o {place}/run",
    "explain": "explain {place}/run --engine native --rule epsilon -o {place}/lrp",
    "report": "report {place}/run --attributions {place}/lrp -o {place}/report",
}  # fmt: skip


def peak(words: list[str]) -> float:
    """Largest memory [MB] of a command and of all processes that it starts."""
    found = 0
    with subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        own = psutil.Process(process.pid)
        while process.poll() is None:
            used = 0
            try:
                for one in [own, *own.children(recursive=True)]:
                    used += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            found = max(found, used)
            time.sleep(0.1)
    assert process.returncode == 0, words
    return found / 2**20


def test_memory_of_all_stages_is_flat(tmp_path, capsys):
    """At most a quarter more for ten times as many jets."""
    used = {}
    for jets in JETS:
        place = tmp_path / f"{jets}"
        place.mkdir()
        for stage, command in STAGES.items():
            words = command.format(place=place, per_class=jets // 2).split()
            used[stage, jets] = peak([f"xaug.{words[0]}", *words[1:]])
            with capsys.disabled():
                print(f"\n{stage} of {jets} jets: {used[stage, jets]:.0f} MB", flush=True)
    ratio = {stage: used[stage, JETS[-1]] / used[stage, JETS[0]] for stage in STAGES}
    with capsys.disabled():
        print("\n" + ", ".join(f"{stage} {value:.2f}" for stage, value in ratio.items()))
    assert max(ratio.values()) < 1.25
