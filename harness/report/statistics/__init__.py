"""Intervals and comparisons for accuracies over fixed episodes: pure functions on arrays, no torch.

Every interval covers what its estimand says: this model on these clips and all episodes that could be drawn from them;
new performances of the same classes; or new subjects of the same classes. With several training seeds it covers
training again as well. None says anything about new classes.
"""

from mmact_oneshot.harness.report.statistics.analysis import Analysis
from mmact_oneshot.harness.report.statistics.clusters import Identities, Slots
from mmact_oneshot.harness.report.statistics.comparisons import Comparisons, Paired, holm, simultaneous_level
from mmact_oneshot.harness.report.statistics.family import Family, analyse, compare, compare_all
from mmact_oneshot.harness.report.statistics.interval import Estimate, Interval
from mmact_oneshot.harness.report.statistics.seeds import over_seeds, seeds_interval
from mmact_oneshot.harness.report.statistics.signflips import SignFlips, sign_flips
from mmact_oneshot.harness.report.statistics.these_clips import clips_estimate, episode_interval

__all__ = [
    "Analysis",
    "Comparisons",
    "Estimate",
    "Family",
    "Identities",
    "Interval",
    "Paired",
    "SignFlips",
    "Slots",
    "analyse",
    "clips_estimate",
    "compare",
    "compare_all",
    "episode_interval",
    "holm",
    "over_seeds",
    "seeds_interval",
    "sign_flips",
    "simultaneous_level",
]
