"""The confusion matrix of the best row."""

from __future__ import annotations

from mmact_oneshot.harness.report.charts.figure import Figure
from mmact_oneshot.harness.report.charts.heatmap import Line, heat_map
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import percent
from mmact_oneshot.harness.report.results.report import StudySuite


@SuiteFigure
def confusion(results: StudySuite) -> Figure | None:
    """The confusion matrix of the row with the highest accuracy; None where no trained row was scored."""
    best = results.best
    if best is None:
        return None
    measured = best.measured
    asked = measured.confusion.sum(axis=1)
    shares = [
        tuple(count / total if total else None for count in counts)
        for counts, total in zip(measured.confusion.tolist(), asked.tolist(), strict=True)
    ]
    columns = measured.classes
    lines = [
        Line(f"{number + 1} {each}", row, marked=number)
        for number, (each, row) in enumerate(zip(columns, shares, strict=True))
    ]
    return Figure(
        name="confusion",
        title=f"Confusion matrix of {best.name}",
        notes=(
            "The row with the highest accuracy. Rows: the true class; columns: the predicted class; in % of the "
            "queries of the true class, over all seeds. A class can be predicted only in episodes that contain it.",
        ),
        panels=(heat_map(columns, lines, _described(columns, shares)),),
        header=("true class", *columns),
        cells=tuple((each, *(percent(share, 0) for share in row)) for each, row in zip(columns, shares, strict=True)),
        wide=True,
    )


def _described(columns: tuple[str, ...], shares: list[tuple[float | None, ...]]) -> str:
    """The commonest mistake, in formats."""
    wrong = [
        (share, columns[true], columns[answer])
        for true, row in enumerate(shares)
        for answer, share in enumerate(row)
        if share is not None and answer != true
    ]
    if not wrong:
        return "No class was asked for."
    share, true, answer = max(wrong)
    return f"Most often mistaken: {true} for {answer}, {percent(share, 0)} % of the queries of {true}."
