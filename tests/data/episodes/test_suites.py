"""The shipped suites: committed digests, known first episodes, the rule, uniformity, and what they give away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from mmact_oneshot.harness.data.episodes.audit import audit, oracle_accuracy, same_share
from mmact_oneshot.harness.data.episodes.suites import (
    SUITES,
    Suite,
    build_suite,
    committed_digests,
    shipped_clips,
    suite_spec,
)
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.conftest import SuiteOf

COMMITTED = [(split, name) for split, digests in committed_digests().items() for name in digests]
FIXED = ["test", "test-cross-subject", "test-5shot"]
FIRST_CLASSES = ["setting_down", "transferring_object", "checking_time", "waving_hand", "pointing"]
FIRST_SUPPORT = [
    "setting_down/subject13_cam3_scene4_session1",
    "transferring_object/subject7_cam3_scene4_session3",
    "checking_time/subject7_cam3_scene1_session3",
    "waving_hand/subject12_cam2_scene2_session2",
    "pointing/subject2_cam3_scene2_session2",
]
FIRST_QUERY = [
    "transferring_object/subject9_cam2_scene2_session3",
    "setting_down/subject4_cam4_scene4_session3",
    "waving_hand/subject1_cam4_scene4_session1",
    "pointing/subject13_cam4_scene1_session1",
    "checking_time/subject11_cam4_scene1_session5",
]


@pytest.mark.slow
@pytest.mark.parametrize(("split", "name"), COMMITTED)
def test_digests_are_as_committed(suite: SuiteOf, split: str, name: str) -> None:
    assert suite(split, name).digest == committed_digests()[split][name]


@pytest.mark.parametrize("split", committed_digests())
def test_every_suite_is_committed_or_impossible(split: str) -> None:
    impossible = set(SUITES) - set(committed_digests()[split])
    if split in {"mmact", "utd-mhad"}:
        assert impossible == (set() if split == "mmact" else {"test-cross-view", "test-cross-scene"})
    for name in impossible:
        with pytest.raises(HarnessError, match=f"suite '{name}' is impossible"):
            build_suite(suite_spec(name), *shipped_clips(split))


def test_headline_digests_are_what_was_published() -> None:
    """Literals: whoever changes the sampler must change this test, and with it every published figure."""
    digests = committed_digests()
    assert digests["mmact"]["test"] == "cbc071a066263cfadc71dd59f59f8687e8c989c286958d9902168085ee91c015"
    assert digests["mmact"]["val"] == "a479a7fe4945937a846d940c6aa203e8abf3a093477d0b86d18bb7a39b3bce02"
    assert digests["utd-mhad"]["test"] == "40f12439086f1777a6aba12df1a7d8af3c507d9dcf21224ef88797eabd8151a2"


def test_the_first_headline_episode_of_mmact(suite: SuiteOf) -> None:
    built = suite("mmact", "test")
    draws, names = built.draws, built.clips["clip"]
    assert [built.classes[c] for c in draws.classes[0]] == FIRST_CLASSES
    assert names[draws.support[0, :, 0]].tolist() == FIRST_SUPPORT
    assert names[draws.query[0]].tolist() == FIRST_QUERY
    assert draws.label[0].tolist() == [1, 0, 3, 4, 2]


def test_another_process_with_another_hash_seed_draws_the_same() -> None:
    code = (
        "from mmact_oneshot.harness.data.episodes.suites import *\n"
        "print(build_suite(suite_spec('val'), *shipped_clips('mmact')).digest)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env={"PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == committed_digests()["mmact"]["val"]


def test_the_order_of_the_clip_list_does_not_matter_to_the_committed_suites(suite: SuiteOf) -> None:
    """Suites are built from a list sorted by clip name; the list itself comes sorted."""
    clips = shipped_clips("mmact")[1]
    assert clips["clip"].is_monotonic_increasing
    assert suite("mmact", "test").clips["clip"].is_monotonic_increasing


def test_a_smoke_run_takes_the_first_episodes_under_another_digest(suite: SuiteOf) -> None:
    whole = suite("mmact", "val")
    few = build_suite(suite_spec("val"), *shipped_clips("mmact"), episodes=50)
    np.testing.assert_array_equal(few.draws.query, whole.draws.query[:50])
    assert few.digest != whole.digest
    assert build_suite(suite_spec("val"), *shipped_clips("mmact"), episodes=5_000).digest == whole.digest


@pytest.mark.slow
@pytest.mark.parametrize(("split", "name"), COMMITTED)
def test_support_and_query_share_what_the_suite_allows(suite: SuiteOf, split: str, name: str) -> None:
    built = suite(split, name)
    spec, draws = built.spec, built.draws
    assert draws.support.shape == (spec.episodes, 5, spec.shot)
    assert draws.query.shape == (spec.episodes, spec.queries_per_episode)
    assert {built.clips["class_name"].iat[row] for row in np.unique(draws.query)} == set(
        shipped_clips(split)[0].role(spec.role)
    )
    for column in spec.differ:
        assert same_share(built, column) == 0, column
    clips = np.concatenate([draws.support.reshape(len(draws.support), -1), draws.query], axis=1)
    ordered = np.sort(clips, axis=1)
    assert (ordered[:, 1:] != ordered[:, :-1]).all(), "no clip occurs twice in an episode"


@pytest.mark.slow
@pytest.mark.parametrize("split", committed_digests())
@pytest.mark.parametrize("name", [*FIXED, "test-paper"])
def test_classes_labels_and_queries_are_uniform(suite: SuiteOf, split: str, name: str) -> None:
    """At the level of 5 % over all tests of a suite together (Bonferroni)."""
    built = suite(split, name)
    draws, count = built.draws, len(built.classes)
    true = np.take_along_axis(draws.classes, draws.label.astype(int), axis=1)
    names = built.clips["class_name"].to_numpy()
    tables = [np.bincount(draws.classes[:, place], minlength=count) for place in range(5)]
    tables += [np.bincount(draws.label[:, place], minlength=5) for place in range(draws.label.shape[1])]
    for place, class_name in enumerate(built.classes):
        asked = np.bincount(draws.query[true == place], minlength=len(names))
        tables.append(asked[names == class_name])
    assert min(chisquare(table).pvalue for table in tables) > 0.05 / len(tables)


def test_the_paper_suite_draws_the_same_performance_as_often_as_expected(suite: SuiteOf) -> None:
    """As the released code draws: support is any other clip of the class, so cameras of one performance meet."""
    built = suite("mmact", "test-paper")
    clips = built.clips
    cameras = clips.groupby("performance")["clip"].transform("size")
    members = clips.groupby("class_name")["clip"].transform("size")
    expected = ((cameras - 1) / (members - 1)).groupby(clips["class_name"]).mean().mean()
    assert 0.0024 < expected < 0.0026
    error = (expected * (1 - expected) / built.spec.episodes) ** 0.5
    assert abs(same_share(built, "performance") - expected) < 4 * error


def test_oracles_of_the_headline_suite_reach_chance(suite: SuiteOf) -> None:
    figures = audit(suite("mmact", "test"))
    assert figures["same performance"] == 0
    for name in ("scene oracle", "camera oracle"):
        assert abs(figures[name] - 0.2) < 0.003
    assert 0.195 < figures["subject oracle"] < 0.2, "a little below chance: a subject's own performance is excluded"
    assert abs(figures["first query is first class"] - 0.2) < 4 * (0.16 / 10_000) ** 0.5
    assert figures["clips used"] > 0.99


def test_the_subject_oracle_is_worse_than_chance_across_subjects(suite: SuiteOf) -> None:
    built = suite("mmact", "test-cross-subject")
    assert same_share(built, "subject") == 0
    assert 0.15 < oracle_accuracy(built, "subject") < 0.17


def test_oracles_see_what_is_given_away() -> None:
    """Where each class has a scene of its own, the scene is the class."""
    split, clips = shipped_clips("utd-mhad")
    relabelled = clips.assign(scene=clips["class_name"].factorize()[0])
    built: Suite = build_suite(suite_spec("test"), split, relabelled, episodes=200)
    assert oracle_accuracy(built, "scene") == 1
    assert same_share(built, "scene") == 1


def test_a_mistyped_suite_is_named() -> None:
    with pytest.raises(HarnessError, match="Did you mean 'test-cross-subject'"):
        suite_spec("test-crosssubject")
