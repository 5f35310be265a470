"""Check the environment of xaug: `python -m xaug.doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from xaug.core.command import xaug_command
from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject


@xaug_command
def main() -> JsonObject:
    """Check what xaug needs: Python, packages and their versions, memory, disk, and whether TensorFlow starts.

    Ends with exit code 1 if something is wrong, and says what to do about it. What is absent is needed by some commands
    only.

    Example: python -m xaug doctor
    """
    from dataclasses import asdict

    from xaug.core.environment import findings

    found = findings(Path.cwd())
    problems = [one for one in found if one.state == "problem"]
    if problems:
        for one in found:
            click.echo(one.line, err=True)
        raise ConfigurationError(f"{len(problems)} problem{'s' * (len(problems) > 1)} in this environment, see above")
    return {"findings": [asdict(one) for one in found], "summary": [*(one.line for one in found), "nothing is wrong"]}


if __name__ == "__main__":
    main(prog_name="python -m xaug.doctor")
