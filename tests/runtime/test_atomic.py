"""A file is there complete or not at all, and a write that fails leaves nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mmact_oneshot.harness.runtime.atomic import written


def half_written(path: Path, error: BaseException) -> None:
    with written(path) as temporary:
        temporary.write_text("half")
        raise error


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "some" / "file.json"
    with written(path) as temporary:
        temporary.write_text("first")
    with written(path) as temporary:
        temporary.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert [each.name for each in path.parent.iterdir()] == ["file.json"]


def test_a_write_that_fails_leaves_nothing_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("first")
    with pytest.raises(OSError, match="No space") as found:
        half_written(path, OSError(errno.ENOSPC, "No space left on device"))
    assert found.value.filename == str(path)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_whoever_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        half_written(tmp_path / "file", KeyboardInterrupt())
    assert not list(tmp_path.iterdir())
