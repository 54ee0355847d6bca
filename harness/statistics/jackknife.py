"""Open intervals by the infinitesimal jackknife: new performances or new subjects of the same classes.

What a cluster does to the mean over all episodes is the covariance, over the drawn episodes, of how often the cluster
occurs and of the accuracy (Wager, Hastie and Efron 2014, arXiv 1311.4555). Summed squares of these influences are
the variance from one test set to the next; drawing only B episodes inflates them, which is taken off again.
The classes are fixed by the estimand, so accuracies are centred within each class: without that, a hard class among
easy ones would count as noise of the test set.
"""

from __future__ import annotations

import numpy as np

from harness.statistics.closed import closed_estimate
from harness.statistics.clusters import Identities, Members
from harness.statistics.interval import Estimate, mean_of, unavailable

FEWEST_SUBJECTS = 5
NO_EFFECT = "no {} effect detectable"
_ROUNDING = 1e-24
"""Variances of shares below this are rounding, not differences."""


def by_performance(correct: np.ndarray, identities: Identities) -> Estimate:
    """New performances of the same classes: every slot has the residual of its episode.

    Degrees of freedom: performances less classes.

    Args:
        correct: (B, Q) whether each query was answered rightly, its mean over seeds, or a difference of two such.
    """
    members = identities.performances.members
    freedom = members.count - identities.classes.members.count
    if freedom < 1:
        return unavailable(mean_of(correct), "no class has two performances")
    values = residuals(correct, identities.strata, own=False)
    extra = variance(values, members, identities.strata, identities.performance_shares)
    return _estimate(correct, extra, freedom, "performance")


def by_subject(correct: np.ndarray, identities: Identities, inductive: bool = True) -> Estimate:
    """New subjects (with all that they perform) of the same classes. Degrees of freedom: subjects less one.

    Args:
        correct: (B, Q) as for :func:`by_performance`.
        inductive: a query's clip matters for its own answer only, so that a query slot has the residual of its query;
            the others' would be noise. False for methods whose scores depend on the other queries.
    """
    members = identities.subjects.members
    if members.count < FEWEST_SUBJECTS:
        return unavailable(mean_of(correct), f"{members.count} subject{'s' * (members.count != 1)}")
    values = residuals(correct, identities.strata, own=inductive)
    extra = variance(values, members, identities.strata, identities.subject_shares)
    return _estimate(correct, members.count / (members.count - 1) * extra, members.count - 1, "subject")


def residuals(correct: np.ndarray, strata: np.ndarray, own: bool) -> np.ndarray:
    """(B, T) what each slot's accuracy has above the mean of its stratum; T slots: support, then queries.

    A support slot has the accuracy of its episode; so has a query slot, or, with ``own``, its query's part of it. The
    mean is over slots of one kind and class; with as many queries in every class, over the episodes with the class.

    Args:
        strata: (B, T) of :attr:`harness.statistics.clusters.Identities.strata`.
    """
    queries = correct.shape[1]
    values = np.repeat(correct.mean(axis=1, keepdims=True), strata.shape[1], axis=1)
    if own:
        values[:, -queries:] = correct / queries
    codes = strata.ravel()
    means = np.bincount(codes, values.ravel()) / np.bincount(codes)
    return np.asarray(values - means[strata])


def influences(values: np.ndarray, members: Members) -> np.ndarray:
    """(G,) what each cluster adds to the mean: C_g = mean over episodes of N_gb r_gb."""
    return np.bincount(members.cluster, _by_pair(values, members), members.count) / len(values)


def variance(values: np.ndarray, members: Members, strata: np.ndarray, shares: np.ndarray) -> float:
    """Variance of the mean from one set of clusters to the next, never below 0.

    V = sum_g C_g^2 - sum_g (mean_b D_gb^2 - C_g^2) / B, the second sum being Monte Carlo noise of the first. D_gb is
    N_gb r_gb less what it would be if the slots of b's classes went to clusters by their shares. That has the mean 0,
    for residuals are centred, so it changes no C_g; but a sum that leaves it in is too large, by half for 20 subjects.

    Args:
        values: (B, T) residual of every slot.
        strata: (B, T) in which they are centred.
        shares: (H, G) of the clusters in the strata.
    """
    episodes, kinds = len(values), len(shares)
    explained = float((influences(values, members) ** 2).sum())
    sums = _by_pair(values, members)
    cells = np.arange(episodes)[:, None] * kinds + strata
    by_stratum = np.bincount(cells.ravel(), values.ravel(), episodes * kinds).reshape(episodes, kinds)
    expected = np.einsum("ph,ph->p", by_stratum[members.episode], shares.T[members.cluster])
    # sum (sums - expected)^2 over all pairs, those that do not occur among them
    squares = (sums**2).sum() - 2 * (sums * expected).sum() + ((by_stratum.T @ by_stratum) * (shares @ shares.T)).sum()
    noise = (float(squares) / episodes - explained) / episodes
    found = explained - noise
    return found if found > _ROUNDING else 0.0


def _by_pair(values: np.ndarray, members: Members) -> np.ndarray:
    """(P,) N_gb r_gb: summed over the slots of a cluster in an episode."""
    return np.bincount(members.pair, values.ravel(), len(members.cluster))


def _estimate(correct: np.ndarray, extra: float, freedom: int, cluster: str) -> Estimate:
    """The closed error and the variance over clusters, together."""
    closed = closed_estimate(correct.mean(axis=1))
    error = (closed.standard_error**2 + extra) ** 0.5
    return Estimate(closed.mean, error, freedom, "" if extra > 0 else NO_EFFECT.format(cluster))
