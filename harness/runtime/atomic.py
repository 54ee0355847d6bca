"""Files that are there complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written(path: Path, temporary: str = ".tmp") -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` once the block has ended, and is removed if it failed.

    Args:
        path: its folder is made.
        temporary: suffix in place of that of ``path``; with something of its own where others may write the same file.

    Raises:
        OSError: no room, or no permission.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_suffix(temporary)
    try:
        yield place
        with place.open("rb+") as stream:
            os.fsync(stream.fileno())  # a name must never outlive its content, should the power fail
        place.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a write does not say where
            error.filename = str(path)
        place.unlink(missing_ok=True)
        raise
