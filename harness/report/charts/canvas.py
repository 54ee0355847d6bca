"""A small canvas for SVG: escaped text, lines and marks, coloured by the classes of the palette alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from mmact_oneshot.harness.runtime.names import printable

LETTER = 0.58  # mean width of a letter, in sizes of the font: of a wide one, since nobody knows the reader's
SIZE = 11  # of plain text, as the palette's rules set it
MARKS = ("circle", "square", "diamond", "triangle", "cross")
_FORBIDDEN = re.compile("[\ufffe\uffff]")  # in XML, even as an entity; beside what :func:`printable` replaces


def plain(text: str) -> str:
    """Text for SVG and HTML: no tags, and none of the characters that XML cannot hold or that steer what shows it."""
    return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", printable(text)))


def attribute(text: str) -> str:
    """The same in quotes, as the value of an attribute."""
    return quoteattr(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", printable(text)))


def cut(text: str, width: float, size: float = SIZE) -> str:
    """The text, or as much of it as fits, and an ellipsis."""
    letters = max(2, int(width / (LETTER * size)))
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"


class Canvas:
    """What has been drawn so far, on a ground of a given width. Lengths are in units of the chart."""

    def __init__(self, width: float) -> None:
        self.width = width
        self._parts: list[str] = []

    @property
    def body(self) -> str:
        return "".join(self._parts)

    def text(
        self, x: float, y: float, text: str, style: str = "", anchor: str = "start", turn: float = 0, tip: str = ""
    ) -> None:
        """Text on its base line; ``turn`` is in degrees, ``tip`` what a pointer brings up."""
        turned = f' transform="rotate({_(turn)} {_(x)} {_(y)})"' if turn else ""
        title = f"<title>{plain(tip)}</title>" if tip else ""
        put = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(f'<text{_class(style)} x="{_(x)}" y="{_(y)}"{put}{turned}>{title}{plain(text)}</text>')

    def label(self, x: float, y: float, text: str, width: float, style: str = "") -> None:
        """Text in a given width; cut where it does not fit, and whole for a pointer."""
        short = cut(text, width)
        self.text(x, y, short, style, tip=text if short != text else "")

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        self._parts.append(f'<path{_class(style)} d="M{_(x1)} {_(y1)}L{_(x2)} {_(y2)}"/>')

    def path(self, points: Iterable[tuple[float, float]], style: str) -> None:
        """An open line through points."""
        steps = "L".join(f"{_(x)} {_(y)}" for x, y in points)
        self._parts.append(f'<path{_class(style)} d="M{steps}"/>')

    def box(self, x: float, y: float, width: float, height: float, style: str) -> None:
        self._parts.append(f'<rect{_class(style)} x="{_(x)}" y="{_(y)}" width="{_(width)}" height="{_(height)}"/>')

    def mark(self, shape: str, x: float, y: float, style: str, size: float = 4, tip: str = "") -> None:
        """One of ``MARKS`` around a place; ``size`` is half its width."""
        title = f"<title>{plain(tip)}</title>" if tip else ""
        if shape == "circle":
            self._parts.append(f'<circle{_class(style)} cx="{_(x)}" cy="{_(y)}" r="{_(size)}">{title}</circle>')
            return
        way = {
            "square": f"M{_(x - size)} {_(y - size)}h{_(2 * size)}v{_(2 * size)}h{_(-2 * size)}z",
            "diamond": f"M{_(x)} {_(y - 1.3 * size)}l{_(1.3 * size)} {_(1.3 * size)}l{_(-1.3 * size)} "
            f"{_(1.3 * size)}l{_(-1.3 * size)} {_(-1.3 * size)}z",
            "triangle": f"M{_(x)} {_(y - 1.2 * size)}l{_(1.2 * size)} {_(2.1 * size)}h{_(-2.4 * size)}z",
            "cross": f"M{_(x - size)} {_(y - size)}l{_(2 * size)} {_(2 * size)}m0 {_(-2 * size)}l{_(-2 * size)} "
            f"{_(2 * size)}",
        }[shape]
        self._parts.append(f'<path{_class(style)} d="{way}">{title}</path>')


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""


def _(number: float) -> str:
    """A tenth of a unit is finer than any screen shows."""
    return f"{round(number, 1) + 0.0:.1f}".removesuffix(".0")
