"""Several reports at a glance: the page that opens a folder of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.report import conclusions, words
from harness.report.columns import (
    accuracy,
    caption,
    columns_of,
    data_warnings,
    guard_sentence,
    legend,
    marks,
    rank_interval,
    title,
)
from harness.report.grid import bullets, escape, grid
from harness.report.tables import Report, SuiteTable

COVERAGE = "coverage.json"


def overview(reports: Mapping[str, Report], coverage: Mapping[str, Any] | None) -> str:
    """Markdown.

    Args:
        reports: by the folder that each lies in.
        coverage: the record of the simulation of intervals; None where there is none.
    """
    parts = [
        "# Results",
        "Made by `oneshot report` from the records in these folders, and from nothing else.",
        "## What may and what may not be concluded",
    ]
    for name, report in reports.items():
        parts += [
            f"**{escape(name)}** ({escape(_data(report))}). {conclusions.frozen_at(report)}",
            "May be concluded:",
            bullets(map(_told, conclusions.may(report))),
            "May not be concluded:",
            bullets(map(_told, conclusions.may_not(report))),
        ]
    for name, report in reports.items():
        parts += [f"## {escape(name)}", *_linked(name, report)]
    if coverage is not None:
        parts += _coverage(coverage)
    return "\n\n".join(parts) + "\n"


def read_coverage(path: Path) -> dict[str, Any] | None:
    """The record that ``python -m harness.report.statistics.simulation.coverage`` writes; None where there is none."""
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _told(sentence: str) -> str:
    """Escaped, but for the commands that our own sentences name."""
    return escape(sentence).replace("\\`", "`")


def _data(report: Report) -> str:
    layouts = dict.fromkeys(str(data.get("layout")) for data in report.data)
    generated = any(data.get("generated") for data in report.data)
    return f"{'generated data in the layout' if generated else 'recordings,'} {', '.join(layouts)}"


def _linked(name: str, report: Report) -> list[str]:
    where = f"{name}/report"
    warnings = [f"> **{escape(warning)}**" for data in report.data for warning in data_warnings(data)]
    files = (
        f"Whole report: [page]({where}.html), [Markdown]({where}.md), [LaTeX]({where}.tex), tables as CSV beside them."
    )
    return [*warnings, files, *(part for table in report.suites for part in _suite(table))]


def _suite(table: SuiteTable) -> list[str]:
    """The table with the columns that matter most."""
    wanted = {"method", "sees", "encoders", "start"}
    shown = [column for column in columns_of(table) if column.header in wanted]
    left, cells = iter(marks(table)), []
    for section in table.sections:
        cells.append(["", f"*{escape(section.heading)}*", *[""] * (len(shown) + 1)])
        for row in section.rows:
            values = [escape(column.cell(row)) for column in shown]
            cells.append([next(left), *values, accuracy(row), rank_interval(row)])
    header = ["#", *(column.header for column in shown), "accuracy, % [95 %]", "ranks"]
    notes = [f"{letter}: {escape(reason)}." for reason, letter in legend(table).items()]
    return [
        f"### {escape(title(table))}",
        *(f"> **{escape(guard_sentence(guard))}**" for guard in table.guards if guard.failed),
        grid(header, cells, ["", *"l" * len(shown), "r", "r"]),
        bullets([*notes, *map(escape, caption(table))]),
    ]


def _coverage(found: Mapping[str, Any]) -> list[str]:
    kinds = {
        "closed": "these clips",
        "performances": "new performances",
        "subjects": "new subjects",
        "deletion": "delete-one",
        "headline": "headline",
    }
    cells = []
    for world in found["worlds"]:
        intervals = world["intervals"]
        cells.append(
            [
                escape(world["world"]["name"]),
                f"{world['true_sd'] * 100:.2f}",
                *(words.percent(intervals[kind]["share"], 1) for kind in kinds),
                f"{intervals['headline']['mean_half_width'] * 100:.2f}",
            ]
        )
    low, high = found["headline_limits"]
    replicates = found["worlds"][0]["replicates"]
    return [
        "## Do the intervals hold?",
        f"Coverage in % of nominal {found['level'] * 100:.0f} % intervals over {replicates:,} made-up test sets a "
        f"world whose truth is known ({found['episodes']:,} episodes each). Wanted of the headline (tables add "
        f"training seeds, which are not simulated): between {low * 100:.0f} and {high * 100:.0f} % everywhere. A: "
        "clips independent; B: views of a "
        "performance alike; C: subjects matter as well; sizes of MMAct and UTD-MHAD. With so many test sets a "
        "coverage is known to "
        "about 1.5 points. Simulated: it says nothing about either.",
        grid(["world", "true sd, points", *kinds.values(), "half width, points"], cells, "l" + "r" * (len(kinds) + 2)),
        f"`{found['command']}` wrote [{COVERAGE}]({COVERAGE}).",
    ]
