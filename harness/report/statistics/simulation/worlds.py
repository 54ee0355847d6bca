"""Made-up test sets whose true accuracy is known: one-shot episodes for a nearest-neighbour scorer.

Features are a centre of the class plus normal effects of the subject (on all that it performs, and on each class), of
the performance, and of the clip. In world A clips are independent, in B camera views of a performance are alike, in C
subjects matter as well; the effects' variances always add up to 1, so that the worlds differ in nothing else. Centres
stand at right angles: with equal lengths no class is harder than another, and short ones are hard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.data.episodes.stream import stream_key
from mmact_oneshot.harness.report.statistics.clusters import Identities

EPISODES, WAY = 10_000, 5
TRUTH_EPISODES = 2_000_000
_AT_ONCE = 20_000


@dataclass(frozen=True)
class Size:
    """A balanced test set: every subject performs every class ``repeats`` times before all cameras."""

    classes: int
    subjects: int
    repeats: int
    cameras: int

    @property
    def performances(self) -> int:
        """Of one class."""
        return self.subjects * self.repeats


@dataclass(frozen=True)
class World:
    """How features arise; variances of the effects add up to 1.

    Attributes:
        reach: length of the classes' centres, on average.
        spread: from reach (1 - spread) for the hardest class to reach (1 + spread); 0: classes of equal difficulty.
    """

    name: str
    size: Size
    reach: float
    spread: float = 0.0
    subject: float = 0.0
    subject_and_class: float = 0.0
    performance: float = 0.0

    @property
    def clip(self) -> float:
        return 1 - self.subject - self.subject_and_class - self.performance

    @property
    def centres(self) -> np.ndarray:
        """(C, C)."""
        lengths = self.reach * np.linspace(1 - self.spread, 1 + self.spread, self.size.classes)
        return np.diag(lengths).astype(np.float32)

    def generator(self, purpose: str, seed: int, index: int) -> np.random.Generator:
        """A stream of its own, so that replicates can be made in any order and by any process."""
        key = stream_key(f"{self.name}/{purpose}", seed)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, index, 0, 0]))


MMACT, UTD = Size(10, 20, 15, 4), Size(7, 8, 4, 1)
_KINDS: dict[str, dict[str, float]] = {
    "A": {},
    "B": {"performance": 0.6},
    "C": {"performance": 0.5, "subject": 0.06, "subject_and_class": 0.06},
}
WORLDS = {
    world.name: world
    for size, name, kinds, reach in ((MMACT, "MMAct", "ABC", 2.6), (UTD, "UTD", "BC", 2.4))
    for kind in kinds  # with one camera, A and B are the same world
    for spread, difficulty in ((0.0, ""), (0.5, ", unequal"))
    for world in [World(f"{name} {kind}{difficulty}", size, reach, spread, **_KINDS[kind])]
}


@dataclass(frozen=True)
class Drawn:
    """Slots of N episodes, (N, W, 2) each: the support clip and the query of every class."""

    classes: np.ndarray
    performance: np.ndarray
    camera: np.ndarray


def draw_episodes(random: np.random.Generator, size: Size, episodes: int) -> Drawn:
    """W classes, one query each, and one support clip each, of another performance."""
    classes = random.random((episodes, size.classes), dtype=np.float32).argsort(axis=1)[:, :WAY, None]
    query = random.integers(size.performances, size=(episodes, WAY))
    support = (query + random.integers(1, size.performances, size=query.shape)) % size.performances
    camera = random.integers(size.cameras, size=(episodes, WAY, 2))
    return Drawn(np.broadcast_to(classes, camera.shape), np.stack([support, query], axis=-1), camera)


def replicate(world: World, seed: int, index: int, episodes: int = EPISODES) -> tuple[np.ndarray, Identities]:
    """One test set and the episodes drawn from it: (B, Q) correct, and who sits in the slots."""
    random, size = world.generator("replicate", seed, index), world.size
    width = size.classes
    subject = _normal(random, world.subject, (1, size.subjects, width))
    subject = subject + _normal(random, world.subject_and_class, (size.classes, size.subjects, width))
    performance = _normal(random, world.performance, (size.classes, size.performances, width))
    performance += np.repeat(subject, size.repeats, axis=1) + world.centres[:, None]
    clips = (
        _normal(random, world.clip, (size.classes, size.performances, size.cameras, width)) + performance[:, :, None]
    )
    drawn = draw_episodes(random, size, episodes)
    rows = np.ravel_multi_index((drawn.classes, drawn.performance, drawn.camera), clips.shape[:3])
    c, p, _ = np.unravel_index(np.arange(clips[..., 0].size), clips.shape[:3])
    identities = Identities.of_clips(rows[..., :1], rows[..., 1], c, c * size.performances + p, p // size.repeats)
    return nearest_right(clips.reshape(-1, width)[rows]), identities


def truth(world: World, seed: int, episodes: int = TRUTH_EPISODES) -> tuple[float, float]:
    """The mean accuracy over all test sets, and the standard error of this figure.

    Every episode comes from a test set of its own, so that episodes are independent; within one, slots share a subject
    as often as in a replicate, and then its effects.
    """
    sums = np.zeros(2)
    for index in range(-(-episodes // _AT_ONCE)):
        count = min(_AT_ONCE, episodes - index * _AT_ONCE)
        right = _fresh(world, world.generator("truth", seed, index), count).mean(axis=1)
        sums += [right.sum(), (right**2).sum()]
    mean = sums[0] / episodes
    return float(mean), float(((sums[1] / episodes - mean**2) / episodes) ** 0.5)


def _fresh(world: World, random: np.random.Generator, episodes: int) -> np.ndarray:
    """(N, Q) correct, with new effects in every episode."""
    size, drawn = world.size, draw_episodes(random, world.size, episodes)
    width, shape = size.classes, (episodes, WAY, 2, size.classes)
    features = _normal(random, world.performance + world.clip, shape)  # support and query: never one performance
    features += world.centres[drawn.classes]
    if world.subject or world.subject_and_class:
        subjects = drawn.performance // size.repeats
        own = _normal(random, world.subject_and_class, shape)
        same = subjects[..., 0] == subjects[..., 1]
        own[same, 1] = own[same, 0]
        every = _normal(random, world.subject, (episodes, size.subjects, width))
        features += own + every[np.arange(episodes)[:, None, None], subjects]
    return nearest_right(features)


def nearest_right(features: np.ndarray) -> np.ndarray:
    """(N, Q) whether the nearest support clip is of the query's class, from (N, W, 2, D) as in :class:`Drawn`."""
    support, query = features[:, :, 0], features[:, :, 1]
    scores = query @ support.transpose(0, 2, 1) - (support**2).sum(axis=-1)[:, None] / 2
    return np.asarray(scores.argmax(axis=-1) == np.arange(WAY))


def _normal(random: np.random.Generator, variance: float, shape: tuple[int, ...]) -> np.ndarray:
    if variance == 0:
        return np.zeros(shape, dtype=np.float32)
    return random.standard_normal(shape, dtype=np.float32) * np.float32(variance**0.5)
