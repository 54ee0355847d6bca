"""Which rows are meant by ``FOLDER:ROW``, by a row alone, or by two folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.report import read_report
from harness.report.comparison import Side, different_tests, require_same_test
from harness.report.load import records_folder
from harness.report.lookup import find_row
from harness.report.tables import Report, SuiteTable
from harness.runtime.errors import HarnessError, nearest


@dataclass(frozen=True)
class Address:
    """A folder of records, and the row in it; None for all of its rows."""

    folder: Path
    row: str | None


@dataclass(frozen=True)
class Pairs:
    """Rows to be compared, and what had to be left out."""

    pairs: tuple[tuple[Side, Side], ...]
    left_out: tuple[str, ...]


def address(text: str, given: Path | None, only: Callable[[], Path]) -> Address:
    """``FOLDER:ROW``, a folder, or a row of the given folder.

    Args:
        only: finds the folder where none is given.

    Raises:
        HarnessError: the text names a folder that is not there.
    """
    if _has_records(Path(text)):
        return Address(Path(text), None)
    for place in [place for place, sign in enumerate(text) if sign == ":"][::-1]:
        folder, row = text[:place], text[place + 1 :].strip()
        if Path(folder).is_dir() and row:
            return Address(Path(folder), row)
    folder = text.split(":")[0]
    if os.sep in folder:
        raise HarnessError(
            "no records here." if Path(folder).is_dir() else "no such folder.",
            where=folder,
            remedy="Write FOLDER:ROW, or ROW with --in FOLDER.",
        )
    return Address(only() if given is None else given, text)


def pair_up(first: Address, second: Address, suites: Sequence[str] | None = None) -> Pairs:
    """The rows of both, suite by suite. Where only one side names a row, the other's is called alike; where none does,
    all rows that both have are paired.

    Raises:
        HarnessError: a row or a suite that is not there; or nothing to compare, and why.
    """
    folders = (first.folder.resolve(), second.folder.resolve())
    if first.row == second.row and folders[0] == folders[1]:
        raise HarnessError("A and B are the same.", where=first.folder, remedy="Name another row or another folder.")
    reports = {folder: read_report(folder) for folder in dict.fromkeys(folders)}
    named = bool(first.row or second.row)
    one = _sides(first, first.row or second.row, reports[folders[0]], suites)
    two = _sides(second, second.row or first.row, reports[folders[1]], suites)
    alike = [(a, b) for a in one for b in two if a.table.suite == b.table.suite and (named or a.name == b.name)]
    pairs = [(a, b) for a, b in alike if a.table.evaluation_digest == b.table.evaluation_digest]
    compared = {a.table.suite for a, _ in pairs}
    different = [(a, b) for a, b in alike if a.table.suite not in compared]
    if not pairs:
        if different:
            require_same_test(*different[0])
        raise HarnessError(
            f"no suite that both were tested on: A on {_suites(one)}, B on {_suites(two)}."
            if named
            else "no row that both folders have on a suite that both were tested on.",
            where=f"{first.folder} and {second.folder}",
            remedy="Score one on the other's suite, or name a row on each side.",
        )
    left = {
        a.table.suite: f"suite {a.table.suite} was left out: different {different_tests(a.table, b.table)}"
        for a, b in different
    }
    met = {id(side.row) for pair in alike for side in pair}
    for letter, sides in (("A", one), ("B", two)):
        for side in sides:
            if id(side.row) not in met:
                what = f"suite {side.table.suite}" if named else f"{side.name} ({side.table.suite})"
                left[f"{letter} {what}"] = f"only {letter} has {what}"
    return Pairs(tuple(pairs), tuple(left.values()))


def _sides(chosen: Address, row: str | None, report: Report, suites: Sequence[str] | None) -> list[Side]:
    tables = _tables(report, chosen.folder, suites)
    if row is not None:
        found = find_row(row, tables, str(chosen.folder))
        return [Side(str(chosen.folder), name, each, table) for table, each, name in found]
    return [
        Side(str(chosen.folder), name, each, table)
        for table in tables
        for each, name in zip(table.rows, table.names, strict=True)
    ]


def _tables(report: Report, folder: Path, suites: Sequence[str] | None) -> list[SuiteTable]:
    known = {table.suite for table in report.suites}
    for suite in suites or ():
        if suite not in known:
            raise HarnessError(f"no suite {suite!r} was scored.", where=folder, remedy=nearest(suite, known))
    return [table for table in report.suites if not suites or table.suite in suites]


def _has_records(folder: Path) -> bool:
    try:
        records_folder(folder)
    except HarnessError:
        return False
    return True


def _suites(sides: Sequence[Side]) -> str:
    return ", ".join(dict.fromkeys(side.table.suite for side in sides))
