"""What the best row takes for what."""

from __future__ import annotations

from harness.report import words
from harness.report.charts.figure import Figure
from harness.report.charts.heatmap import Line, heat_map
from harness.report.tables import SuiteTable


def confusion(table: SuiteTable) -> Figure | None:
    """The confusion matrix of the best row as a heat map; None where no trained row was scored."""
    best = table.best
    if best is None:
        return None
    name = dict(zip(map(id, table.rows), table.names, strict=True))[id(best)]
    kind = "the ranked row with the highest accuracy" if best.rank is not None else "no row is ranked; the highest"
    asked = best.confusion.sum(axis=1)
    shares = [
        tuple(count / total if total else None for count in counts)
        for counts, total in zip(best.confusion.tolist(), asked.tolist(), strict=True)
    ]
    columns = table.classes
    lines = [
        Line(f"{number + 1} {each}", row, marked=number)
        for number, (each, row) in enumerate(zip(columns, shares, strict=True))
    ]
    return Figure(
        name="confusion",
        title=f"What is taken for what: {name}",
        notes=(
            f"Of {kind}. Rows: the true class; columns: the answer; in % of the queries of the true class, over all "
            "seeds. Framed: right answers. A class is offered as an answer only in the episodes that hold it.",
        ),
        panels=(heat_map(columns, lines, _described(columns, shares)),),
        header=("true class", *columns),
        cells=tuple(
            (each, *(words.percent(share, 0) for share in row)) for each, row in zip(columns, shares, strict=True)
        ),
        wide=True,
    )


def _described(columns: tuple[str, ...], shares: list[tuple[float | None, ...]]) -> str:
    """The commonest mistake, in words."""
    wrong = [
        (share, columns[true], columns[answer])
        for true, row in enumerate(shares)
        for answer, share in enumerate(row)
        if share is not None and answer != true
    ]
    if not wrong:
        return "No class was asked for."
    share, true, answer = max(wrong)
    return f"Most often mistaken: {true} for {answer}, {words.percent(share, 0)} % of the queries of {true}."
