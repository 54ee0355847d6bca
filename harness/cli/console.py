"""The terminal. Text is text: names from files and plugins are no markup, and nothing in them steers the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mmact_oneshot.harness.runtime.names import without_steering


class PlainConsole(Console):
    """A console that takes strings as they are and drops characters that would steer the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for part in super().render(renderable, options):
            yield part if part.control else Segment(without_steering(part.text), part.style)


console = PlainConsole()
errors = PlainConsole(stderr=True)


def show_pages(files: Iterable[Path]) -> None:
    """Name the pages among the files of a report; a path stays whole, so that it can be clicked."""
    pages = [str(path) for path in files if path.suffix in {".html", ".md"}]
    console.print(f"{', '.join(pages)}; beside them LaTeX, CSV, BibTeX and figures", soft_wrap=True)
