"""Intervals for new performances and new subjects of the same classes, by the infinitesimal jackknife.

What a cluster does to the mean over all episodes is the covariance, over the drawn episodes, of how often the cluster
occurs and of the accuracy (Wager, Hastie and Efron 2014, arXiv 1311.4555). Summed squares of these influences are
the variance from one test set to the next; drawing only B episodes inflates them, which is taken off again.
The classes are fixed by the estimand, so accuracies are centred within each class: without that, a hard class among
easy ones would count as noise of the test set.
"""

from __future__ import annotations

import numpy as np

from mmact_oneshot.harness.report.statistics.clusters import Identities
from mmact_oneshot.harness.report.statistics.deletion import FEWEST_SUBJECTS
from mmact_oneshot.harness.report.statistics.spread import Spread


def by_performance(accuracies: np.ndarray, identities: Identities) -> Spread:
    """New performances of the same classes: every slot has the residual of its episode.

    Degrees of freedom: performances minus classes.

    Args:
        accuracies: (B, 1 + Q, M) as for :meth:`mmact_oneshot.harness.report.statistics.design.Design.moments`.
    """
    freedom = identities.performances.count - identities.classes.count
    reason = "no class has two performances" if freedom < 1 else ""
    found = identities.by_performance.moments(accuracies)
    return Spread("performance", *found, len(accuracies), 1.0, freedom, reason)


def by_subject(accuracies: np.ndarray, identities: Identities, inductive: bool = True) -> Spread:
    """New subjects (with all that they perform) of the same classes. Degrees of freedom: subjects minus one.

    Args:
        accuracies: (B, 1 + Q, M) as for :meth:`mmact_oneshot.harness.report.statistics.design.Design.moments`.
        inductive: a query's clip matters for its own answer only, so that a query slot has the residual of its query;
            the others' would be noise. False for methods whose scores depend on the other queries.
    """
    design = identities.by_subject_inductive if inductive else identities.by_subject
    count = design.count
    reason = f"{count} subject{'s' * (count != 1)}" if count < FEWEST_SUBJECTS else ""
    found = design.moments(accuracies)
    return Spread("subject", *found, len(accuracies), count / max(1, count - 1), count - 1, reason)
