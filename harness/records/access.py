"""The log of test accesses: one line each, on disk before the suite is scored, and never reset."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.lease import lease


class _TestAccess(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    suite: str
    suite_digest: str
    training: str  # id of the training record
    date: str


class AccessLog:
    """An append-only file of test accesses, written by one process at a time.

    A run that is killed while it writes leaves an unfinished last line. That access never took place, because a suite
    is scored only once its line is on disk: the next entry takes the place of such a line, and a reader skips it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: dict[str, Any]) -> None:
        """Write one line, whole or not at all.

        Raises:
            OSError: it could not be written; the suite may not be scored.
        """
        _TestAccess.model_validate(entry)
        line = json.dumps(entry, sort_keys=True).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            lease(self.path.with_suffix(".lock"), "an entry of the log of test accesses"),
            self.path.open("ab+", buffering=0) as stream,
        ):
            line = _mend(stream) + line
            end = stream.seek(0, os.SEEK_END)
            if stream.write(line) < len(line):
                stream.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(stream.fileno())

    def read(self) -> list[dict[str, Any]] | None:
        """All accesses, in order; None where there is no log.

        Raises:
            HarnessError: a line is no entry; its number is named.
        """
        if not self.path.is_file():
            return None
        whole, _, last = self.path.read_bytes().rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if _is_entry(last):  # an editor took the line break away
            lines.append(last)
        for number, line in enumerate(lines, 1):
            if not _is_entry(line):
                raise HarnessError(
                    "not an entry of the log of test accesses.",
                    where=self.path,
                    row=number,
                    remedy="The log is append-only: restore it from version control.",
                )
        return [json.loads(line) for line in lines]


def _mend(stream: io.FileIO) -> bytes:
    """Cut an unfinished last line off; returns what must stand before the next line."""
    stream.seek(0)
    content = stream.read() or b""
    last = content.rpartition(b"\n")[2]
    if _is_entry(last):
        return b"\n"
    if last:
        stream.truncate(len(content) - len(last))
    return b""


def _is_entry(line: bytes) -> bool:
    try:
        _TestAccess.model_validate_json(line)
    except ValidationError:
        return False
    return True
