"""Colours of charts and page, light and dark, and the rules by which charts use them.

Marks differ in shape, dash or position as well as in colour (after Okabe and Ito's, which the colour-blind can tell
apart). The scale of heat maps is one hue of rising contrast to the ground (ColorBrewer's Blues in ten steps): no reader
has to tell hues apart. A test holds that every number on it can be read (WCAG 2.2, contrast of at least 4.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

STEPS = 10  # of the scale of heat maps: one for each tenth
_BLUES = (
    *("#f7fbff", "#e1edf8", "#cadef0", "#abd0e6", "#82badb"),
    *("#59a1cf", "#3787c0", "#1b6aaf", "#084d96", "#08306b"),
)
_DARK_TEXT, _LIGHT_TEXT = "#0b0d10", "#ffffff"


def _scale(fills: tuple[str, ...]) -> dict[str, str]:
    """``h0`` .. ``h9``: fills; ``t0`` .. ``t9``: the text that can be read on each."""
    texts = (
        max((_DARK_TEXT, _LIGHT_TEXT), key=lambda text, fill=fill: contrast(text, fill))  # type: ignore[misc]
        for fill in fills
    )
    return {f"h{step}": fill for step, fill in enumerate(fills)} | {f"t{step}": text for step, text in enumerate(texts)}


def contrast(first: str, second: str) -> float:
    """Of two colours ``#rrggbb``, 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


LIGHT: Mapping[str, str] = {
    "ground": "#ffffff",
    "raised": "#f4f6f8",
    "ink": "#1b1f24",
    "soft": "#57606a",
    "rule": "#8c959f",
    "faint": "#d5dbe1",
    "accent": "#0a5fb4",
    "warn": "#fff1cc",
    "alarm": "#ffd8d3",
    "one": "#0a5fb4",
    "two": "#b34700",
    "three": "#00795a",
    "four": "#8a3f78",
} | _scale(_BLUES)
DARK: Mapping[str, str] = {
    "ground": "#0f1318",
    "raised": "#181e25",
    "ink": "#e6eaef",
    "soft": "#a3adb8",
    "rule": "#6e7681",
    "faint": "#313a44",
    "accent": "#79b8ff",
    "warn": "#4a3a0a",
    "alarm": "#611a15",
    "one": "#6cb6f5",
    "two": "#f0a35e",
    "three": "#4fd1a5",
    "four": "#dd9bcb",
} | _scale(tuple(reversed(_BLUES)))

SERIES = ("one", "two", "three", "four")
RULES = "\n".join(
    [
        ".chart text{font-size:11px;fill:var(--ink)}",
        ".chart .soft{fill:var(--soft)}",
        ".chart .small{font-size:10px;fill:var(--soft)}",
        ".chart .name{font-size:10px}",
        ".chart .strong{font-weight:700}",
        ".chart .halo{paint-order:stroke;stroke:var(--ground);stroke-width:3px;stroke-linejoin:round}",
        ".chart .head{font-size:15px;font-weight:700}",
        ".chart .line{stroke:var(--ink);fill:none}",
        ".chart .rule{stroke:var(--rule);fill:none}",
        ".chart .grid{stroke:var(--faint);fill:none}",
        ".chart .dash{stroke-dasharray:3 3}",
        ".chart .bold{stroke-width:2.5}",
        ".chart .thick{stroke-width:4}",
        ".chart .bar{fill:var(--faint)}",
        ".chart .warn{fill:var(--warn)}",
        ".chart .ground{fill:var(--ground)}",
        *(
            f".chart .{name}{{stroke:var(--{name});fill:none}}.chart .{name}-mark{{stroke:var(--{name});"
            f"fill:var(--{name})}}"
            for name in SERIES
        ),
        ".chart .hollow{fill:var(--ground)}",
        *(f".chart .h{step}{{fill:var(--h{step})}}.chart .t{step}{{fill:var(--t{step})}}" for step in range(STEPS)),
    ]
)


def variables(colours: Mapping[str, str]) -> str:
    """As custom properties of CSS."""
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


def fixed_rules() -> str:
    """The rules with the light colours in place: for files that stand alone, and readers without custom properties."""
    return re.sub(r"var\(--(\w+)\)", lambda found: LIGHT[found[1]], RULES)


def step(share: float) -> int:
    """The place of a share (0..1) on the scale of heat maps."""
    return min(STEPS - 1, max(0, int(share * STEPS)))
