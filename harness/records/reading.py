"""Reading one record: every field is checked, and what is wrong is named with the file and the field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmact_oneshot.harness.records.schema import SCHEMA, Record
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.errors import HarnessError

SEAL = "sha256"
AGAIN = "Delete the record and start `oneshot run` again."


def read_record(path: Path, record_type: type[Record]) -> Record:
    """Read and validate a record.

    Raises:
        HarnessError: broken, edited by hand or written by another version; the file and the field are named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"cannot be read ({error.strerror}).", where=path, remedy=AGAIN) from error
    try:
        record = record_type.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise _refusal(error, content, path) from error
    wrong = _wrong(record, json.loads(content), path)
    if wrong:
        raise HarnessError(f"{wrong}.", where=path, remedy=AGAIN)
    record.volatile.pop(SEAL, None)  # of the file, and no part of what was measured
    return record


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a record with its digest, by which an edit or damage is told. It stands in ``volatile``, which
    differs from run to run as it is; records of earlier versions have none."""
    return content | {"volatile": content["volatile"] | {SEAL: digest(content)}}


def _broken_seal(content: dict[str, Any]) -> bool:
    volatile = dict(content["volatile"])
    stated = volatile.pop(SEAL, None)
    return stated is not None and stated != digest(content | {"volatile": volatile})


def _refusal(error: ValidationError, content: bytes, path: Path) -> HarnessError:
    version = _version(content)
    if version is not None and version != SCHEMA:
        return HarnessError(
            f"schema_version: {version}, written by {'an older' if version < SCHEMA else 'a newer'} version; this one "
            f"reads {SCHEMA}.",
            where=path,
            remedy="Delete the record and run its row again, or read it with the version that wrote it.",
        )
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    problem = first["msg"].removeprefix("Value error, ")
    return HarnessError(f"{field}: {problem}." if field else f"{problem}.", where=path, remedy=AGAIN)


def _version(content: bytes) -> int | None:
    """The schema version that a record states, where it states one."""
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return version if type(version) is int else None


def _wrong(record: Record, content: dict[str, Any], path: Path) -> str:
    """What a model of the fields does not see."""
    if record.id != path.stem:
        return f"id: it is {record.id!r}, but the file is that of {path.stem!r}"
    for field in type(record).model_fields:
        if field not in content:
            return f"{field}: Field required"
    for place in _not_finite(content):
        return f"{place}: not a finite number"
    if _broken_seal(content):
        return "not the record that was written: it is damaged, or was edited"
    return ""


def _not_finite(value: object, place: str = "") -> Iterator[str]:
    """Where NaN or infinity stand; JSON has neither, but readers of JSON take them."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _not_finite(each, f"{place}.{name}" if place else str(name))
