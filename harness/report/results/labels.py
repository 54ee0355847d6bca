"""Labels of the rows of a study: the method, and what distinguishes it from other rows of the same method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmact_oneshot.harness.config.studies import PROLONGED
from mmact_oneshot.harness.records import StudyRow
from mmact_oneshot.harness.report.formats import differing, flat, short

UNCHECKED = "unchecked:"
"""Before the digest of conditions under which a method ran without the checks."""


@dataclass(frozen=True)
class Entry:
    """A row of a study, with the conditions under which it was trained.

    Attributes:
        place: of the row in the study.
        conditions: digest, after ``UNCHECKED`` where that is so; empty where nothing of it was trained yet.
    """

    place: int
    row: StudyRow
    conditions: str


def row_labels(entries: Sequence[Entry]) -> list[str]:
    """A label for each entry; entries that differ in nothing but their modalities share one."""
    names = [method_name(entry.row) for entry in entries]
    alike: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        alike[name].append(place)
    labels = [""] * len(entries)
    for name, places in alike.items():
        parts = _distinguishing([_descriptors(entries[place]) for place in places])
        for place, text in zip(places, parts, strict=True):
            labels[place] = f"{name}{f' ({text})' if text else ''}"
    return _unique(entries, labels)


def method_name(row: StudyRow) -> str:
    """A method, and whether it is as released: ``as_released`` is the setting by which a method has all the quirks of
    its authors' code (CONTRIBUTING.md)."""
    return f"{row.method} as released" if row.settings.get("as_released") is True else row.method


def _descriptors(entry: Entry) -> dict[str, str]:
    """What may distinguish rows of one method, in words."""
    row = entry.row
    initialisation = row.initialisation if row.initialisation == PROLONGED else f"from {row.initialisation}"
    found = {f"\0{name}": f"{name} {value}" for name, value in flat(row.settings).items() if name != "as_released"}
    found |= {f"\1{name}": f"{name} {value}" for name, value in flat(row.changes).items()}
    return found | {
        "\2initialisation": initialisation,
        "\2encoder": f"{row.encoder} encoder",
        "\2training": row.training.replace("_", "-"),
        "\2source": f"source {short(row.source)}",
    }


def _distinguishing(tables: Sequence[Mapping[str, str]]) -> list[str]:
    """For each table the values in which it differs from others; what a table lacks is left out."""
    names = differing(tables)
    return [", ".join(table[name] for name in names if name in table) for table in tables]


def _unique(entries: Sequence[Entry], labels: list[str]) -> list[str]:
    """Labels of one modality, distinguished by their conditions where nothing else does."""
    taken: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for entry, label in zip(entries, labels, strict=True):
        taken[label, entry.row.modalities].add(entry.conditions)
    return [
        label if len(taken[label, entry.row.modalities]) == 1 else f"{label} [{_short(entry.conditions)}]"
        for entry, label in zip(entries, labels, strict=True)
    ]


def _short(conditions: str) -> str:
    unchecked = "unchecked " if conditions.startswith(UNCHECKED) else ""
    return f"{unchecked}{short(conditions.removeprefix(UNCHECKED)) or 'new'}"


def unique(names: Iterable[str]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(names))
