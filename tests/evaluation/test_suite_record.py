"""The record of a suite: codes that refer to the right names, what is missing of a clip, and small files."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation.metrics import evaluation_digest
from mmact_oneshot.harness.evaluation.suite_record import episodes_of, record_suite
from mmact_oneshot.harness.records import Episodes, RecordFolder, SuiteRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.toys import toy_store, toy_task

ABSENT, DEAF = 7, 12  # places in the suite's clip list: without video, and without accelerometer


@pytest.fixture(scope="module")
def task() -> Task:
    whole = toy_store()
    rows = toy_task(whole).rows(toy_task(whole).suite("test").clips)
    clips, measured = whole.clips.copy(), {name: values.copy() for name, values in whole.measured.items()}
    clips.loc[rows[ABSENT], "video"] = False
    measured["acc"][whole.performance[rows[DEAF]]] = False
    return toy_task(replace(whole, clips=clips, measured=measured), episodes=50)


@pytest.fixture(scope="module")
def suite(task: Task) -> Suite:
    return task.suite("test")


def test_codes_refer_to_the_identity_of_every_clip(task: Task, suite: Suite) -> None:
    episodes, names = episodes_of(task, suite)
    for column in ("subject", "scene", "camera"):
        codes = getattr(episodes, column)
        assert [names[column][code] for code in codes] == suite.clips[column].astype(str).tolist()
    assert names["subject"] == ("1", "2", "3")
    alike = suite.clips["performance"].to_numpy()
    assert ((episodes.performance[:, None] == episodes.performance) == (alike[:, None] == alike)).all()


def test_subjects_stand_in_the_order_of_their_numbers(task: Task, suite: Suite) -> None:
    clips = suite.clips.assign(subject=suite.clips["subject"].map({1: 2, 2: 10, 3: 1}))
    assert episodes_of(task, replace(suite, clips=clips))[1]["subject"] == ("1", "2", "10")


def test_episodes_are_those_of_the_suite(task: Task, suite: Suite) -> None:
    episodes, _ = episodes_of(task, suite)
    for name in ("support", "query", "label"):
        np.testing.assert_array_equal(getattr(episodes, name), getattr(suite.draws, name))
    drawn = np.asarray(suite.classes)[episodes.drawn]
    shown = suite.clips["class_name"].to_numpy()[episodes.support]
    assert (shown == drawn[:, :, None]).all()
    asked = suite.clips["class_name"].to_numpy()[episodes.query]
    assert (asked == np.take_along_axis(drawn, episodes.label.astype(int), axis=1)).all()


def test_streams_are_present_where_something_was_recorded(task: Task, suite: Suite) -> None:
    episodes, _ = episodes_of(task, suite)
    assert episodes.present.shape == (len(suite.clips), 3)
    video, acc, gyro = episodes.present.T
    assert np.flatnonzero(~video).tolist() == [ABSENT]
    deaf = suite.clips["performance"] == suite.clips["performance"].iloc[DEAF]
    assert 1 < deaf.sum() < len(deaf)
    np.testing.assert_array_equal(acc, ~deaf.to_numpy() & video)
    np.testing.assert_array_equal(gyro, video)


def test_lacking_episodes_are_those_that_touch_a_clip_without_a_stream(task: Task, suite: Suite) -> None:
    episodes, _ = episodes_of(task, suite)

    def touched(clips: np.ndarray) -> list[bool]:
        gone = set(clips.tolist())
        return [
            bool(gone & {*support.ravel().tolist(), *query.tolist()})
            for support, query in zip(episodes.support, episodes.query, strict=True)
        ]

    video, acc, _ = episodes.present.T
    assert episodes.lacking((0,)).tolist() == touched(np.flatnonzero(~video))
    assert episodes.lacking((1,)).tolist() == touched(np.flatnonzero(~acc))
    assert episodes.lacking((0, 1, 2)).tolist() == touched(np.flatnonzero(~(acc & video)))
    assert 0 < episodes.lacking((0,)).sum() < episodes.lacking((0, 1)).sum() < 50
    assert not episodes.lacking(()).any(), "a row without streams lacks nothing"


def test_lacking_by_hand() -> None:
    episodes = Episodes(
        support=np.asarray([[[0], [1]], [[2], [3]], [[0], [2]]]),
        query=np.asarray([[2, 3], [0, 1], [2, 0]]),
        label=np.asarray([[0, 1]] * 3, np.int8),
        drawn=np.asarray([[0, 1]] * 3),
        **dict.fromkeys(("performance", "subject", "scene", "camera"), np.zeros(4, int)),
        present=np.asarray([[True, True], [True, False], [True, True], [False, True]]),
    )
    assert episodes.lacking((0,)).tolist() == [True, True, False]
    assert episodes.lacking((1,)).tolist() == [True, True, False]
    assert replace(episodes, present=np.asarray([[True], [True], [True], [False]])).lacking((0,)).tolist() == [
        True, True, False,
    ]  # fmt: skip


def test_what_is_written_comes_back(task: Task, suite: Suite, tmp_path: Path) -> None:
    records = RecordFolder(tmp_path)
    record_suite(task, "test", records)
    (record,) = records.all(SuiteRecord)
    assert record.evaluation_digest == evaluation_digest(task.data_digest, task.split.digest, suite.digest)
    assert record.id == f"test-{record.evaluation_digest[:8]}"
    assert (record.suite, record.suite_digest, record.classes) == ("test", suite.digest, suite.classes)
    assert (record.subjects, record.scenes, record.cameras) == (("1", "2", "3"), ("1",), ("1", "2"))
    assert record.streams == ("video", "acc", "gyro")
    expected, found = episodes_of(task, suite)[0], records.read_episodes(record)
    for field in fields(Episodes):
        one, other = getattr(expected, field.name), getattr(found, field.name)
        np.testing.assert_array_equal(one, other)
        assert other.dtype == (one.dtype if one.dtype in (np.int8, np.bool_) else np.int64), field.name


def test_it_is_written_once_and_the_same_every_time(task: Task, tmp_path: Path) -> None:
    for name in ("one", "two"):
        record_suite(task, "test", RecordFolder(tmp_path / name))
    files = {path.name: path for path in (tmp_path / "one" / "suite").iterdir()}
    assert {path.suffix for path in files.values()} == {".json", ".npz"}
    for name, path in files.items():
        assert path.read_bytes() == (tmp_path / "two" / "suite" / name).read_bytes()
    before = {name: path.stat().st_mtime_ns for name, path in files.items()}
    record_suite(task, "test", RecordFolder(tmp_path / "one"))
    assert {name: path.stat().st_mtime_ns for name, path in files.items()} == before


def test_data_split_and_suite_each_count_in_an_evaluation_digest() -> None:
    parts = {"data": "d", "split": "s", "suite": "e"}
    found = [evaluation_digest(**parts), *(evaluation_digest(**{**parts, name: "x"}) for name in parts)]
    assert len(set(found)) == 4
    assert evaluation_digest(**parts) == found[0]
    assert evaluation_digest("a", "b", "c") != evaluation_digest("b", "a", "c"), "each in its place"


def test_other_recordings_have_a_record_of_their_own(task: Task, tmp_path: Path) -> None:
    other: Store = replace(task.store, manifest=task.store.manifest | {"data_digest": "other"})
    records = RecordFolder(tmp_path)
    for each in (task, replace(task, store=other)):
        record_suite(each, "test", records)
    assert len({record.evaluation_digest for record in records.all(SuiteRecord)}) == 2


def test_a_broken_record_of_a_suite_is_named_and_deleting_it_mends_it(task: Task, tmp_path: Path) -> None:
    records = RecordFolder(tmp_path)
    record_suite(task, "test", records)
    (record,) = records.all(SuiteRecord)
    (tmp_path / "suite" / record.episodes).unlink()
    with pytest.raises(HarnessError, match=r"episodes are missing.*Delete the record of the suite.*writes it anew"):
        record_suite(task, "test", records)
    records.path(SuiteRecord, record.id).unlink()
    record_suite(task, "test", records)
    records.read_episodes(record)


def test_files_of_ten_thousand_episodes_are_small(tmp_path: Path) -> None:
    """Of the size of MMAct's test split, without any pattern that would compress."""
    random = np.random.default_rng(0)
    count, clips = 10_000, 11_678
    label = random.permuted(np.tile(np.arange(5, dtype=np.int8), (count, 1)), axis=1)
    performance = random.integers(0, 2_987, clips)
    episodes = Episodes(
        support=random.integers(0, clips, (count, 5, 1)),
        query=random.integers(0, clips, (count, 5)),
        label=label,
        drawn=random.integers(0, 10, (count, 5)),
        performance=performance,
        subject=random.integers(0, 20, clips),
        scene=random.integers(0, 4, clips),
        camera=random.integers(0, 4, clips),
        present=random.random((clips, 5)) < 0.95,
    )
    records = RecordFolder(tmp_path)
    records.write_episodes("test", episodes)
    records.write_predictions("row", random.integers(0, 5, (count, 5)).astype(np.int8), label)
    assert (tmp_path / "suite" / "test.npz").stat().st_size < 400_000
    assert (tmp_path / "predictions" / "row.npz").stat().st_size < 100_000
