"""The suites: named, fixed sets of episodes, each with a digest that is committed and can be verified."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources

import pandas as pd

from mmact_oneshot.harness.data.episodes.sampling import Draws, EpisodeSampler, SuiteSpec
from mmact_oneshot.harness.data.splits import Split, clip_list, load_split
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

SUITES = {
    spec.name: spec
    for spec in (
        SuiteSpec("val", "validation", 1_000),
        SuiteSpec("test", "novel", 10_000),
        SuiteSpec("test-cross-subject", "novel", 10_000, differ=("subject",)),
        SuiteSpec("test-cross-view", "novel", 10_000, differ=("camera", "performance")),
        SuiteSpec("test-cross-scene", "novel", 10_000, differ=("scene",)),
        SuiteSpec("test-cross-session", "novel", 10_000, differ=("session",)),
        SuiteSpec("test-5shot", "novel", 10_000, shot=5),
        SuiteSpec("test-paper", "novel", 10_000, queries=0, differ=()),
    )
}
HEADLINE = "test"


def novel_suites() -> list[str]:
    """Suites of novel classes."""
    return [spec.name for spec in SUITES.values() if spec.role == "novel"]


def train_spec(seed: int, way: int, shot: int, queries: int, role: str = "base") -> SuiteSpec:
    """Training episodes: endless, drawn by counter from (training seed, episode number)."""
    return SuiteSpec("train", role, 0, way=way, shot=shot, queries=queries, seed=seed)


def suite_spec(name: str) -> SuiteSpec:
    """A suite by name.

    Raises:
        HarnessError: with the nearest right name.
    """
    if name not in SUITES:
        raise HarnessError(f"no suite {name!r}.", remedy=nearest(name, SUITES))
    return SUITES[name]


@dataclass(frozen=True)
class Suite:
    """The episodes of a suite. ``clips`` holds the clips of its classes; ``draws`` indexes its rows."""

    spec: SuiteSpec
    clips: pd.DataFrame
    classes: tuple[str, ...]
    draws: Draws

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the definition, the clip names and every drawn index (little-endian)."""
        sha = hashlib.sha256(json.dumps(self.spec.as_dict(), sort_keys=True).encode())
        sha.update("\n".join([*self.classes, *self.clips["clip"]]).encode())
        for array in (self.draws.classes, self.draws.support, self.draws.query):
            sha.update(array.astype("<i4").tobytes())
        sha.update(self.draws.label.astype("<i1").tobytes())
        return sha.hexdigest()


def build_suite(spec: SuiteSpec, split: Split, clips: pd.DataFrame, episodes: int | None = None) -> Suite:
    """Draw all episodes of a suite (or the first ``episodes``, for a smoke run: another digest).

    Args:
        clips: the clip list of :func:`mmact_oneshot.harness.data.splits.clip_list`.

    Raises:
        HarnessError: the rule cannot be satisfied; a suite is refused by name, never weakened.
    """
    spec = spec if episodes is None else replace(spec, episodes=min(episodes, spec.episodes))
    classes = split.role(spec.role)
    rows = clips[clips["class_name"].isin(classes)].reset_index(drop=True)
    sampler = EpisodeSampler(rows, classes, spec)
    return Suite(spec, rows, classes, sampler.draw_range(0, spec.episodes))


def shipped_clips(name: str) -> tuple[Split, pd.DataFrame]:
    """Split and clip list that are known without any recordings: ``mmact``, ``utd-mhad``, or ``generated`` (the
    data that `oneshot data synthesize` writes by default)."""
    from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings

    split = load_split(name)
    return split, clip_list(split, SyntheticSettings().as_json() if name == "generated" else None, None)


def committed_digests() -> dict[str, dict[str, str]]:
    """Suite digests that ship with the package, by clip list: ``{"mmact": {"test": "..."}}``."""
    text = (resources.files("mmact_oneshot.harness.data.episodes") / "digests.json").read_text("utf-8")
    content: dict[str, dict[str, str]] = json.loads(text)
    return content
