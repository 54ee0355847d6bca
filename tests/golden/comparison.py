"""What of the golden numbers changed, where first, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.golden.entry import ANYWHERE, STAGES, Entry

ROUNDING = 1e-3  # of the largest value; other kernels changed first losses by at most 1e-4
SHOWN = 8
ACCEPT = "If the change is wanted: make golden, and commit tests/golden/golden.json with the reason."


def changes(golden: Sequence[Entry], found: Sequence[Entry], *, bits: bool = True) -> str:
    """A message that begins with the first stage that changed; empty where nothing did.

    Args:
        bits: every digest must agree; False compares, to rounding, what other processors reproduce.
    """
    before, now = ({(each.stage, each.name): each for each in entries} for entries in (golden, found))
    lines = list[tuple[str, str]]()
    for key in dict.fromkeys([*before, *now]):
        if not bits and key[0] not in ANYWHERE:
            continue
        told = _change(before.get(key), now.get(key), bits)
        if told:
            lines.append((key[0], f"  {key[1]}: {told}"))
    if not lines:
        return ""
    counts = {stage: sum(each == stage for each, _ in lines) for stage in STAGES}
    first = next(stage for stage in STAGES if counts[stage])
    of_first = [line for stage, line in lines if stage == first]
    rest = [f"  and {len(of_first) - SHOWN} more"] if len(of_first) > SHOWN else []
    later = ", ".join(f"{stage} ({count})" for stage, count in counts.items() if count and stage != first)
    return "\n".join(
        [f"golden numbers: the first stage that changed is: {first}", *of_first[:SHOWN], *rest]
        + ([f"changed after it: {later}"] if later else [])
        + [ACCEPT]
    )


def _change(before: Entry | None, now: Entry | None, bits: bool) -> str:
    if before is None or now is None:
        return "is new" if before is None else "is missing"
    if before.digest == now.digest:
        return ""
    if len(before.values) != len(now.values) or not before.values:
        return "" if before.values == now.values and not bits else "other content"
    old, new = np.array(before.values), np.array(now.values)
    size = float(np.abs(old).max()) or 1.0
    share = float(np.abs(new - old).max()) / size
    if not bits and share <= ROUNDING:
        return ""
    where = f"{len(old)} values that are kept"
    return f"by {share:.1e} of the largest of {where}" if share else f"in values other than the {where}"
