"""The log of test accesses: whole lines, nothing lost, and an end that a kill tore off."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from mmact_oneshot.harness.records import RecordFolder
from mmact_oneshot.harness.runtime.errors import HarnessError


def access(number: int) -> dict[str, str]:
    return {"suite": "test", "suite_digest": "d", "training": f"row-s{number}", "date": "2026-01-01T00:00:00+00:00"}


@pytest.fixture
def folder(tmp_path: Path) -> RecordFolder:
    """Three test accesses."""
    folder = RecordFolder(tmp_path / "records")
    for number in range(3):
        folder.log_test_access(access(number))
    return folder


def lines(folder: RecordFolder) -> list[str]:
    return folder.test_accesses.path.read_text().splitlines(keepends=True)


def test_it_only_grows_line_by_line(folder: RecordFolder) -> None:
    assert lines(folder) == [json.dumps(access(number), sort_keys=True) + "\n" for number in range(3)]
    assert folder.test_accesses.read() == [access(number) for number in range(3)]
    assert RecordFolder(folder.folder / "elsewhere").test_accesses.read() is None


def test_a_line_is_written_at_once_and_reaches_the_disk(folder: RecordFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(folder.test_accesses.path.read_text()))
    folder.log_test_access(access(3))
    assert synced == ["".join(lines(folder))], "the whole line, once"


@pytest.mark.parametrize("torn", [b"{", b'{"date": "2026', b"\xff", json.dumps(access(9)).encode()[:-1]])
def test_a_torn_end_was_no_access_and_the_next_takes_its_place(folder: RecordFolder, torn: bytes) -> None:
    whole = folder.test_accesses.path.read_bytes()
    folder.test_accesses.path.write_bytes(whole + torn)
    assert folder.test_accesses.read() == [access(number) for number in range(3)]
    folder.log_test_access(access(3))
    assert folder.test_accesses.path.read_bytes().startswith(whole)
    assert folder.test_accesses.read() == [access(number) for number in range(4)]


def test_a_whole_entry_without_its_line_break_is_kept(folder: RecordFolder) -> None:
    """As an editor leaves it."""
    folder.test_accesses.path.write_bytes(folder.test_accesses.path.read_bytes().rstrip(b"\n"))
    assert folder.test_accesses.read() == [access(number) for number in range(3)]
    folder.log_test_access(access(3))
    assert folder.test_accesses.read() == [access(number) for number in range(4)]


def test_an_empty_log_holds_no_access(folder: RecordFolder) -> None:
    folder.test_accesses.path.write_bytes(b"")
    assert folder.test_accesses.read() == []
    folder.log_test_access(access(0))
    assert folder.test_accesses.read() == [access(0)]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'{"suite_digest": "d"}', json.dumps(access(0) | {"n": "1"}).encode(),
     json.dumps({**access(0), "suite_digest": 5}).encode()],
)  # fmt: skip
def test_any_other_line_that_is_no_entry_is_named(folder: RecordFolder, garbage: bytes) -> None:
    first, second, third = folder.test_accesses.path.read_bytes().splitlines(keepends=True)
    for content, row in ((first + garbage + b"\n" + second + third, 2), (first + second + third + garbage + b"\n", 4)):
        folder.test_accesses.path.write_bytes(content)
        with pytest.raises(HarnessError, match=f"line {row}: not an entry of the log") as refusal:
            folder.test_accesses.read()
        assert str(folder.test_accesses.path) in str(refusal.value)
        assert "append-only" in refusal.value.remedy


def test_a_full_disk_leaves_no_half_line(folder: RecordFolder) -> None:
    before = folder.test_accesses.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            folder.log_test_access(access(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert folder.test_accesses.path.read_bytes() == before


def test_what_is_no_access_is_not_logged(folder: RecordFolder) -> None:
    with pytest.raises(ValueError, match="training"):
        folder.log_test_access({name: value for name, value in access(3).items() if name != "training"})
    assert len(lines(folder)) == 3
