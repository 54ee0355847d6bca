"""Drawing episodes: the rule holds, the order of drawing does not matter, what is impossible is refused."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from mmact_oneshot.harness.data.clips import IDENTITY, with_ids
from mmact_oneshot.harness.data.episodes.sampling import Draws, EpisodeSampler, SuiteSpec
from mmact_oneshot.harness.data.episodes.suites import train_spec
from mmact_oneshot.harness.runtime.errors import HarnessError

CLASSES = tuple("abcdef")
SPEC = SuiteSpec("toy", "novel", 60)


def clips(subjects: int = 3, cameras: int = 2, sessions: int = 2, classes: tuple[str, ...] = CLASSES) -> pd.DataFrame:
    rows = [
        (name, subject, camera, 1, session)
        for name in classes
        for subject in range(subjects)
        for camera in range(cameras)
        for session in range(sessions)
    ]
    return with_ids(pd.DataFrame(rows, columns=list(IDENTITY)))


def draw_part(first: int, count: int) -> Draws:
    return EpisodeSampler(clips(), CLASSES, SPEC).draw_range(first, count)


def assert_same(a: Draws, b: Draws) -> None:
    for name in ("classes", "support", "query", "label"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def joined(parts: list[Draws]) -> Draws:
    return Draws(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("classes", "support", "query", "label"))
    )


def test_any_order_and_any_chunks_give_the_same_episodes() -> None:
    whole = draw_part(0, 60)
    assert_same(joined([draw_part(0, 1), draw_part(1, 22), draw_part(23, 37)]), whole)
    sampler = EpisodeSampler(clips(), CLASSES, SPEC)
    backwards = [sampler.draw_range(index, 1) for index in reversed(range(60))]
    assert_same(joined(backwards[::-1]), whole)


def test_any_number_of_processes_gives_the_same_episodes() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(draw_part, range(0, 60, 20), [20] * 3))
    assert_same(joined(parts), draw_part(0, 60))


@pytest.mark.parametrize(
    ("differ", "shot", "queries"),
    [
        (("performance",), 1, 1),
        (("performance",), 3, 2),
        (("subject",), 2, 1),
        (("camera", "performance"), 1, 2),
        (("session",), 2, 1),
        ((), 4, 3),
        ((), 1, 0),
    ],
)
def test_the_rule_holds_in_every_episode(differ: tuple[str, ...], shot: int, queries: int) -> None:
    table = clips(subjects=5, cameras=4)
    spec = replace(SPEC, differ=differ, shot=shot, queries=queries, episodes=200)
    draws = EpisodeSampler(table, CLASSES, spec).draw_range(0, 200)
    assert draws.support.shape == (200, 5, shot)
    assert draws.query.shape == draws.label.shape == (200, spec.queries_per_episode)
    names = table["class_name"].to_numpy()
    for classes, support, query, label in zip(draws.classes, draws.support, draws.query, draws.label, strict=True):
        assert len(set(classes)) == 5
        expected = np.asarray(CLASSES)[classes]
        assert (names[support] == expected[:, None]).all()
        assert (names[query] == expected[label]).all()
        used = [*support.ravel(), *query]
        assert len(set(used)) == len(used), "no clip occurs twice in an episode"
        if queries:
            assert sorted(label) == sorted(np.repeat(range(5), queries))
        for column in differ:
            values = table[column].to_numpy()
            assert (values[support[label]] != values[query][:, None]).all(), column


def test_training_seeds_give_other_episodes_but_the_same_rule() -> None:
    table = clips()
    drawn = [EpisodeSampler(table, CLASSES, train_spec(seed, 5, 1, 1)).draw_range(0, 20).query for seed in (0, 1, 0)]
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert (drawn[0] != drawn[1]).mean() > 0.5


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        (clips(subjects=1), {"differ": ("subject",)}, "suite 'toy' is impossible.*different subjects.*class 'a'"),
        (clips(cameras=1), {"differ": ("camera", "performance")}, "different cameras and performances"),
        (clips(subjects=2), {"differ": ("subject",), "queries": 2}, "2 queries can rule out"),
        (clips(subjects=1, sessions=2), {"shot": 3}, "3 support clips are needed"),
        (clips(classes=tuple("abcdf")), {}, "class 'e' has too few"),
        (clips(), {"way": 7}, "7-way, but novel has 6 classes"),
    ],
)
def test_an_impossible_suite_is_refused_by_name(table: pd.DataFrame, changes: dict[str, object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        EpisodeSampler(table, CLASSES, replace(SPEC, **changes))  # type: ignore[arg-type]


def test_what_is_just_possible_is_drawn() -> None:
    """Two subjects, one query, cross-subject: every support clip is of the other subject."""
    table = clips(subjects=2, cameras=1, sessions=1)
    draws = EpisodeSampler(table, CLASSES, replace(SPEC, differ=("subject",))).draw_range(0, 60)
    subject = table["subject"].to_numpy()
    true = np.take_along_axis(draws.support[:, :, 0], draws.label.astype(int), axis=1)
    assert (subject[true] == 1 - subject[draws.query]).all()
