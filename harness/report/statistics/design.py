"""What the infinitesimal jackknife needs of the episodes: which clusters sit in which slots of which strata."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array

_AT_ONCE = 500
"""Episodes whose slots are in memory together, for all methods."""


@dataclass(frozen=True, eq=False)
class Design:
    """One kind of cluster in the T slots of B episodes; all of it serves any number of methods.

    Attributes:
        clusters: (B, T) codes 0 .. G - 1.
        strata: (B, T) codes 0 .. H - 1; accuracies are centred within each.
        parts: (T,) which of an episode's accuracies a slot has, as in :meth:`moments`.
    """

    clusters: np.ndarray
    strata: np.ndarray
    parts: np.ndarray

    @cached_property
    def count(self) -> int:
        """G, clusters that occur."""
        return int(self.clusters.max(initial=-1)) + 1

    @cached_property
    def sizes(self) -> np.ndarray:
        """(H,) slots of each stratum."""
        return np.bincount(self.strata.ravel())

    @cached_property
    def shares(self) -> np.ndarray:
        """(H, G) share of each cluster in the slots of each stratum."""
        cells = self.strata * self.count + self.clusters
        counts = np.bincount(cells.ravel(), minlength=len(self.sizes) * self.count)
        return np.asarray(counts.reshape(-1, self.count) / self.sizes[:, None])

    @cached_property
    def kernel(self) -> np.ndarray:
        """(B, T, T) sum_g (1[t in g] - share) (1[u in g] - share) for every two slots t and u of an episode.

        The shares are those of g in the strata of t and of u.
        """
        shared, found = self.shares @ self.shares.T, np.empty((*self.strata.shape, self.strata.shape[1]))
        for chunk in self._chunks:
            each, other = self.strata[chunk, :, None], self.strata[chunk, None, :]
            cross = self.shares[each, self.clusters[chunk, None, :]]
            same = self.clusters[chunk, :, None] == self.clusters[chunk, None, :]
            found[chunk] = same + shared[each, other] - cross - cross.transpose(0, 2, 1)
        return found

    def moments(self, accuracies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Influences (M, G) of the clusters on the mean of M methods, and how methods share their noise, (M, M).

        A slot's residual r is its accuracy minus the mean of its stratum. Influences are C_g = mean_b N_gb r_gb, N_gb
        being the slots that g has in b. The noise of two methods, i and j, is sum_g (mean_b D_gbi D_gbj - C_gi C_gj),
        of one episode. D_gb is N_gb r_gb minus what it would be if the slots of b's classes went to clusters by their
        shares. That has the mean 0, for residuals are centred, so it changes no C_g; but a sum that leaves it in is
        too large, by half for 20 subjects.

        Args:
            accuracies: (B, 1 + Q, M) of the episode, and each query's part in it.
        """
        episodes, _, methods = accuracies.shape
        means = np.zeros((len(self.sizes), methods))
        for chunk in self._chunks:
            means += _sums(accuracies[chunk][:, self.parts], self.strata[chunk], len(means))
        means /= self.sizes[:, None]
        influences, squares = np.zeros((self.count, methods)), np.zeros((methods, methods))
        for chunk in self._chunks:
            residuals = accuracies[chunk][:, self.parts] - means[self.strata[chunk]]
            influences += _sums(residuals, self.clusters[chunk], self.count)
            weighted = self.kernel[chunk] @ residuals
            squares += residuals.reshape(-1, methods).T @ weighted.reshape(-1, methods)
        influences = influences.T / episodes
        return influences, squares / episodes - influences @ influences.T

    @cached_property
    def _chunks(self) -> list[slice]:
        return [slice(first, first + _AT_ONCE) for first in range(0, len(self.strata), _AT_ONCE)]


def _sums(values: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """(count, M) of values (b, T, M) by codes (b, T): slot after slot for every method, so that equal methods agree."""
    slots = codes.size
    members = csc_array((np.ones(slots), codes.ravel(), np.arange(slots + 1)), shape=(count, slots))
    return np.asarray(members @ values.reshape(slots, -1))
