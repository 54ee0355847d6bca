"""Intervals and comparisons for accuracies over fixed episodes: pure functions on arrays, no torch.

Every interval covers what its estimand says. Closed: this model, these clips, all episodes that could be drawn. Open:
new performances, or new subjects, of the same classes. With several training seeds, training again as well. None says
anything about new classes.
"""

from harness.statistics.analysis import Analysis, analyse
from harness.statistics.closed import closed_estimate, episode_interval
from harness.statistics.clusters import Identities, Slots
from harness.statistics.comparisons import Comparisons, compare_all, holm, simultaneous_level
from harness.statistics.deletion import by_deletion
from harness.statistics.interval import Estimate, Interval
from harness.statistics.jackknife import by_performance, by_subject
from harness.statistics.paired import Paired, compare
from harness.statistics.seeds import over_seeds, seeds_interval
from harness.statistics.signflips import SignFlips, sign_flips

__all__ = [
    "Analysis",
    "Comparisons",
    "Estimate",
    "Identities",
    "Interval",
    "Paired",
    "SignFlips",
    "Slots",
    "analyse",
    "by_deletion",
    "by_performance",
    "by_subject",
    "closed_estimate",
    "compare",
    "compare_all",
    "episode_interval",
    "holm",
    "over_seeds",
    "seeds_interval",
    "sign_flips",
    "simultaneous_level",
]
