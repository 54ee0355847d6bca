"""What stands behind a row: seeds, costs, settings, the command that repeats it, and its records."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mmact_oneshot.harness.report.formats import (
    MISSING,
    assignments,
    compact,
    listed,
    percent,
    plain,
    seconds,
)
from mmact_oneshot.harness.report.model.blocks import Block, Items, Link, Links, Paragraph, Section, Table, plain_table
from mmact_oneshot.harness.report.model.captions import EXTERNAL_DATA, coverage, decided_by
from mmact_oneshot.harness.report.model.matrix import row_section
from mmact_oneshot.harness.report.results.labels import unique
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.report.results.report import StudyResults
from mmact_oneshot.harness.report.statistics import Analysis, Estimate

COST_HEADER = (
    *("modalities", "parameters trained", "all", "operations a clip", "an episode", "train s", "pre-train s"),
    *("test s", "episodes/s", "memory GB"),
)
COST_CAPTION = (
    "Operations: a multiplication with its addition counts as two. Times are means over seeds, pre-training all seeds "
    "together. Memory: on a GPU the peak in training, on a CPU the peak of the process."
)
ERROR_HEADER = ("modalities", "these clips", "new performances", "new subjects", "delete-one", "interval from")
ERROR_CAPTION = (
    "Standard errors in percentage points, in brackets the degrees of freedom. Delete-one: new subjects by leaving out "
    "one at a time, beside the infinitesimal jackknife; it decides nothing."
)


def row_sections(study: StudyResults) -> tuple[Section, ...]:
    """A folded section for every row of a study."""
    labels = unique(label for results in study.suites for label in results.labels)
    return tuple(_section(study, label) for label in labels)


def _section(study: StudyResults, label: str) -> Section:
    first = study.suites[0]
    rows = [row for ranking in first.rankings.values() for row in ranking.rows if row.label == label]
    gaps = [f"{modality}: {reason}." for (name, modality), reason in first.gaps.items() if name == label]
    blocks: list[Block] = [Items(tuple(gaps))] if gaps else []
    if rows:
        blocks += _blocks(study, label, rows)
    return Section(row_section(study.name, label), label, tuple(blocks), folded=True)


def _blocks(study: StudyResults, label: str, rows: Sequence[Row]) -> list[Block]:
    training = rows[0].measured.training
    prefix = row_section(study.name, label)
    notes = unique(note for row in rows for note in row.notes)
    blocks: list[Block] = [Items(tuple(f"Not ranked: {note}." for note in notes))] if notes else []
    blocks += [_accuracies(study, label, f"{prefix}-accuracy"), _errors(rows, f"{prefix}-errors")]
    blocks.append(_costs(rows, f"{prefix}-costs"))
    if training.training != "external":
        blocks.append(_training(rows, f"{prefix}-training"))
        blocks.append(Paragraph(f"Settings: {assignments(training.method_settings) or 'none'}."))
        blocks.append(Paragraph(f"Again: `{command(study, rows)}`"))
    if training.external_data:
        blocks.append(Paragraph(f"{EXTERNAL_DATA} Here: {listed(training.external_data)}.", "note"))
    blocks.append(_records(rows))
    return blocks


def _accuracies(study: StudyResults, label: str, name: str) -> Table:
    """Accuracy on every suite, with the ranks that remain possible and the accuracy of every seed."""
    lines = []
    for results in study.suites:
        for modality, ranking in results.rankings.items():
            for row in ranking.rows:
                if row.label == label:
                    lines.append((results.suite.name, modality, *_figures(row)))
    titles = tuple(metric.title for metric in study.suites[0].rows[0].measured.asked)
    header = ("suite", "modalities", "accuracy, %", "95 %", "ranks", "by seed, %", *titles)
    align = "llrrrr" + "r" * len(titles)
    return plain_table(name, "Accuracy", header, lines, align=align, caption=_covers(study, label))


def _figures(row: Row) -> tuple[str, ...]:
    measured, places = row.measured, row.measured.decimals
    interval = row.interval
    ranks = MISSING if row.ranks is None else MISSING.join(map(str, dict.fromkeys(row.ranks)))
    by_seed = [each.evaluation.accuracy for each in measured.scored_by]
    return (
        percent(interval.mean, places),
        f"{percent(interval.low, places)} to {percent(interval.high, places)}",
        ranks,
        listed(percent(share, places) for share in by_seed),
        *(metric.text(value, places) for metric, value in measured.metrics.values.items()),
    )


def _covers(study: StudyResults, label: str) -> str:
    row = next(row for results in study.suites for row in results.rows if row.label == label)
    what = coverage(row.measured.inference.analysis, len(row.measured.seeds))
    scope = ""
    if row.measured.pretrainings:
        anew = row.measured.pretrained_anew
        scope = " It covers pre-training again." if anew else " It is conditional on one pre-training."
    return (
        f"Intervals for {what}.{scope} Ranks: the lowest and highest that all simultaneous intervals leave. Worst "
        "tenth: of the episodes. ECE: expected calibration error, points."
    )


def _errors(rows: Sequence[Row], name: str) -> Table:
    lines = [
        (row.measured.modality, *map(_error, _estimates(analysis)), decided_by(analysis))
        for row in rows
        if (analysis := row.measured.inference.analysis) is not None
    ]
    return plain_table(name, "Standard errors", ERROR_HEADER, lines, align="lrrrrl", caption=ERROR_CAPTION)


def _estimates(analysis: Analysis) -> tuple[Estimate, ...]:
    return analysis.clips, analysis.performances, analysis.subjects, analysis.deletion


def _error(found: Estimate) -> str:
    if not found.available:
        return f"{MISSING} ({found.note.removeprefix('not available: ')})"
    text = f"{found.standard_error * 100:.2f} ({found.degrees_of_freedom:,.0f})"
    return f"{text}, no effect" if found.note else text


def _costs(rows: Sequence[Row], name: str) -> Table:
    lines = [(row.measured.modality, *_cost(row.measured)) for row in rows]
    return plain_table(name, "Cost", COST_HEADER, lines, caption=COST_CAPTION)


def _cost(measured: Measured) -> tuple[str, ...]:
    counts, operations = measured.training.parameters, measured.metrics.operations
    rate, memory = measured.episodes_per_second, measured.memory
    return (
        MISSING if measured.external else compact(counts.get("trained", 0)),
        MISSING if measured.external else compact(counts.get("total", 0)),
        MISSING if operations is None else compact(operations.clip),
        MISSING if operations is None else compact(operations.episode),
        seconds(measured.train_seconds) if measured.trained else MISSING,
        seconds(measured.pretraining_seconds),
        seconds(measured.test_seconds),
        MISSING if rate is None else f"{rate:,.0f}",
        MISSING if memory is None or not measured.trained else f"{memory / 1e9:.1f}",
    )


def _training(rows: Sequence[Row], name: str) -> Table:
    lines = []
    for row in rows:
        training = row.measured.training
        kept = [
            f"{each.best_step}: {percent(dict(each.validations).get(each.best_step), 1)}"
            for each in row.measured.trainings
        ]
        lines.append(
            (
                row.measured.modality,
                training.training.replace("_", "-"),
                training.initialisation,
                listed(row.measured.seeds) if row.measured.trained else MISSING,
                MISSING if training.learning_rate is None else f"{training.learning_rate:g}",
                _tried(row),
                "; ".join(kept) if row.measured.trained else MISSING,
                plain(training.method_source),
                training.conditions_digest[:8],
            )
        )
    header = (
        *("modalities", "training", "initialisation", "seeds", "learning rate", "tried: validation, %"),
        *("kept step: validation, %", "source", "conditions"),
    )
    return plain_table(name, "Training", header, lines, align="lllrrllll")


def _tried(row: Row) -> str:
    """``0.0003: 61.2; 0.001: 65.0``"""
    texts = [
        f"{rate:g}: {'diverged' if accuracy is None else percent(accuracy, 1)}"
        for rate, accuracy in row.measured.training.tried
    ]
    return "; ".join(texts) or MISSING


def command(study: StudyResults, rows: Sequence[Row]) -> str:
    """What repeats a row; a name that a shell would take for more than a word is quoted."""
    training = rows[0].measured.training
    preset, name, method = map(shlex.quote, (training.preset, study.name, training.method))
    which = f" --modalities {rows[0].measured.modality}" if len(rows) == 1 else ""
    overrides = "".join(f" --set {_quoted(text)}" for text in training.settings.get("overrides", ()))
    seeds = max(rows[0].measured.seeds, default=0) + 1
    return (
        f"oneshot run --data DATA --preset {preset} --study {name} --method {method}{which} --seeds {seeds}{overrides}"
    )


def _quoted(text: object) -> str:
    """In quotes, needed or not."""
    plain = str(text)
    return shlex.quote(plain) if "'" in plain else f"'{plain}'"


def _records(rows: Sequence[Row]) -> Links:
    """The training and evaluation records, from the folder of the report."""
    found = []
    for row in rows:
        for each in row.measured.scored_by:
            seed = f"{row.measured.modality}, seed {each.training.seed}"
            found.append(Link(f"training, {seed}", f"records/training/{each.training.id}.json"))
            found.append(Link(f"evaluation, {seed}", f"records/evaluation/{each.evaluation.id}.json"))
    return Links(tuple(found))


def external_section(results: Sequence[tuple[str, Sequence[Row]]]) -> Section | None:
    """Predictions made elsewhere, suite by suite; never ranked."""
    lines = [
        (row.label, suite, row.measured.modality, *_figures(row)[:2], row.notes[0])
        for suite, rows in results
        for row in rows
    ]
    if not lines:
        return None
    header = ("row", "suite", "modalities", "accuracy, %", "95 %", "why it is not ranked")
    caption = "Scored with the same statistics and never ranked: nothing of their training is known here."
    table = plain_table("external-rows", "", header, lines, align="lllrrl", caption=caption)
    return Section("external", "Predictions made outside the harness", (table,))
