"""Guards: differences that must be none, and what it means where they are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mmact_oneshot.harness.report.formats import decimals
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.results.rankings import SEEDS_TO_RANK
from mmact_oneshot.harness.report.statistics import compare

CHANCE_CONTROL = "random"  # the control whose accuracy must be chance
FAILS_BELOW = 0.001


@dataclass(frozen=True)
class Guard:
    """The control that answers at random against chance, or one row's first seeds against its later ones.

    Attributes:
        mean: of the control; or the difference of the seeds.
        seeds: the two groups; empty for the control.
    """

    row: str
    mean: float
    decimals: int
    chance: float
    p: float
    seeds: tuple[tuple[int, ...], ...] = ()

    @property
    def failed(self) -> bool:
        return self.p < FAILS_BELOW


def guards_of(rows: Iterable[Measured]) -> Iterator[Guard]:
    """Of the rows of a suite, each once."""
    for row in rows:
        analysis, name = row.inference.analysis, f"{row.training.method}, {row.modality}"
        if analysis is None:
            continue
        if row.training.method == CHANCE_CONTROL and not row.external and row.episodes > 1:
            # by the error for these clips: answers at random depend on no clip
            against = replace(analysis.clips, mean=analysis.clips.mean - row.suite.chance)
            yield Guard(name, row.interval.mean, row.decimals, row.suite.chance, against.p_value)
        half = len(row.trainings) // 2
        if half >= SEEDS_TO_RANK:
            identities = row.suite.identities.only(row.inference.common)
            correct, seeds = row.inference.correct, row.seeds
            found = compare(correct[:half], correct[half : 2 * half], identities).analysis.clips
            groups = (seeds[:half], seeds[half : 2 * half])
            yield Guard(name, found.mean, decimals(found.standard_error), row.suite.chance, found.p_value, groups)
