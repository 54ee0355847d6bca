"""`oneshot compare`: the difference of two rows, with everything that is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.report.addresses import Pairs
    from harness.report.comparison import Comparison


def command(
    first: Annotated[str, typer.Argument(metavar="A", help="A row, FOLDER:ROW, or a folder.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="The same.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--in", help="Folder of a run, for rows alone; by default the one below ./runs."),
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Only this suite. Repeatable; by default all that both have.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: shares in 0..1, differences A less B.")] = False,
) -> None:
    """Compare two rows in pairs: the same episodes, the same seeds; from the records alone.

    A row is named as the report names it, or by enough of it to tell it from the others: parts in their order,
    separated by commas. A folder alone stands for the row of the other side's name, and two folders for all rows that
    both have: two versions of a method or of the code. Exits with 0 whatever comes out.

    Examples:

        oneshot compare "protonet, both" "trx, both" --in runs/quick

        oneshot compare "runs/old:mine, both" "runs/new:mine, both" --suite test

        oneshot compare runs/old runs/new --json
    """
    from json import dumps

    from harness.cli.console import console
    from harness.cli.runs import only_run
    from harness.report.addresses import address, pair_up

    a, b = address(first, folder, only_run), address(second, folder, only_run)
    pairs = pair_up(a, b, suite)
    whole = a.row is None and b.row is None
    found, left = _compared(pairs, whole)
    adjusted: list[float | None] = _adjusted(found) if whole else [None for _ in found]
    if json:
        from harness.report.comparison_json import as_json

        content = [as_json(each, len(found), p) for each, p in zip(found, adjusted, strict=True)]
        typer.echo(dumps({"comparisons": content, "left_out": left}, indent=1, allow_nan=False, ensure_ascii=False))
        return
    if whole:
        _show_all(found, adjusted, console)
    else:
        _show_each(found, console)
    for text in left:
        console.print(f"{text}.", markup=False, style="dim")


def _compared(pairs: Pairs, whole: bool) -> tuple[list[Comparison], list[str]]:
    """Of two folders, what can be compared; of two rows, all or an error."""
    from harness.report.comparison import compare_sides
    from harness.runtime.errors import HarnessError

    found, left = [], list(pairs.left_out)
    for first, second in pairs.pairs:
        try:
            found.append(compare_sides(first, second))
        except HarnessError as error:
            if not whole:
                raise
            left.append(f"{first.name} ({first.table.suite}) was left out: {error.problem.removesuffix('.')}")
    if not found:
        raise HarnessError("no row of the two folders can be compared.", remedy="; ".join(left))
    return found, left


def _adjusted(found: list[Comparison]) -> list[float | None]:
    """Holm-adjusted p over the rows of a suite."""
    import numpy as np

    from harness.report.statistics import holm

    adjusted: list[float | None] = [None] * len(found)
    for suite in {each.table.suite for each in found}:
        places = [place for place, each in enumerate(found) if each.table.suite == suite]
        p_values = holm(np.asarray([found[place].p for place in places], dtype=np.float64))
        for place, p in zip(places, p_values.tolist(), strict=True):
            adjusted[place] = p
    return adjusted


def _show_each(found: list[Comparison], console: Console) -> None:
    """Two rows, suite by suite, what they are only where it changes."""
    from harness.report.columns import data_warnings

    shown = None
    for each in found:
        ends = tuple((side.folder, side.name, side.row.training.training_digest) for side in (each.first, each.second))
        if shown is None:
            for warning in data_warnings(each.table.data):
                _say(console, warning, "bold yellow")
        if ends != shown:
            _show_rows(each, console)
            shown = ends
        _show_suite(each, len(found), console)


def _show_rows(found: Comparison, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from harness.report import verdict

    for letter, side in (("A", found.first), ("B", found.second)):
        _say(console, f"{letter}: {side.name}   ({side.folder})", "bold")
    _say(console, verdict.training(found) + (":" if found.conditions else ""), "yellow" if found.conditions else "")
    for what, differing in (("training", found.conditions), ("the method's own", found.settings)):
        if differing:
            table = Table(what, "A", "B")
            for cells in differing:
                table.add_row(*map(Text, cells))
            console.print(table)
    for text in (*verdict.seeds(found), verdict.versions(found)):
        if text:
            _say(console, text)


def _show_suite(found: Comparison, comparisons: int, console: Console) -> None:
    from harness.cli.estimates import estimates
    from harness.report import verdict, words
    from harness.report.columns import title

    console.print()
    _say(console, title(found.table), "bold")
    _say(console, verdict.sentence(found), "bold cyan")
    _say(console, verdict.coverage(found))
    places = found.decimals
    _say(console, f"Means: A {words.percent(found.means[0], places)} %, B {words.percent(found.means[1], places)} %.")
    console.print(estimates(found.closed, found.analysis, places, difference=True))
    if found.signs is not None:
        _say(
            console,
            f"Sign flips by subject: {words.p_value(found.signs.p_value)}, for comparison; with so few subjects it "
            f"cannot fall below {found.signs.smallest:.2g}.",
        )
    for text in (*verdict.answers(found), *verdict.classes(found)):
        _say(console, text)
    for text in verdict.cautions(found, comparisons):
        _say(console, text, "yellow")


def _show_all(found: list[Comparison], adjusted: list[float | None], console: Console) -> None:
    """Two folders: a line for each row that both have, and that answers anything differently."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from harness.report import verdict, words
    from harness.report.columns import data_warnings, title
    from harness.report.covering import covers

    first, second = found[0].first.folder, found[0].second.folder
    for text in (f"A: {first}", f"B: {second}", verdict.versions(found[0])):
        if text:
            _say(console, text)
    for suite in dict.fromkeys(each.table.suite for each in found):
        lines = [(each, p) for each, p in zip(found, adjusted, strict=True) if each.table.suite == suite]
        console.print()
        _say(console, title(lines[0][0].table), "bold")
        for warning in data_warnings(lines[0][0].table.data):
            _say(console, warning, "bold yellow")
        same = [each.first.name for each, _ in lines if each.same_answers]
        differs = any(each.conditions or each.settings for each, _ in lines)
        header = ("row", "A, %", "B, %", "A less B, points [95 %]", "p", "Holm p", *(["differs"] if differs else []))
        table = Table(*header, box=SIMPLE_HEAD)
        for each, p in lines:
            if not each.same_answers:
                cells = (
                    each.first.name,
                    *(words.percent(mean, each.decimals) for mean in each.means),
                    words.difference(each.interval, each.decimals),
                    words.bare_p(each.p),
                    words.bare_p(float("nan") if p is None else p),
                    *([_what_differs(each)] if differs else []),
                )
                table.add_row(*map(Text, cells))
        if same:
            what = "All" if len(same) == len(lines) else f"{len(same)} of {len(lines)}"
            rows = "" if len(same) == len(lines) else f": {'; '.join(same)}"
            _say(console, f"{what} rows are right and wrong on the very same queries in A and B{rows}.")
        if len(same) < len(lines):
            console.print(table)
            covered = covers(lines[0][0].analysis, len(lines[0][0].seeds))
            _say(
                console,
                f"The intervals cover {covered}, never other classes. Holm p: adjusted over the {len(lines)} rows. "
                f"`oneshot compare {first}:ROW {second}:ROW` says more of one.",
            )


def _what_differs(found: Comparison) -> str:
    parts = dict.fromkeys(name.split(".")[0] for name, _, _ in found.conditions)
    own = ["the method's own"] if found.settings else []
    return ", ".join([*parts, *own]) or "nothing named"


def _say(console: Console, text: str, style: str = "") -> None:
    """Without markup: names may hold brackets."""
    from rich.text import Text

    console.print(Text(text, style))
