"""Captions: what the figures mean and what they do not, in at most 40 words each. docs/reading.md says more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mmact_oneshot.harness.report.formats import p_value, percent, points
from mmact_oneshot.harness.report.results.guards import Guard
from mmact_oneshot.harness.report.results.levelling import (
    ABOVE_CHANCE,
    STILL_RISING,
    best_validation,
    not_learnt,
    still_rising,
)
from mmact_oneshot.harness.report.results.load import Suite, TestAccesses
from mmact_oneshot.harness.report.results.report import StudySuite
from mmact_oneshot.harness.report.results.starts import UnequalStart
from mmact_oneshot.harness.report.statistics import Analysis
from mmact_oneshot.harness.report.suite_names import SUITES

TIED = "="
GENERATED = "Generated data (simulated bodies and sensors): nothing here is about MMAct."
PAIRS = (
    "Percentage points on the same episodes with the same seeds, with 95 % intervals. Undecided: no significant "
    "difference (Holm-adjusted p of 0.05 or more over all pairs on these modalities); that does not make them equal."
)
EXTERNAL_DATA = "External data: weight files that were made with other recordings."


def matrix_caption(results: StudySuite) -> str:
    """Of the matrix of a study."""
    chance = percent(results.suite.chance, 1).removesuffix(".0")
    seeds = max((len(row.measured.seeds) for row in results.rows if row.measured.trained), default=1)
    if not any(ranking.comparisons for ranking in results.rankings.values()):
        return f"Accuracy in %, in brackets the 95 % interval for {covered(results, seeds)}. Chance: {chance} %."
    return (
        f"Accuracy in %, in brackets the 95 % interval for {covered(results, seeds)}. Bold: the best; {TIED}: not "
        f"significantly different from it (Holm). Chance: {chance} %. No interval speaks for other classes."
    )


def covered(results: StudySuite, seeds: int) -> str:
    """What the intervals of a study speak for."""
    analyses = [row.measured.inference.analysis for row in results.rows]
    return coverage(next((analysis for analysis in analyses if analysis is not None), None), seeds)


def coverage(analysis: Analysis | None, seeds: int) -> str:
    """``new performances, new subjects and training again``; never other classes.

    Args:
        seeds: with one, an interval holds for that trained model only.
    """
    known = (
        []
        if analysis is None
        else [
            name
            for name, found in (("new performances", analysis.performances), ("new subjects", analysis.subjects))
            if found.available
        ]
    )
    parts = [*(known or ["these clips"]), *(["training again"] if seeds > 1 else [])]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def decided_by(analysis: Analysis | None) -> str:
    """Which estimate gives the interval that is shown."""
    if analysis is None or not (found := analysis.headline()).available:
        return "these clips"
    return "new subjects" if found is analysis.subjects else "new performances"


def suite_sentence(suite: Suite) -> str:
    """What an episode of a suite is."""
    clips = "1 support clip" if suite.shot == 1 else f"{suite.shot} support clips"
    queries = "1 query" if suite.queries == 1 else f"{suite.queries} queries"
    rule = SUITES[suite.name].rule if suite.name in SUITES else ""
    return f"{len(suite):,} episodes: {clips} of each of {suite.way} classes, {queries}. {rule}".rstrip()


def access_sentence(suite: Suite, accesses: TestAccesses | None, shown: int) -> str:
    """How often a suite was scored, as logged."""
    if accesses is None:
        return f"Test accesses of {suite.name}: not known, there is no log."
    digest = suite.record.suite_digest
    return (
        f"Test accesses of {suite.name}, as logged: {accesses.count[digest]:,} of {accesses.trainings[digest]:,} "
        f"trainings; {shown:,} trainings are shown."
    )


def training_notes(results: StudySuite) -> tuple[str, ...]:
    """What validation says against the figures of rows."""
    return (*own_networks_note(results), *not_learnt_note(results), *rising_note(results))


def own_networks_note(results: StudySuite) -> tuple[str, ...]:
    """Methods that have networks of their own in place of shared encoders; nothing where there are none."""
    count: Counter[tuple[str, str]] = Counter()
    own: Counter[tuple[str, str]] = Counter()
    for row in results.rows:
        training = row.measured.training
        for modality in training.modalities if row.measured.trained else ():
            count[training.method, modality] += 1
            own[training.method, modality] += modality not in training.encoders
    found = [
        f"{method} for {modality}{'' if rows == count[method, modality] else f' in {rows} of its rows'}"
        for (method, modality), rows in own.items()
        if rows
    ]
    return (f"Networks of their own in place of the shared encoders: {'; '.join(found)}.",) if found else ()


def not_learnt_note(results: StudySuite) -> tuple[str, ...]:
    """Rows whose training failed; nothing where there are none."""
    chance = results.suite.chance
    failed = [
        f"{row.name} (validation {percent(best_validation(row.measured.trainings), 0)} %, "
        f"{results.suite.name} {percent(row.interval.mean, 0)} %)"
        for row in results.rows
        if not_learnt(row.measured.trainings, chance)
    ]
    if not failed:
        return ()
    return (
        f"Validation stayed within {ABOVE_CHANCE * 100:g} points of chance: {'; '.join(failed)}. These rows learnt "
        "next to nothing that helps with the validation classes: settings, not the method, may be why.",
    )


def rising_note(results: StudySuite) -> tuple[str, ...]:
    """Rows that may gain from more steps; nothing where there are none, or too few validations to say so."""
    rising = [row.name for row in results.rows if still_rising(row.measured.trainings)]
    if not rising:
        return ()
    by = f"more than {STILL_RISING * 100:g} point"
    return (f"Validation of the last third of training is {by} above the third before: {'; '.join(rising)}.",)


def data_warnings(data: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the data before any figure."""
    found = [GENERATED] if data.get("generated") else []
    if not data.get("complete", True):
        listed, usable = data.get("clips_listed", 0), data.get("clips_usable", 0)
        parts = [f"{listed - usable:,} of {listed:,} clips are absent or unreadable"] if usable < listed else []
        without = data.get("performances_without_sensor", {})
        parts += [f"{count:,} performances have no {sensor}" for sensor, count in sorted(without.items()) if count]
        problems = data.get("problems", 0)
        parts += [f"{problems:,} problem{'s' * (problems != 1)} met while preparing"] if problems else []
        found.append(f"Incomplete data: {'; '.join(parts) or 'no details recorded'}.")
    return found


def guard_sentence(guard: Guard) -> str:
    """A check in one sentence."""
    test = f"test of no difference: {p_value(guard.p)}"
    if guard.seeds:
        first, second = (", ".join(map(str, seeds)) for seeds in guard.seeds)
        what = f"{guard.row}: seeds {first} minus seeds {second}: {points(guard.mean, guard.decimals)} points"
        failed = "It must not differ from itself: check code and records."
    else:
        found, chance = percent(guard.mean, guard.decimals), percent(guard.chance, 1).removesuffix(".0")
        what = f"the control {guard.row} scores {found} %, chance is {chance} %"
        failed = "Labels leak or the episodes are unbalanced: do not use these figures."
    return f"CHECK FAILED: {what} ({test}). {failed}" if guard.failed else f"Check passed: {what} ({test})."


def start_sentence(start: UnequalStart) -> str:
    """Which rows began from which encoder."""
    groups = " | ".join(", ".join(group) for group in start.groups)
    return (
        f"CHECK FAILED: {start.rows}, seed {start.seed}: rows did not begin from one {start.encoder} encoder, but from "
        f"{len(start.groups)}, whose warm start was made more than once: {groups}. Train one group again (--force)."
    )
