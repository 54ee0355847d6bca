"""Which rows are meant by ``FOLDER:ROW``, by a row alone, or by two folders."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mmact_oneshot.harness.report.results.comparison import Side, different_tests, require_same_test
from mmact_oneshot.harness.report.results.load import load, records_folder
from mmact_oneshot.harness.report.results.metric import known_metrics
from mmact_oneshot.harness.report.results.report import Report, build
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest


@dataclass(frozen=True)
class Selector:
    """A folder of records, and the row in it; None for all of its rows."""

    folder: Path
    row: str | None


@dataclass(frozen=True)
class Scope:
    """What of the folders is compared; None and nothing stand for all."""

    study: str | None = None
    suites: Sequence[str] = ()


@dataclass(frozen=True)
class Selected:
    """Rows to be compared, and what had to be left out."""

    pairs: tuple[tuple[Side, Side], ...]
    left_out: tuple[str, ...]


def selector(text: str, folder: Path | None, only: Callable[[], Path]) -> Selector:
    """``FOLDER:ROW``, a folder, or a row of ``folder``.

    Args:
        only: finds the folder where none is named.

    Raises:
        HarnessError: the text names a folder that is not there.
    """
    if _has_records(Path(text)):
        return Selector(Path(text), None)
    for place in [place for place, sign in enumerate(text) if sign == ":"][::-1]:
        named, row = text[:place], text[place + 1 :].strip()
        if Path(named).is_dir() and row:
            return Selector(Path(named), row)
    named = text.split(":")[0]
    if os.sep in named:
        raise HarnessError(
            "no records here." if Path(named).is_dir() else "no such folder.",
            where=named,
            remedy="Write FOLDER:ROW, or ROW with --in FOLDER.",
        )
    return Selector(only() if folder is None else folder, text)


def select(first: Selector, second: Selector, scope: Scope) -> Selected:
    """The rows of both, suite by suite. Where only one side names a row, the other's has the same name; where none
    does, all rows that both have are paired.

    Raises:
        HarnessError: a row, a study or a suite that is not there; or nothing to compare, and why.
    """
    folders = (first.folder.resolve(), second.folder.resolve())
    if first.row == second.row and folders[0] == folders[1]:
        raise HarnessError("A and B are the same.", where=first.folder, remedy="Name another row or another folder.")
    reports = {folder: build(load(folder), known_metrics()) for folder in dict.fromkeys(folders)}
    named = bool(first.row or second.row)
    one = _chosen(first, first.row or second.row, reports[folders[0]], scope)
    two = _chosen(second, second.row or first.row, reports[folders[1]], scope)
    alike = [
        (a, b)
        for a in one
        for b in two
        if a.suite.name == b.suite.name and (named or (a.study, a.name) == (b.study, b.name))
    ]
    pairs = [(a, b) for a, b in alike if a.suite.record.evaluation_digest == b.suite.record.evaluation_digest]
    compared = {a.suite.name for a, _ in pairs}
    different = [(a, b) for a, b in alike if a.suite.name not in compared]
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
    left = {a.suite.name: f"suite {a.suite.name} was left out: different {different_tests(a, b)}" for a, b in different}
    met = {id(side.row) for pair in alike for side in pair}
    for letter, sides in (("A", one), ("B", two)):
        for side in sides:
            if id(side.row) not in met:
                what = f"suite {side.suite.name}" if named else f"{side.name} ({side.suite.name})"
                left[f"{letter} {what}"] = f"only {letter} has {what}"
    return Selected(tuple(pairs), tuple(left.values()))


def matching(query: str, names: Sequence[str]) -> list[str]:
    """The names that a query fits best: the very name; else those that have all its parts, in their order; else those
    whose parts begin with them.

    >>> matching("trx, both", ["trx (dropout 0.1), video", "trx (dropout 0.1), both"])
    ['trx (dropout 0.1), both']
    """
    if query in names:
        return [query]
    wanted = _parts(query)
    for fits in (str.__eq__, str.startswith):
        found = [name for name in names if wanted and _in_order(wanted, _parts(name), fits)]
        if found:
            shortest = min(len(_parts(name)) for name in found)  # "mu_mae, both" is not "mu_mae (residual yes), both"
            plain = [name for name in found if len(_parts(name)) == shortest == len(wanted)]
            return plain or found
    return []


def _chosen(chosen: Selector, query: str | None, report: Report, scope: Scope) -> list[Side]:
    sides = list(_sides(chosen, report, scope))
    if query is None:
        return sides
    names = list(dict.fromkeys(side.name for side in sides))
    for study in dict.fromkeys(side.study for side in sides):  # the first study that has the row
        within = [side for side in sides if side.study == study]
        found = matching(query, list(dict.fromkeys(side.name for side in within)))
        if len(found) > 1:
            raise HarnessError(
                f"{query!r} fits {len(found)} rows of study {study}: {'; '.join(found)}.",
                where=chosen.folder,
                remedy="Name one of them, or enough of it: parts in their order, separated by commas.",
            )
        if found:
            return [side for side in within if side.name == found[0]]
    close = _corrected(query, names)
    hint = f"Did you mean {close!r}? " if close else ""
    raise HarnessError(f"no row {query!r}.", where=chosen.folder, remedy=f"{hint}Rows: {'; '.join(names)}.")


def _sides(chosen: Selector, report: Report, scope: Scope) -> Iterator[Side]:
    """Every row of the studies and suites in scope, then predictions made elsewhere."""
    folder = str(chosen.folder)
    studies, suites = [study.name for study in report.studies], [suite.name for suite in report.suites]
    if scope.study is not None and scope.study not in studies:
        raise HarnessError(f"no study {scope.study!r}.", where=folder, remedy=nearest(scope.study, studies))
    for suite in scope.suites:
        if suite not in suites:
            raise HarnessError(f"no suite {suite!r} was scored.", where=folder, remedy=nearest(suite, suites))
    for study in report.studies:
        for results in study.suites:
            if scope.study in (None, study.name) and (not scope.suites or results.suite.name in scope.suites):
                for ranking in results.rankings.values():
                    yield from (Side(folder, study.name, study.record.varies, ranking, row) for row in ranking.rows)
    for tested, ranking in report.external:
        if scope.study is None and (not scope.suites or tested.name in scope.suites):
            yield from (Side(folder, "", (), ranking, row) for row in ranking.rows)


def _corrected(query: str, names: Sequence[str]) -> str:
    """The query with every part that no name has replaced by the nearest; nothing where that fits no row either."""
    known = {part for name in names for part in _parts(name)}
    corrected = ", ".join((get_close_matches(part, known, n=1) or [part])[0] for part in _parts(query))
    return corrected if matching(corrected, names) else ""


def _parts(name: str) -> list[str]:
    """Label, settings and modalities, each alone."""
    return [" ".join(part.lower().split()) for part in re.split(r"[,()]", name) if part.strip()]


def _in_order(wanted: Sequence[str], parts: Sequence[str], fits: Callable[[str, str], bool]) -> bool:
    """Whether the first part fits the first, and the others fit later ones in their order."""
    if not parts or not fits(parts[0], wanted[0]):
        return False
    left = iter(parts[1:])
    return all(any(fits(part, each) for part in left) for each in wanted[1:])


def _has_records(folder: Path) -> bool:
    try:
        records_folder(folder)
    except HarnessError:
        return False
    return True


def _suites(sides: Sequence[Side]) -> str:
    return ", ".join(dict.fromkeys(side.suite.name for side in sides))
