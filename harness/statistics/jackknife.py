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
from harness.statistics.clusters import Identities, Members, Slots
from harness.statistics.interval import Estimate, mean_of, unavailable

FEWEST_SUBJECTS = 5
NO_EFFECT = "no {} effect detectable"


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
    values = residuals(correct, identities.classes, own=False)
    return _estimate(correct, variance(values, members), freedom, "performance")


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
    values = residuals(correct, identities.classes, own=inductive)
    scale = members.count / (members.count - 1)
    return _estimate(correct, scale * variance(values, members), members.count - 1, "subject")


def residuals(correct: np.ndarray, classes: Slots, own: bool) -> np.ndarray:
    """(B, W * S + Q) what each slot's accuracy has above the mean of its class; support slots, then query slots.

    A support slot has the accuracy of its episode; so has a query slot, or, with ``own``, its query's part of it. The
    mean is over slots of the same kind and class: with as many queries in every class, over the episodes with the class.
    """
    queries = correct.shape[1]
    episodes = correct.mean(axis=1, keepdims=True)
    support = classes.support.reshape(len(correct), -1)
    asked = correct / queries if own else np.broadcast_to(episodes, correct.shape)
    return np.concatenate(
        [_centred(np.broadcast_to(episodes, support.shape), support), _centred(asked, classes.query)], axis=1
    )


def influences(values: np.ndarray, members: Members) -> np.ndarray:
    """(G,) what each cluster adds to the mean: C_g = mean over episodes of N_gb r_gb."""
    return _by_cluster(_by_pair(values, members), members) / len(values)


def variance(values: np.ndarray, members: Members) -> float:
    """Variance of the mean from one set of clusters to the next, never below 0.

    V = sum_g C_g^2 - sum_g (mean_b (N_gb r_gb)^2 - C_g^2) / B, the second sum being Monte Carlo noise of the first.

    Args:
        values: (B, T) residual of every slot.
    """
    episodes = len(values)
    sums = _by_pair(values, members)
    explained = float(((_by_cluster(sums, members) / episodes) ** 2).sum())
    noise = (float((sums**2).sum()) / episodes - explained) / episodes
    return max(0.0, explained - noise)


def _estimate(correct: np.ndarray, extra: float, freedom: int, cluster: str) -> Estimate:
    """The closed error and the variance over clusters, together."""
    closed = closed_estimate(correct.mean(axis=1))
    error = (closed.standard_error**2 + extra) ** 0.5
    return Estimate(closed.mean, error, freedom, "" if extra > 0 else NO_EFFECT.format(cluster))


def _centred(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Values less the mean of their class, both (B, T)."""
    known, codes = np.unique(classes, return_inverse=True)
    codes = codes.ravel()
    means = np.bincount(codes, values.ravel(), len(known)) / np.bincount(codes, minlength=len(known))
    return values - means[codes].reshape(values.shape)


def _by_pair(values: np.ndarray, members: Members) -> np.ndarray:
    """(P,) N_gb r_gb: summed over the slots of a cluster in an episode."""
    return np.bincount(members.pair, values.ravel(), len(members.cluster))


def _by_cluster(sums: np.ndarray, members: Members) -> np.ndarray:
    return np.bincount(members.cluster, sums, members.count)
