"""Figures and names as a reader meets them: digits that follow the standard error, rules of the suites in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness.report.statistics import Interval

MISSING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

# In the order of the report. A test holds that every suite of the harness has its words.
SUITE_RULES = {
    "test": "Support and query clips of a class are never the same performance: another camera's view of a "
    "performance does not count as another example of it.",
    "test-cross-subject": "Support and query clips of a class show different subjects. (The same subjects do occur in "
    "the training classes; MMAct's own cross-subject protocol is another thing.)",
    "test-cross-view": "Support and query clips of a class come from different cameras and different performances.",
    "test-cross-scene": "Support and query clips of a class come from different scenes.",
    "test-cross-session": "Support and query clips of a class come from different sessions.",
    "test-5shot": "Support and query clips of a class are never the same performance.",
    "test-paper": "As the released Mu-MAE code draws: any clips, one query an episode, its class at random, so that a "
    "query's own performance may be in the support set. Trained on base and validation classes, last state kept.",
    "val": "Support and query clips of a class are never the same performance. This suite selects; it tests nothing.",
}
SUITE_TITLES = {
    "test": "headline suite",
    "test-cross-subject": "support and query from different subjects",
    "test-cross-view": "support and query from different cameras",
    "test-cross-scene": "support and query from different scenes",
    "test-cross-session": "support and query from different sessions",
    "test-5shot": "five examples of each class",
    "test-paper": "drawn as in the released Mu-MAE code",
    "val": "validation, for selection only",
}
SEEDS_COVERED = (
    "Where a row has several seeds it covers training again; with one seed it holds for that trained model only."
)
CLOSED = (
    "The 95 % interval covers every episode that could be drawn from these clips under this rule. "
    f"{SEEDS_COVERED} It does not cover new recordings, new subjects or new classes{{why}}."
)
OPEN = (
    "The 95 % interval covers {covered} of the same classes, recorded in the same places and as familiar from training "
    "as these: where tested subjects also occur in the training classes, it does not speak for subjects whom no "
    "training "
    f"saw. {SEEDS_COVERED} It speaks for no other classes: the accuracy by class shows how much they matter.{{why}}"
)
TIES = (
    "=: cannot be told from the best of its section (Holm-adjusted p of 0.05 or more, from the differences on the same "
    "episodes with the same seeds; the family is all pairs of the section). Ranks: the lowest and the highest that "
    "all differences of the section leave at once (95 %, Bonferroni), so that a row without = may still have 1 among "
    "its ranks. = does not mean equal: with few seeds and many pairs large differences remain unsettled. Intervals of "
    "single rows may overlap although their difference is certain, and the other way about: read the differences. "
    "Nothing is corrected across sections or suites."
)
REFERENCE = (
    "The reference is the plainest ranked protonet of a section; where it has none, its best row, which these same "
    "figures chose: read the Holm p and the simultaneous interval there."
)
NO_ERROR = "[\N{EN DASH}]: no error can be estimated, all episodes came out alike."
KEY = (
    f"#: rank among rows trained under equal conditions; {MISSING} without a rival. Sees: what the method is given. "
    "Encoders: frozen = trained beforehand, shared by all heads or the method's own; tuned = trained with the head. "
    "Worst / best: "
    "accuracy on the hardest and the easiest class, %. Trained / all: parameters. Train s, test s: seconds to train, "
    "and to encode the clips (next to nothing where another row had cached them) and score; times are means over seeds."
)
PUBLISHED_RECIPES = "Published recipes: each method as its paper trains it"
EXTERNAL_DATA = "External data: weight files that were made with other recordings."
START = (
    "Start: scratch = values drawn at random; longer = from scratch too, the shared encoders trained for as many more "
    "clips as a pre-training passes; the name of a method = its pre-training; file = released weights."
)
ONE_PRETRAINING = "conditional on one pre-training: their intervals do not cover pre-training again"
OWN_PRETRAINING = "each training seed has a pre-training of its own, so that intervals cover pre-training again"
GENERATED = "Generated data: simulated bodies and simulated sensors. These figures say nothing about MMAct."


def decimals(error: float) -> int:
    """Decimals of a percentage with this standard error (a share): its first significant digit, 0 to 2.

    >>> decimals(0.0019), decimals(0.015), decimals(0.0004)
    (1, 0, 2)
    """
    if not math.isfinite(error) or error <= 0:
        return 1
    return min(2, max(0, -math.floor(math.log10(error * 100) + 1e-9)))


def percent(share: float | None, places: int) -> str:
    """A share as a percentage without its sign, an en dash where there is none."""
    return MISSING if share is None or not math.isfinite(share) else f"{share * 100:.{places}f}"


def compact(count: int) -> str:
    """A count in at most five characters: 986285 -> 986k."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            value = count / size
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return str(count)


