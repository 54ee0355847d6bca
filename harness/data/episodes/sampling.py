"""Drawing episodes from a list of clips under a rule for what support and query of a class may share."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from mmact_oneshot.harness.data.episodes.stream import Stream, stream_key
from mmact_oneshot.harness.runtime.errors import HarnessError


@dataclass(frozen=True)
class SuiteSpec:
    """What defines a suite; with the clip list and the class split it fixes every episode.

    ``differ`` names the columns of the clip table in which each support clip of a class must differ from every
    query of that class. ``queries`` is per class; 0 means one query per episode, its class drawn at random.
    """

    name: str
    role: str
    episodes: int
    way: int = 5
    shot: int = 1
    queries: int = 1
    differ: tuple[str, ...] = ("performance",)
    seed: int = 2026

    @property
    def queries_per_episode(self) -> int:
        return max(1, self.way * self.queries)

    def as_dict(self) -> dict[str, object]:
        return asdict(self) | {"differ": list(self.differ)}


@dataclass(frozen=True)
class Draws:
    """Episodes as indices into a clip list and a class list.

    ``classes`` (N, way), ``support`` (N, way, shot) and ``query`` (N, Q) clip rows, ``label`` (N, Q) in 0..way-1.
    Both the order of the classes and the order of the queries are random, so a position says nothing.
    """

    classes: np.ndarray
    support: np.ndarray
    query: np.ndarray
    label: np.ndarray


class EpisodeSampler:
    """Draws episode *i* of a suite; refuses a rule that some class cannot satisfy.

    Args:
        clips: the clip list, with the identity columns and ``performance``.
        classes: the classes to draw from, in a fixed order.
        spec: the suite.
    """

    def __init__(self, clips: pd.DataFrame, classes: tuple[str, ...], spec: SuiteSpec) -> None:
        if len(classes) < spec.way:
            raise HarnessError(
                f"suite {spec.name!r} is {spec.way}-way, but {spec.role} has {len(classes)} classes.",
                remedy="Use a smaller way or a split with more classes.",
            )
        self.spec, self.classes = spec, classes
        self._key = stream_key(spec.name, spec.seed)
        self._codes: list[list[int]] = [pd.factorize(clips[column])[0].tolist() for column in spec.differ]
        names = clips["class_name"].to_numpy()
        self._members = [np.flatnonzero(names == name).tolist() for name in classes]
        for name, members in zip(classes, self._members, strict=True):
            self._refuse_impossible(name, members)

    def draw(self, index: int) -> tuple[list[int], list[list[int]], list[int], list[int]]:
        """Episode ``index``: classes (way), support (way, shot), query (Q), label (Q)."""
        spec, stream = self.spec, Stream(self._key, index)
        classes = stream.sample(range(len(self.classes)), spec.way)
        if spec.queries == 0:
            asked = [stream.below(spec.way)]
            counts = [int(position in asked) for position in range(spec.way)]
        else:
            counts = [spec.queries] * spec.way
        support, queries = [], []
        for position, (class_index, count) in enumerate(zip(classes, counts, strict=True)):
            members = self._members[class_index]
            drawn = self._distinct(stream, members, count, [])
            support.append(self._distinct(stream, members, spec.shot, drawn))
            queries += [(clip, position) for clip in drawn]
        queries = stream.sample(queries, len(queries))
        return classes, support, [clip for clip, _ in queries], [label for _, label in queries]

    def draw_range(self, first: int, count: int) -> Draws:
        """Episodes ``first`` .. ``first + count - 1`` as int32 arrays (int8 labels)."""
        drawn = [self.draw(index) for index in range(first, first + count)]
        classes, support, query, label = (list(part) for part in zip(*drawn, strict=True))
        return Draws(
            np.asarray(classes, np.int32),
            np.asarray(support, np.int32),
            np.asarray(query, np.int32),
            np.asarray(label, np.int8),
        )

    def _distinct(self, stream: Stream, members: list[int], count: int, queries: list[int]) -> list[int]:
        """``count`` different clips that differ from every query in every column of the rule."""
        chosen: list[int] = []
        while len(chosen) < count:
            clip = members[stream.below(len(members))]
            if clip not in chosen and not self._conflict(clip, queries):
                chosen.append(clip)
        return chosen

    def _conflict(self, clip: int, queries: list[int]) -> bool:
        if clip in queries:
            return True
        return any(codes[clip] == codes[query] for codes in self._codes for query in queries)

    def _refuse_impossible(self, name: str, members: list[int]) -> None:
        """Whatever the queries are, enough support clips must remain: count those that the worst queries exclude."""
        spec = self.spec
        queries = max(1, spec.queries)
        groups = np.asarray([[codes[clip] for codes in self._codes] for clip in members])
        excluded = np.ones(len(members), dtype=int)
        if spec.differ and members:
            excluded = np.concatenate([(groups == row).any(axis=1).sum(keepdims=True) for row in groups])
        worst = int(np.sort(excluded)[-queries:].sum())
        if len(members) - worst < spec.shot or len(members) < queries:
            rule = " and ".join(f"{column}s" for column in spec.differ) or "clips"
            raise HarnessError(
                f"suite {spec.name!r} is impossible: support and query of a class must have different {rule}, and "
                f"class {name!r} has too few ({len(members)} clips; {queries} queries can rule out {worst} of them, "
                f"{spec.shot} support clips are needed).",
                remedy=f"Every class needs at least {queries + 1} different {rule}; choose another suite or more data.",
            )
