"""The notebook runs from beginning to end, and what is committed of it is what it gives."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
FROM_RECORDS = 3  # the first code cells, which read committed records: their outputs are the same everywhere


def texts(notebook: Any) -> list[str]:
    """What each code cell shows."""
    return [
        "\n".join(str(output.get("text") or output["data"]["text/plain"]).strip() for output in cell["outputs"])
        for cell in notebook.cells
        if cell["cell_type"] == "code"
    ]


@pytest.mark.slow
def test_the_notebook_runs_and_its_outputs_are_those_that_are_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    committed = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    assert texts(notebook)[:FROM_RECORDS] == texts(committed)[:FROM_RECORDS]
    for one in (notebook, committed):
        assert all(texts(one)), "every cell shows something"
        assert "nearest, sensors" in texts(one)[-1]
