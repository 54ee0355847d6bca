"""Macro-F1."""

from __future__ import annotations

from mmact_oneshot.harness.report.results.metric import Answers, metric


@metric("macro-F1")
def macro_f1(answers: Answers) -> float | None:
    """Mean over the classes that were asked for of 2 TP / (2 TP + FP + FN)."""
    right = answers.confusion.diagonal().astype(float)
    asked, answered = answers.confusion.sum(axis=1), answers.confusion.sum(axis=0)
    known = asked > 0
    return float((2 * right[known] / (asked + answered)[known]).mean())
