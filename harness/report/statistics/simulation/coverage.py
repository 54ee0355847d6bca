"""How often the intervals hold: nominal 95 % intervals over many made-up test sets whose truth is known.

    python -m mmact_oneshot.harness.report.statistics.simulation.coverage --replicates 1000 --out coverage.json

The truth is the mean accuracy over all test sets of a world: new performances and new subjects of the same classes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import scipy
from scipy.stats import binomtest

from mmact_oneshot.harness.report.statistics.family import analyse
from mmact_oneshot.harness.report.statistics.simulation.worlds import (
    EPISODES,
    TRUTH_EPISODES,
    WORLDS,
    World,
    replicate,
    truth,
)

COMMAND = "python -m mmact_oneshot.harness.report.statistics.simulation.coverage"
LEVEL, SEED = 0.95, 2026
KINDS = ("clips", "performances", "subjects", "deletion", "headline")
LEAST, MOST = 0.92, 0.99
"""Coverage that a nominal 95 % headline must have in every world."""


@dataclass(frozen=True)
class Coverage:
    """One kind of interval in one world; errors and half widths are shares.

    Attributes:
        low, high: 95 % limits of the coverage (Clopper and Pearson).
        nothing_found: share of replicates without a detectable effect of the cluster.
    """

    covered: int
    share: float
    low: float
    high: float
    mean_standard_error: float
    mean_half_width: float
    nothing_found: float


@dataclass(frozen=True)
class Outcome:
    """One world. ``true_sd`` is the standard deviation of the mean over replicates: what a standard error estimates."""

    world: World
    replicates: int
    truth: float
    truth_standard_error: float
    mean: float
    true_sd: float
    intervals: dict[str, Coverage]


def one(world: World, seed: int, episodes: int, index: int) -> np.ndarray:
    """(kinds, 4) of a replicate: mean, standard error, half width, whether no effect was found."""
    correct, identities = replicate(world, seed, index, episodes)
    found = analyse(correct[None], identities)
    estimates = (found.clips, found.performances, found.subjects, found.deletion, found.headline(LEVEL))
    return np.asarray([[e.mean, e.standard_error, e.half_width(LEVEL), e.note != ""] for e in estimates])


def outcome(
    world: World,
    replicates: int,
    seed: int = SEED,
    episodes: int = EPISODES,
    truth_episodes: int = TRUTH_EPISODES,
    pool: ProcessPoolExecutor | None = None,
) -> Outcome:
    """The same for any number of processes."""
    work = partial(one, world, seed, episodes)
    rows: Iterable[np.ndarray] = (
        map(work, range(replicates)) if pool is None else pool.map(work, range(replicates), chunksize=10)
    )
    found = np.stack(list(rows))
    true, error = truth(world, seed, truth_episodes)
    means = found[:, 0, 0]
    intervals = {kind: _coverage(found[:, column], true) for column, kind in enumerate(KINDS)}
    return Outcome(world, replicates, true, error, float(means.mean()), float(means.std(ddof=1)), intervals)


def _coverage(found: np.ndarray, true: float) -> Coverage:
    """From (R, 4); an interval that is not available covers nothing."""
    inside = int((np.abs(found[:, 0] - true) <= found[:, 2]).sum())
    limits = binomtest(inside, len(found)).proportion_ci()
    width, error, nothing = (float(found[:, column].mean()) for column in (2, 1, 3))
    return Coverage(inside, inside / len(found), float(limits.low), float(limits.high), error, width, nothing)


def line(found: Outcome) -> str:
    """A world in a line: percentage points, and coverage in per cent."""
    parts = [
        f"{kind} {100 * each.mean_standard_error:.2f} ({100 * each.share:.1f} %)"
        for kind, each in found.intervals.items()
    ]
    return (
        f"{found.world.name:18} mean {100 * found.truth:.2f}  true sd {100 * found.true_sd:.2f}  "
        f"{'  '.join(parts)}  +-{100 * found.intervals['headline'].mean_half_width:.2f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where the headline's coverage is outside the limits in some world."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Coverage of intervals.",
    )
    parser.add_argument("--replicates", type=int, default=1_000, help="test sets a world")
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS), metavar="WORLD")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(arguments)
    if chosen.replicates < 2:
        parser.error("--replicates must be at least 2")
    started, found = time.monotonic(), []
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        for name in chosen.worlds:
            found.append(outcome(WORLDS[name], chosen.replicates, chosen.seed, pool=pool))
            sys.stdout.write(line(found[-1]) + "\n")
            sys.stdout.flush()
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(_record(chosen, found, time.monotonic() - started), indent=1) + "\n", "utf-8")
    shares = [each.intervals["headline"].share for each in found]
    return int(not LEAST <= min(shares) <= max(shares) <= MOST)


def _record(chosen: argparse.Namespace, found: Sequence[Outcome], seconds: float) -> dict[str, object]:
    command = f"{COMMAND} --replicates {chosen.replicates} --seed {chosen.seed}"
    if chosen.worlds != list(WORLDS):
        command += " --worlds " + " ".join(f"'{name}'" for name in chosen.worlds)
    return {
        "schema": 1,
        "command": command,
        "level": LEVEL,
        "episodes": EPISODES,
        "truth_episodes": TRUTH_EPISODES,
        "headline_limits": [LEAST, MOST],
        "worlds": [asdict(each) for each in found],
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "volatile": {"seconds": round(seconds, 1), "processes": chosen.processes},
    }


if __name__ == "__main__":
    sys.exit(main())
