"""`python -m xaug.inspect`: what a file or the directory of a stage is, how it was made, and what it holds."""

from __future__ import annotations

from typing import Any

import click

from xaug.core.command import xaug_command
from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject

LONG = 20
"""Entries of a list that are shown without --json."""


def lines_of(content: JsonObject) -> list[str]:
    """The content as lines of text, nested data on lines of their own."""
    lines = []
    for name, value in content.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {key}: {shown(own)}" for key, own in value.items())]
        elif isinstance(value, list) and isinstance(value[0], dict):
            lines += [f"{name}:", *(f"  {shown(own)}" for own in value)]
        else:
            lines.append(f"{name}: {shown(value)}")
    return lines


def shown(value: Any) -> str:
    """A value in a line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(own)}" for name, own in value.items())
    if isinstance(value, list):
        more = f", ... ({len(value)} in all)" if len(value) > LONG else ""
        return ", ".join(shown(one) for one in value[:LONG]) + more
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@click.argument("path", required=False)
@click.option("--presets", "lists_formats", is_flag=True, help="List all file formats, with their columns and units.")
@xaug_command
def main(path: str | None, lists_formats: bool) -> JsonObject:
    """Say what PATH is: a file of events or jets, a dataset, a run, attributions, or a report.

    Of a file: its format, entries, columns, classes, and which properties of particles it holds. Of a directory: the
    command and the versions that made it, columns, classes, sizes, cut flow, metrics and digests.

    Example: python -m xaug.inspect jets.root

    Example: python -m xaug.inspect zbb_cnn2d --json
    """
    from xaug.report.inspection import inspect_path, presets

    if lists_formats == (path is not None):
        raise ConfigurationError("give either a PATH or --presets")
    if path is None:
        found = presets()
        lines = [
            f"{one['format']}: {one['label']}. {one['layout']}".rstrip(". ") + (" (gives jets)" * one["gives_jets"])
            for one in found
        ]
        return {"formats": found, "summary": lines}
    content = inspect_path(path)
    return {**content, "summary": lines_of(content)}


if __name__ == "__main__":
    main(prog_name="python -m xaug.inspect")
