"""The section on pre-trainings: what each was, what it cost, and what it makes of clips that it sees in part."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records import PretrainingRecord
from harness.report import words
from harness.report.grid import bullets, escape, grid, image
from harness.report.rows import number
from harness.report.tables import Report

FOLDER = "records/pretraining"  # of the pictures, from where the report lies
HEADER = (
    *("pre-training", "method", "seed", "for seeds", "sees", "clips", "epochs", "steps", "parameters", "last losses"),
    *("seconds", "clips/s", "waiting for data, %"),
)
ALIGN = "llrllrrrrlrrr"
CLASSES = {
    "base": "{} base classes, without their labels; no clip of a validation or novel class",
    "base+validation": "{} base and validation classes, without their labels; no clip of a novel class",
}


def section(report: Report) -> list[str]:
    """Every pre-training once, whether a row starts from it or not."""
    records = report.pretrainings
    if not records:
        return []
    return [
        "## Pre-training",
        grid(HEADER, [_cells(record, _seeds(report, record)) for record in records], ALIGN),
        bullets([*_seen(records), *_explained(records)]),
        *_settings(records),
        *_pictures(records),
    ]


def _seeds(report: Report, record: PretrainingRecord) -> list[int]:
    """Of the trainings that start from it."""
    return sorted({training.seed for training in report.trainings if training.pretraining == record.id})


def _cells(record: PretrainingRecord, seeds: list[int]) -> list[str]:
    seconds, waited = (number(record.volatile.get(name)) for name in ("seconds", "waited_for_data"))
    losses = record.losses[-1][1] if record.losses else {}
    return [
        escape(record.id),
        escape(record.method),
        str(record.seed),
        ", ".join(map(str, seeds)) or words.MISSING,
        words.modality_name(record.modalities),
        f"{record.clips:,}",
        f"{record.clips_seen / record.clips:.1f}".removesuffix(".0") if record.clips else words.MISSING,
        f"{record.steps:,}",
        words.compact(record.parameters),
        escape(", ".join(f"{name} {value:.3g}" for name, value in sorted(losses.items()))) or words.MISSING,
        words.seconds(seconds),
        _rate(record.volatile),
        words.percent(waited / seconds, 0) if waited is not None and seconds else words.MISSING,
    ]


def _rate(volatile: Mapping[str, object]) -> str:
    rate = number(volatile.get("clips_per_second"))
    return words.MISSING if rate is None else f"{rate:,.0f}"


def _seen(records: tuple[PretrainingRecord, ...]) -> list[str]:
    """Whose clips the networks saw, in as many sentences as there are answers."""
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(_classes(record), []).append(record.id)
    if len(found) == 1:
        return [escape(f"Trained on clips of the {classes}.") for classes in found]
    return [escape(f"{', '.join(ids)}: trained on clips of the {classes}.") for classes, ids in found.items()]


def _classes(record: PretrainingRecord) -> str:
    known = CLASSES.get(str(record.protocol.get("classes")))
    return known.format(len(record.classes)) if known else f"classes {', '.join(record.classes)}, without their labels"


def _explained(records: tuple[PretrainingRecord, ...]) -> list[str]:
    hardware = sorted({words.assignments(record.provenance.get("hardware", {})) for record in records} - {""})
    return [
        "External data: none.",
        "Each was done once, however many rows start from it: its time is counted here and in no row's 'train s'.",
        "For seeds: of the trainings that start from it. Clips: different ones. Epochs: how often each went through "
        "the network. Last losses: the mean of each term over the last part of the training.",
        *(f"Hardware: {escape('; '.join(hardware))}." for _ in hardware[:1]),
    ]


def _settings(records: tuple[PretrainingRecord, ...]) -> list[str]:
    """All that decides what is learnt, but for the seed: a column for each that differs."""
    protocols = {record.digest: words.flat(record.protocol) for record in records}
    methods = {record.digest: record.method for record in records}
    names = sorted({name for protocol in protocols.values() for name in protocol})
    if not names:
        return []
    cells = [
        [f"`{name}`", *(escape(protocol.get(name, words.MISSING)) for protocol in protocols.values())] for name in names
    ]
    header = ["setting", *(escape(f"{methods[digest]}, {words.short(digest)}") for digest in protocols)]
    return ["### Settings of pre-training", grid(header, cells, "l" * len(header))]


def _pictures(records: tuple[PretrainingRecord, ...]) -> list[str]:
    drawn = [
        image(
            f"Clips as they are, with what was hidden from {record.method} left out, and with what it restored: "
            f"{' and '.join(record.modalities)}, seed {record.seed}",
            f"{FOLDER}/{record.picture}",
        )
        for record in records
        if record.picture is not None
    ]
    return ["### What was hidden, and what was restored", *drawn] if drawn else []
