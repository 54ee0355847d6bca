"""LaTeX's building blocks: text in plain ASCII that stands for itself, and tables that a page can hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LINES_OF_A_PAGE = 46  # of a table in footnotesize with its caption; longer ones may break over pages
SOFT, UNBROKEN = 6, 18  # characters of a word before a line may break at one of ``_/``, and anywhere
ONE_LINE = 100  # characters that fit beside each other

GREEK = "αβγδεζηθικλμνξπρστυφχψω"  # those that mathematics has; omicron and the final sigma are not among them
_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\`{}",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{MINUS SIGN}": "$-$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{MICRO SIGN}": r"$\mu$",
    "\N{DEGREE SIGN}": r"$^\circ$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "\N{LATIN SMALL LETTER DOTLESS I}": r"\i{}",
    "đ": r"\dj{}",
    "Đ": r"\DJ{}",
    "ð": r"\dh{}",
    "þ": r"\th{}",
}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOT BELOW}": "d",
    "\N{COMBINING CEDILLA}": "c",
    "\N{COMBINING OGONEK}": "k",
}
_LIGATURES = "-',"  # two of one kind would be drawn as another sign


@dataclass(frozen=True)
class Across:
    """A line across a table, above the rows that it names."""

    text: str


def escape(text: str) -> str:
    """Names come from files and plugins: whatever is in them is printed and never obeyed. A character that LaTeX's
    usual fonts lack becomes its code, ``[U+4E2D]``."""
    found: list[str] = []
    unbroken, before = 0, ""
    for sign in unicodedata.normalize("NFC", " ".join(text.split())):
        if sign == before and sign in _LIGATURES:
            found.append("{}")
        if sign == "%" and before == " ":
            found[-1] = "~"
        found.append(_sign(sign))
        unbroken, before = (0 if sign == " " else unbroken + 1), sign
        if unbroken >= (SOFT if sign in "_/" else UNBROKEN):
            found.append(r"\allowbreak{}")
            unbroken = 0
    joined = "".join(found)
    return (
        f"{{}}{joined}" if joined[:1] in {"[", "*"} else joined
    )  # the end of the line before would take it as its own


def _sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isascii():
        return sign if sign.isprintable() else ""
    base, marks = (parts := unicodedata.normalize("NFD", sign))[0], parts[1:]
    if marks in _ACCENTS and base.isascii():
        return rf"\{_ACCENTS[marks]}{{{base}}}"
    if sign in GREEK:
        name = unicodedata.name(sign).removeprefix("GREEK SMALL LETTER ").lower()
        return rf"$\{name.replace('lamda', 'lambda')}$"
    return f"[U+{ord(sign):04X}]"


def bold(text: str) -> str:
    return rf"\textbf{{{text}}}"


def paragraph(share: float) -> str:
    """The specification of a column of text that wraps, with this share of the width of a line."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"


def table(
    columns: Sequence[str],
    header: Sequence[str],
    lines: Sequence[Sequence[str] | Across],
    caption: str,
    label: str,
    notes: Sequence[str] = (),
) -> str:
    """A table that can be copied out alone: ``table``, or ``longtable`` where a page is too short for it.

    Args:
        columns: (C,) of the column specification, such as ``l`` or :func:`paragraph`.
        header: (C,) and
        lines: (C,) each, escaped.
        notes: below the table, escaped.
    """
    count = len(columns)
    titles = " & ".join(header) + r" \\"
    body = [_line(line, count, first=place == 0) for place, line in enumerate(lines)]
    below = [rf"\addlinespace[2pt] {_across(note, count)} \\" for note in notes]
    specification = rf"@{{\extracolsep{{\fill}}}}{''.join(columns)}@{{}}"
    long = sum(_height(line) for line in lines) + len(notes) > LINES_OF_A_PAGE
    if long:
        parts = [
            r"{\footnotesize\setlength{\tabcolsep}{3pt}",
            r"\setlength{\LTleft}{0pt}\setlength{\LTright}{0pt}\setlength{\LTcapwidth}{\linewidth}",
            rf"\begin{{longtable}}{{{specification}}}",
            rf"\caption{{{caption}}}\label{{{label}}}\\",
            r"\toprule",
            titles,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            titles,
            r"\midrule",
            r"\endhead",
            rf"\midrule \multicolumn{{{count}}}{{r@{{}}}}{{continued on the next page}} \\",
            r"\endfoot",
            r"\bottomrule",
            *below,
            r"\endlastfoot",
            *body,
            r"\end{longtable}}",
        ]
    else:
        parts = [
            r"\begin{table}[htbp]",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{caption}}}\label{{{label}}}",
            rf"\begin{{tabular*}}{{\linewidth}}{{{specification}}}",
            r"\toprule",
            titles,
            r"\midrule",
            *body,
            r"\bottomrule",
            *below,
            r"\end{tabular*}",
            r"\end{table}",
        ]
    return "\n".join(parts)


def _line(line: Sequence[str] | Across, count: int, first: bool) -> str:
    if not isinstance(line, Across):
        return " & ".join(line) + r" \\"
    heading, space = rf"\textit{{{line.text}}}", "" if first else r"\addlinespace "
    return rf"{space}{_across(heading, count)} \\*"


def _across(text: str, count: int) -> str:
    """Over all columns, of which it widens none."""
    wrapped = rf"\parbox[t]{{\linewidth}}{{\raggedright {text}\strut}}"
    return rf"\multicolumn{{{count}}}{{@{{}}l@{{}}}}{{\rlap{{{text if len(text) < ONE_LINE else wrapped}}}}}"


def _height(line: Sequence[str] | Across) -> float:
    """Lines of print, roughly."""
    return 1.5 + len(line.text) // ONE_LINE if isinstance(line, Across) else 1.0
