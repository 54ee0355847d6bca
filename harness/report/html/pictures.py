"""Pictures of pre-trainings: read beside their records, put into the page as data."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from harness.records import PretrainingRecord, RecordFolder
from harness.report.tables import Report

KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def read_pictures(report: Report, records: Path) -> dict[str, bytes]:
    """The pictures that a report's pre-trainings name, by file name; those that are not there are left out.

    Args:
        records: the folder of records.
    """
    folder = RecordFolder(records).path(PretrainingRecord, "any").parent
    named = [record.picture for record in report.pretrainings if record.picture is not None]
    return {name: (folder / name).read_bytes() for name in named if (folder / name).is_file()}


def data_uri(pictures: Mapping[str, bytes], name: str) -> str | None:
    """The picture of that name as a URI that holds it; None where there is none, or it is neither PNG nor JPEG."""
    content = pictures.get(name, b"")
    for start, kind in KINDS.items():
        if content.startswith(start):
            return f"data:{kind};base64,{b64encode(content).decode()}"
    return None
