"""Many comparisons at once: two rows on several suites, or all rows of two folders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmact_oneshot.harness.report.results.comparison import Comparison, compare_sides
from mmact_oneshot.harness.report.results.row_selectors import Selected
from mmact_oneshot.harness.report.statistics import holm
from mmact_oneshot.harness.runtime.errors import HarnessError


def compare_selected(selected: Selected, *, strict: bool) -> tuple[list[Comparison], list[str]]:
    """The comparisons of all pairs, and what was left out, with reasons.

    Args:
        strict: a pair that cannot be compared is an error; otherwise it is left out.

    Raises:
        HarnessError: see :func:`compare_sides`; without ``strict`` only where nothing can be compared.
    """
    found, left_out = [], list(selected.left_out)
    for first, second in selected.pairs:
        try:
            found.append(compare_sides(first, second))
        except HarnessError as error:
            if strict:
                raise
            left_out.append(f"{first.name} ({first.suite.name}) was left out: {error.problem.removesuffix('.')}")
    if not found:
        raise HarnessError("no row of the two folders can be compared.", remedy="; ".join(left_out))
    return found, left_out


def adjusted_p(found: Sequence[Comparison]) -> list[float]:
    """Holm-adjusted p over the rows of each suite."""
    adjusted = [float("nan")] * len(found)
    for suite in {each.suite.name for each in found}:
        places = [place for place, each in enumerate(found) if each.suite.name == suite]
        p_values = holm(np.asarray([found[place].p for place in places], dtype=np.float64))
        for place, p in zip(places, p_values.tolist(), strict=True):
            adjusted[place] = p
    return adjusted
