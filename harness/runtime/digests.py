"""Digests: of JSON values and of files."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from mmact_oneshot.harness.runtime.errors import HarnessError


def digest(content: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read once as long as it does not change.

    Raises:
        HarnessError: it cannot be read.
    """
    return _file_sha256(path, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def _file_sha256(path: Path, _modified: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise HarnessError(f"cannot be read ({error.strerror}).", where=path, remedy="Check the path.") from error
