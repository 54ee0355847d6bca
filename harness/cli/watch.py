"""Progress on the terminal: a bar for the current piece of work, and a line for each that is done."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class TerminalWatcher:
    """Draws what the harness tells. Where the output is no terminal, lines take the place of the bar."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._title, self._note, self._started = "", "", 0.0

    def begin(self, title: str, total: int | None) -> None:
        self._title, self._note, self._started = title, "", time.perf_counter()
        if self.console.is_terminal:
            columns = (
                TextColumn("  {task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=self.console, transient=True)
            self._bar = self._progress.add_task(title, total=total, note="")
            self._progress.start()

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        self._note = note or self._note
        if note and not self.console.is_terminal:
            self.console.print(f"  {self._title}: step {done}, {note}", style="dim", soft_wrap=True)
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, completed=done, note=self._note)
            if total is not None:
                self._progress.update(self._bar, total=total)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        seconds = time.perf_counter() - self._started
        note = f", {self._note}" if self._note else ""
        self.console.print(f"  {self._title}{note} ({seconds:.1f} s)", style="dim", soft_wrap=True)

    def note(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)