def points(share: float, places: int) -> str:
    """A difference of shares in percentage points, with its sign."""
    if not math.isfinite(share):
        return MISSING
    text = f"{share * 100:+.{places}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def seconds(value: float | None) -> str:
    """Seconds with a resolution that says no more than a clock can."""
    if value is None:
        return MISSING
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def p_value(p: float) -> str:
    if p < 0.001:
        return "p < 0.001"
    places = 4 if p < 0.05 == round(p, 3) else 3 if p < 0.1 else 2
    return f"p = {p:.{places}f}"


def bare_p(p: float) -> str:
    """``0.02`` or ``< 0.001``, for a column of p."""
    return p_value(p).removeprefix("p ").removeprefix("= ") if math.isfinite(p) else MISSING


def difference(found: Interval, places: int) -> str:
    """``+1.2 [−0.3, +2.7]``: a difference in percentage points with its interval."""
    return f"{points(found.mean, _telling(found, places))} {bounds(found, places)}"


def bounds(found: Interval, places: int) -> str:
    places = _telling(found, places)
    return f"[{points(found.low, places)}, {points(found.high, places)}]"


def _telling(found: Interval, places: int) -> int:
    """Up to two decimals, so many that a bound that is not 0 is not printed as 0: its sign is what a reader wants."""
    ends = [end for end in (found.low, found.high) if end and math.isfinite(end)]
    while places < 2 and any(not float(f"{end * 100:.{places}f}") for end in ends):
        places += 1
    return places


def listed(values: Iterable[int]) -> str:
    """``0, 1, 2``"""
    return ", ".join(map(str, values))


def short(digest: str) -> str:
    return digest[:8]


def modality_name(modalities: tuple[str, ...]) -> str:
    return "both" if len(modalities) > 1 else "".join(modalities)


def section_name(
    modalities: tuple[str, ...], regime: str, regimen: str, start: str = "", own_encoders: bool = False
) -> str:
    """What the rows of a section have in common, for a reader who knows nothing of digests."""
    seen = " and ".join(modalities).capitalize()
    frozen = f"{'own' if own_encoders else 'shared'} encoders frozen"
    encoders = {"frozen": frozen, "tuned": "encoders trained with the head"}.get(regime, regime)
    paper = "trained on base and validation classes" if regimen == "paper" else ""
    return ", ".join(filter(None, [seen, start, encoders, paper]))


def assignments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {plain(value)}" for name, value in sorted(settings.items()))


def plain(value: object) -> str:
    """A setting's value: short digests, no JSON quotes around plain words."""
    if isinstance(value, str):
        return short(value) if len(value) == 64 and set(value) <= set("0123456789abcdef") else value
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(part) for part in value) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A tree of settings as dotted names and plain values, by name."""
    found: dict[str, str] = {}
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = MISSING if value == {} else plain(value)
    return found


def differing(tables: Iterable[Mapping[str, str]]) -> list[str]:
    """Names whose values differ, or that some tables lack."""
    given = list(tables)
    names = sorted({name for table in given for name in table})
    return [name for name in names if len({table.get(name) for table in given}) > 1]
