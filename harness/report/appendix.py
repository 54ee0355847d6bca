"""The second half of the report: what each row is, how it was trained and selected, and where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.records import TrainingRecord
from harness.report import starts, words
from harness.report.columns import COLUMNS, is_generated
from harness.report.grid import bullets, escape, grid
from harness.report.rows import Row
from harness.report.tables import Report

MMACT_LAYOUTS = {"mmact", "mmact-flat"}
PUBLISHED = (
    (
        "Mu-MAE on MMAct, 5-way 1-shot, video and sensors, no external data",
        "80.17",
        "[arXiv 2408.04243](https://arxiv.org/abs/2408.04243)",
    ),
)
LONGEST_TRACE = 8
SETTABLE = (
    *("input", "store", "encoder_training", "training", "tuning", "transformer", "video_encoder", "sensor_encoder"),
    *("pretraining", "way", "shot"),
)
REMEDIES = {
    "code": "code: with one version of the program for all",
    "data": "data, split, val: on the same recordings and classes",
    "modalities": "modalities: a row of its own (`modalities` in the preset's rows)",
    "regime": 'regime: `regime = "frozen"` or `"tuned"` in the preset\'s rows',
    "initialisation": "initialisation: `initialisation` in the preset's rows",
    "precision": "precision: `--set precision=float32`",
    "classes": "classes: the suite decides (`test-paper` has a training of its own)",
}


def rows(report: Report) -> list[str]:
    """Each row once: settings, source, sizes."""
    parameters = next(column for column in COLUMNS if column.header == "trained / all")
    named = report.rows
    started = any(row.pretrainings or starts.name(row.training) for row in named.values() if row.trained)
    cells = [
        [
            escape(name),
            *(_start(row) if started else []),
            escape(words.assignments(row.training.method_settings)) or words.MISSING,
            escape(words.plain(row.training.method_source)),
            escape(words.plain(row.training.training_protocol.get("classes"))) if row.trained else words.MISSING,
            ", ".join(str(training.seed) for training in row.trainings) if row.trained else words.MISSING,
            parameters.cell(row),
            words.short(row.training.training_digest) if row.trained else words.MISSING,
        ]
        for name, row in named.items()
    ]
    if not cells:
        return []
    start = ["start", "pre-training"] if started else []
    header = ["row", *start, "settings", "source", "trained on", "seeds", "parameters trained / all", "training"]
    return [
        "## What the rows are",
        "`source`: built-in, or the start of the SHA-256 of the plugin file. `training`: rows are ranked against each "
        "other only where this digest agrees (next section).",
        grid(header, cells, "l" * (len(header) - 1) + "r"),
    ]


def _start(row: Row) -> list[str]:
    """What a row starts from, and the records of it."""
    if not row.trained:
        return [words.MISSING, words.MISSING]
    return [
        escape(starts.name(row.training) or starts.SCRATCH),
        escape(", ".join(record.id for record in row.pretrainings)) or words.MISSING,
    ]


def training_conditions(report: Report) -> list[str]:
    """What the training digests stand for: settings that all share, and those that differ."""
    headings = {
        section.digest: section.heading
        for table in report.suites
        for section in table.sections
        if section.digest is not None
    }
    protocols = {
        section.digest: section.rows[0].conditions
        for table in report.suites
        for section in table.sections
        if section.digest is not None
    }
    if not protocols:
        return []
    names = words.differing(protocols.values())
    digests = list(protocols)
    shared = {name: value for name, value in protocols[digests[0]].items() if name not in names}
    parts = ["## Conditions of training"]
    if names:
        cells = [
            [f"`{name}`", *(escape(protocols[digest].get(name, words.MISSING)) for digest in digests)] for name in names
        ]
        what = ["*rows*", *(escape(headings[digest]) for digest in digests)]
        parts += [
            "Different from section to section, which is why rows of different sections are not ranked together:",
            grid(["training", *map(words.short, digests)], [what, *cells], "l" * (1 + len(digests))),
            bullets(_to_compare(names)),
        ]
    parts += [
        "The same in every row of these sections:" if _published(report) else "The same in every trained row:",
        grid(["setting", "value"], [[f"`{name}`", escape(value)] for name, value in shared.items()], "ll"),
    ]
    return parts


def _to_compare(names: Sequence[str]) -> list[str]:
    """What to run so that rows of different sections can be ranked together."""
    parts = {name.split(".")[0] for name in names}
    settings = [f"--set {name}=VALUE" for name in names if name.split(".")[0] in SETTABLE]
    ways = [remedy for part, remedy in REMEDIES.items() if part in parts]
    if settings:
        ways.insert(0, f"settings: `oneshot run --data DATA --preset PRESET --method NAME {' '.join(settings[:3])}`")
    if not ways:
        return []
    told = "; ".join(ways)
    return [f"To rank rows of two sections together, run those of one again under the conditions of the other. {told}."]


def recipes(report: Report) -> list[str]:
    """What differs in training from one published recipe to the next."""
    found = _published(report)
    if not found:
        return []
    protocols = {name: row.conditions for name, row in found.items()}
    parts = {name for protocol in protocols.values() for name, value in protocol.items() if value == "none"}
    protocols = {name: _without_parts(protocol, parts) for name, protocol in protocols.items()}
    names = words.differing(protocols.values())
    cells = [
        [f"`{name}`", *(escape(protocol.get(name, words.MISSING)) for protocol in protocols.values())] for name in names
    ]
    return [
        f"## {words.PUBLISHED_RECIPES}",
        "Each row has the encoder, the input and the optimisation that its paper states (the preset says what a paper "
        "leaves open and what differs here). Tested on the same episodes as all rows of its table, but trained under "
        "conditions of its own: a difference in accuracy may come from any of these settings, so nothing is ranked.",
        grid(["setting", *map(escape, protocols)], cells, "l" * (1 + len(protocols))),
    ]


def _without_parts(protocol: dict[str, str], parts: set[str]) -> dict[str, str]:
    """A flat protocol in which a part that other rows have none of is one line."""
    found: dict[str, str] = {}
    for name, value in protocol.items():
        part = next((part for part in parts if name.startswith(f"{part}.")), None)
        found[part or name] = "yes" if part else value
    return found


def learning_rates(report: Report) -> list[str]:
    """The learning rate of every trained row, and what was tried before it was fixed."""
    cells = [
        [escape(name), f"{row.training.learning_rate:g}", _trials(row.training)]
        for name, row in report.rows.items()
        if row.training.learning_rate is not None
    ]
    if not cells:
        return []
    return [
        "## Learning rates",
        "Where several are listed, each was trained in full with one seed; the one with the highest accuracy on the "
        "validation suite (**bold**, in %; ties to the first) then held for all seeds.",
        grid(["row", "learning rate", "tried"], cells, "lrl"),
    ]


def _trials(training: TrainingRecord) -> str:
    """``0.0003: 61.2 · **0.001: 65.0** · 0.003: diverged``"""
    texts = []
    for rate, accuracy in training.tried:
        text = f"{rate:g}: {'diverged' if accuracy is None else words.percent(accuracy, 1)}"
        texts.append(f"**{text}**" if rate == training.learning_rate else text)
    return " · ".join(texts) or "none, it was given"


def selection(report: Report) -> list[str]:
    """Validation accuracy at every look, with the kept state in bold."""
    cells = []
    encoders: dict[tuple[str, str], list[str]] = {}
    for name, row in report.rows.items():
        for training in row.trainings:
            if training.selection:
                trace = _trace(training.selection, training.best_step)
                cells.append([escape(name), str(training.seed), trace])
            for modality, note in sorted(training.encoders.items()):
                if note.get("selection"):
                    trace = _trace(note["selection"], note.get("best_step"))
                    what = escape(f"shared {starts.shared_encoder(training, modality)} encoder")
                    encoders.setdefault((modality, str(note.get("state"))), [what, str(training.seed), trace])
    cells = [*sorted(encoders.values(), key=lambda cell: (cell[0], int(cell[1]), cell[2])), *cells]
    if not cells:
        return []
    return [
        "## Selection on validation classes",
        "Accuracy in % on the validation suite, by training step; the state in **bold** was kept and tested.",
        grid(["what", "seed", "step: accuracy"], cells, "lrl"),
    ]


def _trace(trace: Sequence[Sequence[float]], kept: object) -> str:
    """``20: 67.6 · **40: 68.2**``; of a long trace the first, the last, the kept and some between."""
    count = len(trace)
    places = list(range(count))
    if count > LONGEST_TRACE:
        even = {round(place * (count - 1) / (LONGEST_TRACE - 1)) for place in range(LONGEST_TRACE)}
        places = sorted(even | {place for place in places if trace[place][0] == kept})
    texts = []
    for place in places:
        step, share = trace[place]
        text = f"{step}: {words.percent(share, 1)}"
        texts.append(f"**{text}**" if step == kept else text)
    return " · ".join(texts)


def not_run(report: Report) -> list[str]:
    """Rows that a method cannot fill, with the reason, and rows that were trained but not scored."""
    cells = [
        [
            escape(skipped.method),
            words.modality_name(skipped.modalities),
            escape(skipped.regime),
            escape(skipped.reason),
        ]
        for skipped in report.skipped
    ]
    parts = ["## Not run", grid(["method", "sees", "encoders", "reason"], cells, "llll")] if cells else []
    if report.unscored:
        parts += ["## Trained, but scored on no suite yet", bullets(f"`{name}`" for name in report.unscored)]
    return parts


def published(report: Report) -> list[str]:
    """Figures of papers, apart from what was measured, and only beside real recordings of the same data set."""
    if not any(data.get("layout") in MMACT_LAYOUTS and not is_generated(data) for data in report.data):
        return []
    return [
        "## Published figures (not measured here)",
        "Taken from the papers: other episodes, encoders and training. They stand beside this report, not in its "
        "ranking.",
        grid(["figure, as published", "accuracy, %", "source"], PUBLISHED, "lrl"),
    ]


def provenance(report: Report) -> list[str]:
    """Code, versions, hardware and data behind the records; where records differ, how many say what."""
    if not report.trainings:
        return []
    tables = [_origin(training) for training in report.trainings]
    names = list(dict.fromkeys(name for table in tables for name in table))
    cells = []
    for name in names:
        counts = Counter(table.get(name, words.MISSING) for table in tables)
        values = sorted(counts)
        told = [
            value if len(values) == 1 else f"{value} ({counts[value]} of {len(tables)} records)" for value in values
        ]
        cells.append([name, escape("; ".join(told))])
    for table in report.suites:
        cells.append([f"episodes of {table.suite}", f"evaluation digest {words.short(table.evaluation_digest)}"])
    return ["## Provenance", grid(["what", "value"], cells, "ll")]


def _origin(training: TrainingRecord) -> dict[str, str]:
    given = training.provenance
    changed = {True: ", with uncommitted changes", False: "", None: ""}[given.get("changed")]
    return {
        "preset": training.preset,
        "recipe": training.recipe,
        "code": f"version {given.get('version')}, commit {given.get('commit') or 'not known'}{changed}",
        "python": f"{given.get('python')} on {given.get('system')}",
        "packages": ", ".join(f"{name} {version}" for name, version in sorted(given.get("versions", {}).items())),
        "hardware": words.assignments(given.get("hardware", {})),
        "data": words.assignments(
            {name: training.data.get(name) for name in ("layout", "digest", "split", "split_digest")}
        ),
    }


def _published(report: Report) -> dict[str, Row]:
    return {name: row for name, row in report.rows.items() if row.published}
