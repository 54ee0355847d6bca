"""The suites in words, in the order of the report. A test holds that every suite of the harness is here."""

from __future__ import annotations

from typing import NamedTuple


class SuiteWords(NamedTuple):
    """Title and rule of a suite: what support and query clips of a class may share."""

    title: str
    rule: str


PERFORMANCES = "Support and query clips of a class are never the same performance."
SUITES = {
    "test": SuiteWords("headline suite", PERFORMANCES),
    "test-cross-subject": SuiteWords(
        "support and query from different subjects", "Support and query clips of a class show different subjects."
    ),
    "test-cross-view": SuiteWords(
        "support and query from different cameras",
        "Support and query clips of a class come from different cameras and performances.",
    ),
    "test-cross-scene": SuiteWords(
        "support and query from different scenes", "Support and query clips of a class come from different scenes."
    ),
    "test-cross-session": SuiteWords(
        "support and query from different sessions", "Support and query clips of a class come from different sessions."
    ),
    "test-5shot": SuiteWords("five support clips of each class", PERFORMANCES),
    "test-paper": SuiteWords(
        "drawn as in the released Mu-MAE code",
        "Any clips, one query an episode: its own performance may be in the support set. Trained on base and "
        "validation classes, last state kept.",
    ),
    "val": SuiteWords("validation, for selection only", PERFORMANCES),
}


def suite_title(name: str) -> str:
    """``test (headline suite)``."""
    return f"{name} ({SUITES[name].title})" if name in SUITES else name
