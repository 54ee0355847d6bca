"""Predictions made outside the harness, scored alone, as blocks."""

from __future__ import annotations

from mmact_oneshot.harness.report.formats import accuracy_text, percent
from mmact_oneshot.harness.report.model.blocks import Block, Items, Paragraph
from mmact_oneshot.harness.report.model.captions import data_warnings, suite_sentence
from mmact_oneshot.harness.report.model.estimates import estimates_table
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.suite_names import suite_title


def score_blocks(measured: Measured, incomplete: int) -> list[Block]:
    """Accuracy with every interval, by class and by subject, scene and camera.

    Args:
        incomplete: episodes that were left out because only some of their queries have a prediction.
    """
    training, places, suite = measured.training, measured.decimals, measured.suite
    source = training.conditions.get("source")
    blocks: list[Block] = [Paragraph(text, "warning") for text in data_warnings(training.data)]
    blocks += [
        Paragraph(f"{training.method}, {measured.modality}: made outside the harness (as stated by {source})"),
        Paragraph(f"{suite_title(suite.name)}: {suite_sentence(suite)}"),
        Paragraph(
            f"Accuracy {accuracy_text(measured.interval, places)} % [95 %], {measured.episodes:,} of {len(suite):,} "
            "episodes. One set of predictions: no interval here covers training again."
        ),
    ]
    analysis = measured.inference.analysis
    if analysis is not None:
        blocks.append(estimates_table(analysis, places))
    shares = [
        (share, name) for share, name in zip(measured.per_class, measured.classes, strict=True) if share is not None
    ]
    metrics = measured.metrics
    facts = [
        "; ".join(f"{metric.title} {metric.text(value, places)}" for metric, value in metrics.values.items()) + ".",
        "By class, %: " + ", ".join(f"{name} {percent(share, 0)}" for share, name in sorted(shares)),
    ]
    for what, groups in metrics.groups.items():
        parts = ", ".join(f"{group.name} {percent(group.accuracy, 0)}" for group in groups)
        facts.append(f"By {what} of the query, %: {parts}")
    blocks.append(Items(tuple(facts)))
    if incomplete:
        count = f"{incomplete:,} episode{'s' * (incomplete != 1)}"
        blocks.append(Paragraph(f"Left out, since only some queries have a prediction: {count}.", "warning"))
    return blocks
