"""Accuracy by head, encoders and start: the figures of a suite table again, so arranged that starts can be compared."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from harness.report import starts, words
from harness.report.columns import accuracy, marks
from harness.report.effects import effects
from harness.report.grid import bullets, escape, grid
from harness.report.rows import Row, method_name, method_settings, told_apart
from harness.report.statistics import holm
from harness.report.tables import SuiteTable

SEEN = ("video", "sensors", "both")
ENCODERS = {
    "default": "default = a network of its own kind for each modality",
    "transformer": "transformer = the kind that masked autoencoders train",
    "own": "own = the method reads clips itself",
}
STARTS = {
    starts.SCRATCH: "scratch = values drawn at random; where encoders are frozen, a network of the method's own, such "
    "as the prior of mu_mae, stays as it was drawn",
    starts.LONGER: "longer = scratch too, but the shared encoders were trained for as many more clips as a "
    "pre-training passes, so that as many clips went through them",
    starts.FILE: "file = released weights, made elsewhere, perhaps from these very recordings, novel classes included",
}
PRETRAINED = "the pre-training of that method, which may have seen more than the row does (see Pre-training)"
PRIOR = " With default encoders it is a prior of the method's own that starts from a pre-training or a file."


@dataclass(frozen=True)
class _Entry:
    row: Row
    mark: str

    @property
    def head(self) -> tuple[str, str, str]:
        """What is compared from start to start: a method with its settings and regime."""
        training = self.row.training
        return training.method, repr(method_settings(training)), training.regime

    @property
    def started(self) -> bool:
        return starts.encoders(self.row.training) == "transformer" or bool(self.row.pretrainings)


def section(table: SuiteTable) -> list[str]:
    """The factor table and what it means; nothing where rows do not differ in what they start from."""
    entries = _entries(table)
    if len({entry.row.training.initialisation for entry in entries}) < 2:
        return []
    labels = _labels(entries)
    lines: dict[tuple[object, ...], list[_Entry]] = defaultdict(list)
    for entry in entries:
        training = entry.row.training
        place = (labels[entry.head], training.regime == "tuned", starts.order(training), starts.encoders(training))
        lines[place].append(entry)
    cells = [_line(labels, lines[place]) for place in sorted(lines)]
    return [
        "### By head, encoders and start: accuracy, % [95 %]",
        grid(["head", "encoders", "start", *SEEN], cells, "lllrrr"),
        bullets(_caption(entries)),
        *_effects(table),
    ]


def _effects(table: SuiteTable) -> list[str]:
    """What each start changes, head by head."""
    names = dict(zip(map(id, table.rows), table.names, strict=True))
    cells = []
    found_all = effects(table)
    adjusted = holm(np.asarray([effect.paired.analysis.p_value for effect in found_all]))
    for effect, p in zip(found_all, adjusted.tolist(), strict=True):
        found = effect.paired.analysis
        places = words.decimals(found.headline().standard_error)
        cells.append(
            [
                escape(names[id(effect.row)]),
                escape(names[id(effect.scratch)]),
                words.difference(found.interval(), places),
                words.bare_p(found.p_value),
                words.bare_p(p),
            ]
        )
    if not cells:
        return []
    return [
        "### What the start changes, percentage points",
        grid(["row", "less", "difference [95 %]", "p", "Holm p"], cells, "llrrr"),
        bullets(
            [
                "The same head on the same kind of encoders, on the same episodes with the same seeds. The rows differ "
                "in their start and in what follows from it, such as the clips that passed the encoders. Holm p: "
                "adjusted "
                "over all rows of this table. Of a row with one seed: this trained model only."
            ]
        ),
    ]


def _entries(table: SuiteTable) -> list[_Entry]:
    """Rows with a transformer or a pre-training, and the other rows of the same heads. Published recipes differ in
    more than these factors."""
    entries = [_Entry(row, mark) for row, mark in zip(table.rows, marks(table), strict=True)]
    entries = [entry for entry in entries if entry.row.trained and not entry.row.published]
    heads = {entry.head for entry in entries if entry.started}
    return [entry for entry in entries if entry.head in heads]


def _labels(entries: list[_Entry]) -> dict[tuple[str, str, str], str]:
    """Each head by its method and regime, with the settings that tell it from others of its method."""
    keys = {repr(entry.head[:2]): entry.row.training for entry in entries}
    told = told_apart(
        {key: method_name(training) for key, training in keys.items()},
        {key: method_settings(training) for key, training in keys.items()},
    )
    return {
        entry.head: f"{method_name(entry.row.training)}{told[repr(entry.head[:2])]}, {entry.row.training.regime}"
        for entry in entries
    }


def _line(labels: dict[tuple[str, str, str], str], entries: list[_Entry]) -> list[str]:
    first = entries[0]
    training = first.row.training
    start = f"file {training.initialisation}" if starts.is_file(training) else starts.word(training)
    return [
        escape(labels[first.head]),
        starts.encoders(training),
        escape(start),
        *(
            _cell([entry for entry in entries if words.modality_name(entry.row.training.modalities) == seen])
            for seen in SEEN
        ),
    ]


def _cell(entries: list[_Entry]) -> str:
    """The accuracy; of rows that differ in their training otherwise, each with the start of its digest."""
    several = len(entries) > 1
    found = [
        accuracy(entry.row)
        + (f" ({entry.mark})" if entry.row.notes else "")
        + (f" ({words.short(entry.row.training.training_digest)})" if several else "")
        for entry in entries
    ]
    return "; ".join(found) or words.MISSING


def _caption(entries: list[_Entry]) -> list[str]:
    """What each factor means, in plain words."""
    trainings = [entry.row.training for entry in entries]
    encoders, given = set(map(starts.encoders, trainings)), set(map(starts.word, trainings))
    methods = ", ".join(sorted({entry.row.training.initialisation for entry in entries if entry.row.pretrainings}))
    told = [text for name, text in STARTS.items() if name in given]
    if methods:
        told.append(f"{methods} = {PRETRAINED}")
    prior = any(training.initialisation != starts.SCRATCH and training.encoder == "default" for training in trainings)
    return [
        "Head: the method, its settings, and whether the encoders under it are frozen or tuned with it. Encoders: "
        f"{'; '.join(text for name, text in ENCODERS.items() if name in encoders)}.",
        escape(f"Start: {'; '.join(told)}.{PRIOR if prior else ''}"),
        "Video, sensors, both: what the method is given, in training and in test. The figures are those of the table "
        f"above, with the letters of rows that are not ranked; {words.MISSING}: there is no such row.",
        "Do not judge from whether these intervals overlap: the differences to scratch are given with intervals of "
        "their "
        "own, and `oneshot compare` gives any other.",
    ]
