"""Execute notebooks and store their outputs: `python notebooks/refresh.py [NAME...]`, from the top of the tree."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DIGEST = "executed"
"""Key in a notebook's metadata of the digest of the code that made its outputs."""


def code_digest(notebook: dict[str, Any]) -> str:
    """A digest of all code cells, by which outputs are known to be of this code."""
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def is_progress(output: Any) -> bool:
    """Whether an output is a bar that moved while the cell ran, or the empty line that it left."""
    data = output.get("data", {})
    return "application/vnd.jupyter.widget-view+json" in data or data.get("text/plain") == ""


def refresh(path: Path) -> None:
    """Execute a notebook in an empty directory, and store what its cells show, without progress and counts."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as directory:
        NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": directory}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [shown for shown in cell.outputs if shown.get("name") != "stderr" and not is_progress(shown)]
            for shown in cell.outputs:
                if "execution_count" in shown:
                    shown.execution_count = None
    notebook.metadata[DIGEST] = code_digest(notebook)
    notebook.metadata.pop("language_info", None)
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.ipynb")):
        print(name, flush=True)
        refresh(HERE / f"{name}.ipynb")
