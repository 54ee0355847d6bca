"""Digests are part of the names of records: the same content has the same digest, whatever wrote it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.runtime.digests import digest, file_sha256
from mmact_oneshot.harness.runtime.errors import HarnessError

CONTENT: dict[str, Any] = {"a": 1, "b": {"c": [1, 2], "d": None}}


def test_a_digest_ignores_the_order_of_keys() -> None:
    assert digest(CONTENT) == digest({"b": {"d": None, "c": [1, 2]}, "a": 1})


def test_a_digest_depends_on_the_order_of_a_list() -> None:
    assert digest({"c": [1, 2]}) != digest({"c": [2, 1]})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        ({"b": [1, 2], "a": "é"}, hashlib.sha256(b'{"a":"\\u00e9","b":[1,2]}').hexdigest()),
    ],
    ids=["nothing", "some"],
)
def test_a_digest_is_the_same_in_every_version(content: dict[str, Any], expected: str) -> None:
    assert digest(content) == expected


def test_a_file_is_digested_by_its_content(tmp_path: Path) -> None:
    for name in ("one", "copy"):
        (tmp_path / name).write_bytes(b"1")
        assert file_sha256(tmp_path / name) == hashlib.sha256(b"1").hexdigest()
    with pytest.raises(HarnessError, match=r"gone.*cannot be read"):
        file_sha256(tmp_path / "gone")
