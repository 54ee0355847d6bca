"""How the harness tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Follows what goes on; the command line draws it."""

    def begin(self, title: str, total: int | None) -> None:
        """A piece of work starts: ``total`` steps, clips or parts, None where not yet known."""

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        """``done`` (of ``total``, where it has become known) of the current piece are finished."""

    def end(self) -> None:
        """The current piece is over, finished or not."""

    def note(self, text: str) -> None:
        """One line worth keeping."""


class Silent:
    """Listens to nothing."""

    def begin(self, title: str, total: int | None) -> None: ...

    def advance(self, done: int, total: int | None = None, note: str = "") -> None: ...

    def end(self) -> None: ...

    def note(self, text: str) -> None: ...
