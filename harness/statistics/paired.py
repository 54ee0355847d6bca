"""Two methods on the same episodes with the same seeds: everything that is said of one mean, of their difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.statistics.analysis import Analysis, analyse
from harness.statistics.clusters import Identities
from harness.statistics.interval import DIFFERENCE
from harness.statistics.signflips import SignFlips, sign_flips, subject_values


@dataclass(frozen=True)
class Paired:
    """The mean of A less that of B. ``analysis.p_value`` is the test; ``signs`` stands beside it."""

    analysis: Analysis
    signs: SignFlips


def compare(first: np.ndarray, second: np.ndarray, identities: Identities, inductive: bool = True) -> Paired:
    """The paired comparison; the queries are never taken for independent.

    Args:
        first, second: (K, B, Q) whether each query was answered rightly, seed by seed and episode by episode. A method
            without training has K = 1, against any number of seeds.
        inductive: whether both are, as for :func:`harness.statistics.jackknife.by_subject`.
    """
    difference = first.astype(np.float64) - second
    analysis = analyse(difference, identities, inductive, DIFFERENCE)
    return Paired(analysis, sign_flips(subject_values(difference.mean(axis=0), identities, inductive)))
