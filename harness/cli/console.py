"""The terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def show_pages(files: Iterable[Path]) -> None:
    """Name the pages among the files of a report; a path stays whole, so that it can be clicked."""
    pages = [str(path) for path in files if path.suffix in {".html", ".md"}]
    console.print(f"{', '.join(pages)}; beside them LaTeX, CSV, BibTeX and figures", markup=False, soft_wrap=True)
