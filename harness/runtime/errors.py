"""The one error that a user meets: what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class HarnessError(Exception):
    """Bad input, stated for the person who can mend it.

    Args:
        problem: what is wrong, in one sentence.
        where: the file at fault, where there is one.
        row: the 1-based line of that file, where there is one.
        remedy: what to do about it.
    """

    def __init__(
        self, problem: str, *, where: Path | str | None = None, row: int | None = None, remedy: str = ""
    ) -> None:
        self.problem, self.where, self.row, self.remedy = problem, where, row, remedy
        super().__init__(self.__str__())

    def __str__(self) -> str:
        place = "" if self.where is None else f"{self.where}{'' if self.row is None else f', line {self.row}'}: "
        return f"{place}{self.problem}{f' {self.remedy}' if self.remedy else ''}"


class DivergedError(HarnessError):
    """A training or a method that gave values which are not finite; its row is reported so, and the others go on."""


class ContractError(HarnessError):
    """A method that breaks the contract where it is measured; its row is reported so, and the others go on."""


class OutOfMemory(HarnessError):
    """More memory was wanted than the machine or its GPU has; the step is reported so, and the others go on."""


class OutOfTime(HarnessError):
    """A step of a run that took longer than it may; it goes on from its last state when the run is started again."""


class Ending(HarnessError):
    """A step that stopped because its process was told to end; it goes on from its last state, here or elsewhere."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an "unknown name" message: the nearest right name and the list of all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"{f'Did you mean {close[0]!r}? ' if close else ''}Known: {', '.join(names)}."
