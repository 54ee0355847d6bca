"""A row by the name that the report shows, or by as much of it as tells it from the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from harness.report.rows import Row
from harness.report.tables import SuiteTable
from harness.runtime.errors import HarnessError


def find_row(query: str, tables: Sequence[SuiteTable], where: str) -> list[tuple[SuiteTable, Row, str]]:
    """The row that is meant in each table that has it, with its name there: the tables of a report may call one row
    differently, since a name says what tells it from the other rows of its table.

    Raises:
        HarnessError: no table has it, with the nearest right name; or several rows of a table fit, which are listed.
    """
    found = []
    for table in tables:
        fitting = matching(query, table.names)
        if len(fitting) > 1:
            raise HarnessError(
                f"{query!r} fits {len(fitting)} rows of suite {table.suite}: {_listed(fitting)}.",
                where=where,
                remedy="Name one of them, or enough of it: parts in their order, separated by commas.",
            )
        found += [(table, row, name) for row, name in zip(table.rows, table.names, strict=True) if fitting == [name]]
    if not found:
        names = list(dict.fromkeys(name for table in tables for name in table.names))
        close = _mended(query, names)
        hint = f"Did you mean {close!r}? " if close else ""
        raise HarnessError(f"no row {query!r}.", where=where, remedy=f"{hint}Rows: {_listed(names)}.")
    return found


def matching(query: str, names: Sequence[str]) -> list[str]:
    """The names that a query fits best: the very name; else those that have all its parts, in their order; else those
    whose parts begin so.

    >>> matching("trx, both", ["trx, video, frozen", "trx, both, frozen"])
    ['trx, both, frozen']
    """
    if query in names:
        return [query]
    wanted = _parts(query)
    for fits in (str.__eq__, str.startswith):
        found = [name for name in names if wanted and _in_order(wanted, _parts(name), fits)]
        if found:
            return found
    return []


def _mended(query: str, names: Sequence[str]) -> str:
    """The query with every part of it that no name has put right; nothing where that fits no row either."""
    known = {part for name in names for part in _parts(name)}
    mended = ", ".join((get_close_matches(part, known, n=1) or [part])[0] for part in _parts(query))
    return mended if matching(mended, names) else ""


def _parts(name: str) -> list[str]:
    """Label, settings and the rest, each alone."""
    return [" ".join(part.lower().split()) for part in re.split(r"[,()]", name) if part.strip()]


def _in_order(wanted: Sequence[str], parts: Sequence[str], fits: Callable[[str, str], bool]) -> bool:
    """Whether the first part fits the first, and the others fit further ones in their order."""
    if not parts or not fits(parts[0], wanted[0]):
        return False
    left = iter(parts[1:])
    return all(any(fits(part, each) for part in left) for each in wanted[1:])


def _listed(names: Sequence[str]) -> str:
    return "; ".join(names)
