"""Figures as a reader meets them: digits that follow the standard error, differences with their signs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from mmact_oneshot.harness.report.statistics import Interval

MISSING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def decimals(error: float) -> int:
    """Decimals of a percentage with this standard error (a share): its first significant digit, 0 to 2.

    >>> decimals(0.0019), decimals(0.015), decimals(0.0004)
    (1, 0, 2)
    """
    if not math.isfinite(error) or error <= 0:
        return 1
    return min(2, max(0, -math.floor(math.log10(error * 100) + 1e-9)))


def percent(share: float | None, places: int) -> str:
    """A share as a percentage without its sign, an en dash where there is none."""
    return MISSING if share is None or not math.isfinite(share) else f"{share * 100:.{places}f}"


def interval_text(interval: Interval, places: int) -> str:
    """``[70, 81]``; a dash where no error can be estimated."""
    if not interval.standard_error or not math.isfinite(interval.standard_error):
        return f"[{MISSING}]"
    return f"[{percent(interval.low, places)}, {percent(interval.high, places)}]"


def accuracy_text(interval: Interval, places: int) -> str:
    """``76 [70, 81]``: percentages with the digits that the standard error allows."""
    if not math.isfinite(interval.mean):
        return "not scored"
    return f"{percent(interval.mean, places)} {interval_text(interval, places)}"


def compact(count: int) -> str:
    """A count in at most five characters: 986285 -> 986k."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            value = count / size
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return str(count)


def points(share: float, places: int) -> str:
    """A difference of shares in percentage points, with its sign."""
    if not math.isfinite(share):
        return MISSING
    text = f"{share * 100:+.{places}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def seconds(value: float | None) -> str:
    """Seconds with a resolution that says no more than a clock can."""
    if value is None:
        return MISSING
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def p_value(p: float) -> str:
    """``p = 0.02``, ``p < 0.001``."""
    if p < 0.001:
        return "p < 0.001"
    places = 4 if p < 0.05 == round(p, 3) else 3 if p < 0.1 else 2
    return f"p = {p:.{places}f}"


def bare_p(p: float) -> str:
    """``0.02`` or ``< 0.001``, for a column of p."""
    return p_value(p).removeprefix("p ").removeprefix("= ") if math.isfinite(p) else MISSING


def difference(found: Interval, places: int) -> str:
    """``+1.2 [−0.3, +2.7]``: a difference in percentage points with its interval."""
    return f"{points(found.mean, _telling(found, places))} {bounds(found, places)}"


def bounds(found: Interval, places: int) -> str:
    """``[−0.3, +2.7]``."""
    places = _telling(found, places)
    return f"[{points(found.low, places)}, {points(found.high, places)}]"


def _telling(found: Interval, places: int) -> int:
    """Up to two decimals, so many that a bound that is not 0 is not printed as 0: its sign is what a reader wants."""
    ends = [end for end in (found.low, found.high) if end and math.isfinite(end)]
    while places < 2 and any(not float(f"{end * 100:.{places}f}") for end in ends):
        places += 1
    return places


def listed(values: Iterable[object]) -> str:
    """``0, 1, 2``"""
    return ", ".join(map(str, values))


def short(digest: str) -> str:
    """The start of a digest; anything else as it is."""
    return digest[:8] if len(digest) == 64 and set(digest) <= set("0123456789abcdef") else digest


def plain(value: object) -> str:
    """A setting's value: short digests, no JSON quotes around plain words."""
    if isinstance(value, str):
        return short(value)
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)


def assignments(settings: Mapping[str, Any]) -> str:
    """``steps = 5, width = 64``."""
    return ", ".join(f"{name} = {plain(value)}" for name, value in sorted(settings.items()))


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A tree of settings as dotted names and plain values, by name."""
    found: dict[str, str] = {}
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = MISSING if value == {} else plain(value)
    return found


def differing(tables: Iterable[Mapping[str, str]]) -> list[str]:
    """Names whose values differ, or that some tables lack."""
    given = list(tables)
    names = sorted({name for table in given for name in table})
    return [name for name in names if len({table.get(name) for table in given}) > 1]
