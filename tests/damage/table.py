"""Kinds of files by what became of them, as a table in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.damage.runner import EQUAL, ERROR, FAILURES, UNSEEN

COLUMNS = {
    "tried": lambda what: True,
    "equal result": lambda what: what == EQUAL,
    "by a rule": lambda what: what.startswith("rule "),
    "one error": lambda what: what == ERROR,
    "plausible value": lambda what: what == UNSEEN,
    "failures": lambda what: what in FAILURES,
}


def markdown(counts: Mapping[str, Counter[str]]) -> str:
    """A row for each kind, one of all, and the rules that were met."""
    rows = {kind: _row(counts[kind]) for kind in sorted(counts, key=str.lower)}
    every = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = [
        f"| kind of file | {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * len(COLUMNS)}",
        *(f"| {kind} | {' | '.join(map(str, row))} |" for kind, row in rows.items()),
        f"| **all** | {' | '.join(map(str, every))} |",
    ]
    return "\n".join(lines) + "\n"


def _row(found: Counter[str]) -> list[int]:
    return [sum(count for what, count in found.items() if holds(what)) for holds in COLUMNS.values()]
