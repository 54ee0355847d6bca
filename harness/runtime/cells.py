"""Text in cells of CSV files, which spreadsheets take for formulas where it begins like one."""

from __future__ import annotations

import re

from mmact_oneshot.harness.runtime.names import printable

# at the start, and after what ends a cell for a program that takes semicolons or tabs for the ends of cells
_FORMULA = re.compile("((?:^|[;\t\n])[ \t\n\"']*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def cell_text(text: str) -> str:
    """Text as a cell: an apostrophe stands before what a spreadsheet would calculate, and nothing in it steers a
    terminal."""
    return _FORMULA.sub(r"\1'", printable(text))
