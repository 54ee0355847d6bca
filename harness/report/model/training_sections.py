"""How the rows were trained: learning curves, conditions, pre-trainings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmact_oneshot.harness.records import PretrainingRecord, TrainingRecord
from mmact_oneshot.harness.report.charts.learning_curves import learning_curves
from mmact_oneshot.harness.report.formats import MISSING, compact, differing, flat, percent, seconds
from mmact_oneshot.harness.report.model.blocks import Block, Chart, Items, Picture, Section, Table, plain_table
from mmact_oneshot.harness.report.model.matrix import slug
from mmact_oneshot.harness.report.results.measured import number
from mmact_oneshot.harness.report.results.report import Report, StudyResults

PICTURES = Path("records/pretraining")  # from the folder of the report
CLASSES = {
    "base": "{} base classes, without their labels; no clip of a validation or novel class",
    "base+validation": "{} base and validation classes, without their labels; no clip of a novel class",
}


def curves_section(report: Report) -> Section | None:
    """Validation accuracy of every row, of its shared encoders, and of pre-trainings on the way."""
    rows: dict[str, Sequence[TrainingRecord]] = {}
    for study in report.studies:
        for row in study.suites[0].rows if study.suites else ():
            name = row.name if study is report.main else f"{row.name} ({study.name})"
            rows.setdefault(name, row.measured.trainings)
    figure = learning_curves(rows, report.pretrainings)
    return None if figure is None else Section("curves", figure.title, (Chart(figure, figure.name),), folded=True)


def conditions_section(study: StudyResults) -> Section | None:
    """Conditions of training: what is the same in all rows of a study, and what differs."""
    rows = {row.name: row.measured for results in study.suites[:1] for row in results.rows if row.measured.trained}
    tables = {name: _conditions(measured.training) for name, measured in rows.items()}
    if not tables:
        return None
    names = differing(tables.values())
    shown = [name for name in names if not _follows(name, tables.values())]
    first = next(iter(tables.values()))
    same = [(name, value) for name, value in first.items() if name not in names]
    blocks: list[Block] = []
    if shown:
        blocks.append(_differences(study, tables, shown))
    name = slug(study.name)
    blocks.append(
        plain_table(f"{name}-conditions", "The same in every trained row", ("setting", "value"), same, align="ll")
    )
    return Section(f"conditions-{name}", f"Conditions of training: {study.name}", tuple(blocks), folded=True)


def _conditions(training: TrainingRecord) -> dict[str, str]:
    """By dotted names; a pre-training, which has a section of its own, is one line."""
    given = dict(training.conditions)
    if given.get("pretraining"):
        given["pretraining"] = training.pretraining or "released weights"
    given.pop("modalities", None)
    return flat(given)


def _follows(name: str, tables: Iterable[Mapping[str, str]]) -> bool:
    """Whether rows differ only in that some have no such encoder or warm start, which follows from what they are."""
    parts = ("encoders.", "transformer.", "warm_start.")
    return name.startswith(parts) and len({table[name] for table in tables if name in table}) == 1


def _differences(study: StudyResults, tables: Mapping[str, Mapping[str, str]], names: Sequence[str]) -> Table:
    lines = [(name, *(table.get(name, MISSING) for table in tables.values())) for name in names]
    return plain_table(
        f"{slug(study.name)}-differing", "What differs", ("setting", *tables), lines, align="l" * (1 + len(tables))
    )


def pretraining_section(report: Report, folder: Path) -> Section | None:
    """Every pre-training: what it was, what it cost, what it reconstructs.

    Args:
        folder: of the records, beside which the pictures lie.
    """
    records = report.pretrainings
    if not records:
        return None
    header = (
        *("pre-training", "modalities", "seed", "clips", "epochs", "steps", "parameters", "last losses"),
        *("seconds", "clips/s", "waiting, %"),
    )
    table = plain_table(
        "pretrainings",
        "",
        header,
        [_cells(record) for record in records],
        align="llrrrrrlrrr",
        caption="Each was done once, however many rows begin from it. Last losses: means over the last part of the "
        "training. Waiting: share of the time without a clip to train on.",
    )
    blocks: list[Block] = [table, Items(tuple(dict.fromkeys(map(_clips, records))))]
    blocks += [_picture(record, folder) for record in records if record.picture is not None]
    protocols = {record.conditions_digest: flat(record.conditions) for record in records}
    methods = {record.conditions_digest: record.method for record in records}
    names = sorted({name for protocol in protocols.values() for name in protocol})
    lines = [(name, *(protocol.get(name, MISSING) for protocol in protocols.values())) for name in names]
    columns = [f"{methods[digest]}, {digest[:8]}" for digest in protocols]
    settings = plain_table("pretraining-settings", "", ("setting", *columns), lines, align="l" * (1 + len(columns)))
    blocks.append(Section("pretraining-conditions", "Settings of pre-training", (settings,), folded=True))
    return Section("pretraining", "Pre-training", tuple(blocks), folded=True)


def _cells(record: PretrainingRecord) -> tuple[str, ...]:
    spent, waited = (number(record.volatile.get(name)) for name in ("seconds", "waited_for_data"))
    losses = record.losses[-1][1] if record.losses else {}
    rate = number(record.volatile.get("clips_per_second"))
    return (
        record.id,
        " and ".join(record.modalities),
        str(record.seed),
        f"{record.clips:,}",
        f"{record.clips_seen / record.clips:.1f}".removesuffix(".0") if record.clips else MISSING,
        f"{record.steps:,}",
        compact(record.parameters),
        ", ".join(f"{name} {value:.3g}" for name, value in sorted(losses.items())) or MISSING,
        seconds(spent),
        MISSING if rate is None else f"{rate:,.0f}",
        percent(waited / spent, 0) if waited is not None and spent else MISSING,
    )


def _clips(record: PretrainingRecord) -> str:
    """Whose clips the network saw."""
    known = CLASSES.get(str(record.conditions.get("classes")))
    classes = known.format(len(record.classes)) if known else f"classes {', '.join(record.classes)}, without labels"
    return f"{record.method}: trained on clips of the {classes}."


def _picture(record: PretrainingRecord, folder: Path) -> Picture:
    assert record.picture is not None
    path = folder / "pretraining" / record.picture
    text = f"Clips as recorded, masked, and reconstructed by {record.method}: {' and '.join(record.modalities)}"
    return Picture(
        f"{text}, seed {record.seed}",
        str(PICTURES / record.picture),
        path.read_bytes() if path.is_file() else b"",
    )
