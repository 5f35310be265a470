"""A page in headless Chromium: what its document is after scripts have run, and what they complain of."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
)  # fmt: skip


def run_page(page: Path, directory: Path, script: str, real_time: bool = False) -> tuple[Any, list[str]]:
    """Open a page, run a script at its end, and return what the script's `answer` is and the errors of the console.

    `directory` is a new one. The clock of the page runs ahead, so that nothing has to wait, unless `real_time` is true.
    The test is skipped where there is no Chromium.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")
    directory.mkdir()
    driven = directory / "driven.html"
    end = (
        f"<script>(() => {{ {script}\nconst box = document.createElement('pre'); box.id = 'answer';"
        "box.textContent = JSON.stringify(answer); document.body.append(box); })();</script></body>"
    )
    driven.write_text(page.read_text(encoding="utf-8").replace("</body>", end), encoding="utf-8")
    clock = [] if real_time else ["--virtual-time-budget=5000"]
    command = [program, *FLAGS, *clock, f"--user-data-dir={directory / 'profile'}", "--dump-dom", driven.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    found = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
    own = "Multiple readback operations"  # advice for scripts like that of a test, which reads canvases
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line and own not in line]
    assert found, f"the script did not end: {errors or done.stderr[-500:]}"
    return json.loads(html.unescape(found[1])), errors
