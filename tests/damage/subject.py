"""A kind of file: how a good one is made, what may happen to it, and what is read of it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.damage.bytes_damage import ANY, Mutation
from tests.damage.folder_damage import FolderMutation
from tests.damage.runner import Reading


@dataclass(frozen=True)
class Subject:
    """A kind of file.

    Attributes:
        kind: for the table.
        make: writes a good file, and what must stand around it, into an empty folder.
        file: below this folder, the file that is damaged, as a glob pattern.
        read: does what a user does with it; errors are printed, and end the process, as those of the command line.
        own: mutations that make sense for this kind alone, beside those for any file.
        folder: mutations of the place where it lies.
        raw: written by others without a checksum: a value that could have been meant is taken as meant.
        names: what an error may name instead of the file; an empty name stands for anything.
    """

    kind: str
    make: Callable[[Path], None]
    file: str
    read: Callable[[Path], Reading]
    own: tuple[Mutation, ...] = ()
    any: tuple[Mutation, ...] = ANY
    folder: tuple[FolderMutation, ...] = ()
    raw: bool = False
    names: tuple[str, ...] = ()

    @property
    def mutations(self) -> dict[str, Mutation | FolderMutation]:
        known: tuple[Mutation | FolderMutation, ...] = (*self.any, *self.own, *self.folder)
        return {each.__name__: each for each in known}


def oneshot(*arguments: object) -> int:
    """A command line in this process; returns its exit code, and ends the process where it is that of bad input."""
    from mmact_oneshot.harness.cli.main import BAD_INPUT

    try:
        command_line()([str(each) for each in arguments], prog_name="oneshot")
    except SystemExit as end:
        if end.code == BAD_INPUT:
            raise
        return int(end.code or 0)
    return 0


@cache
def command_line() -> Any:
    """The command `oneshot`, with all verbs."""
    from typer.main import get_command

    from mmact_oneshot.harness.cli.main import app

    return get_command(app)


def guarded(read: Callable[[], Reading]) -> Reading:
    """What is read by a function, as within a verb: errors are printed and end the process."""
    from mmact_oneshot.harness.cli.main import guarded as verb

    found: list[Reading] = []
    verb(lambda: found.append(read()))()
    return found[0]


def listed(path: Path) -> list[list[str]]:
    """Kind, path and detail of every defect in what `oneshot data verify --csv` writes."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return [[row["kind"], row["path"], row["detail"]] for row in csv.DictReader(stream)]


def digest_of(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """SHA-256 of named arrays."""
    sha = hashlib.sha256()
    for name, array in arrays:
        sha.update(f"{name} {array.dtype} {array.shape}\n".encode(errors="surrogateescape"))
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
