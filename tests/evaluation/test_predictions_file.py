"""Files of predictions: every form says the same, and every fault is one message that names the line."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mmact_oneshot.harness.evaluation.external import recorded_suite
from mmact_oneshot.harness.evaluation.predictions_file import Predictions, read_predictions
from mmact_oneshot.harness.records import Episodes, RecordFolder, SuiteRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.scored_runs import EPISODES, csv, lines, make_run, oneshot, refused, right
from tests.helpers.small_runs import CLASSES

Suite = tuple[SuiteRecord, Episodes]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = make_run(tmp_path_factory.mktemp("run"))
    return recorded_suite(RecordFolder(folder / "records"), "test")


def refusal(path: Path, suite: Suite) -> str:
    with pytest.raises(HarnessError) as error:
        read_predictions(path, *suite)
    assert error.value.remedy
    return str(error.value)


@pytest.mark.parametrize("kind", ["positions", "classes", "npz", "floats", "shuffled", "labelled"])
def test_every_form_of_the_file_says_the_same(suite: Suite, tmp_path: Path, kind: str) -> None:
    predicted, episodes = right(0.7, 9), suite[1]
    path = tmp_path / "mine.csv"
    if kind == "npz":
        path = tmp_path / "mine.npz"
        np.savez(path, predicted=predicted.astype(np.int64))
    elif kind == "classes":
        names = np.asarray(CLASSES)[np.take_along_axis(episodes.drawn, predicted.astype(np.int64), axis=1)]
        csv(tmp_path, lines(predicted, "predicted_class", names))
    elif kind == "floats":
        csv(tmp_path, lines(predicted, "predicted", predicted.astype(float)))
    elif kind == "shuffled":
        header, *rest = lines(predicted)
        csv(tmp_path, ["\ufeff" + header, *np.random.default_rng(0).permutation(rest).tolist(), ""])
    elif kind == "labelled":
        frame = pd.DataFrame(
            [line.split(",") for line in lines(predicted)[1:]], columns=["episode", "query", "predicted"]
        )
        frame.assign(label=episodes.label.ravel(), remark="x").to_csv(path, index=False)
    else:
        csv(tmp_path, lines(predicted))
    found: Predictions = read_predictions(path, *suite)
    assert np.array_equal(found.predicted, predicted)
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def edited(change: Any) -> list[str]:
    content = lines(right(0.9, 20))
    change(content)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (edited(lambda c: c.pop(7)), "no prediction for 1 of 80 queries; the first is episode 3, query 0"),
        (edited(lambda c: c.append("3,1,0")), "line 82: episode 3, query 1 for the second time, after line 9"),
        (edited(lambda c: c.__setitem__(5, "2,0,2")), "line 6: predicted: '2' is not in 0..1"),
        (edited(lambda c: c.__setitem__(5, "2,0,-1")), "line 6: predicted: '-1' is not in 0..1"),
        (edited(lambda c: c.__setitem__(5, "2,0,")), "line 6: predicted: '' is not in 0..1"),
        (edited(lambda c: c.__setitem__(5, "2,0,0.5")), "line 6: predicted: '0.5' is not in 0..1"),
        (edited(lambda c: c.__setitem__(5, "40,0,1")), "line 6: episode: '40' is not in 0..39"),
        (edited(lambda c: c.__setitem__(5, "2,2,1")), "line 6: query: '2' is not in 0..1"),
        (edited(lambda c: c.__setitem__(5, "2,0")), "line 6: 2 cells under 3 columns"),
        (edited(lambda c: c.__setitem__(0, "episode,place,predicted")), "line 1: no column query"),
        (edited(lambda c: c.__setitem__(0, "episode;query;predicted")), "separated by commas"),
        (edited(lambda c: c.__setitem__(0, "episode,query,guess")), "no column predicted or predicted_class"),
        (edited(lambda c: c.__setitem__(0, "episode,query,predicted,predicted")), "two columns"),
        (edited(lambda c: c.clear()), "no column episode, query, but nothing"),
    ],
)
def test_each_fault_of_a_csv_is_one_message(suite: Suite, tmp_path: Path, content: list[str], message: str) -> None:
    text = refusal(csv(tmp_path, content), suite)
    assert "mine.csv" in text
    assert message in text


def test_classes_must_be_those_of_the_episode(suite: Suite, tmp_path: Path) -> None:
    predicted, episodes = right(1.0, 9), suite[1]
    names = np.asarray(CLASSES)[np.take_along_axis(episodes.drawn, predicted.astype(np.int64), axis=1)]
    content = lines(predicted, "predicted_class", names)
    content[1] = "0,0,alhpa"
    assert "line 2: predicted_class: no class 'alhpa' in this suite. Did you mean 'alpha'" in refusal(
        csv(tmp_path, content), suite
    )
    (missing,) = {0, 1, 2} - set(episodes.drawn[0].tolist())
    content[1] = f"0,0,{CLASSES[missing]}"
    assert "is not offered in this episode. It offers" in refusal(csv(tmp_path, content), suite)


def test_labels_of_other_episodes_give_it_away(suite: Suite, tmp_path: Path) -> None:
    predicted = right(0.9, 20)
    content = [f"{line},{'label' if not place else 0}" for place, line in enumerate(lines(predicted))]
    assert "label 0, but 1 in the suite. These predictions were made for other episodes" in refusal(
        csv(tmp_path, content), suite
    )
    np.savez(tmp_path / "mine.npz", predicted=predicted, label=np.zeros_like(predicted))
    assert "made for other episodes" in refusal(tmp_path / "mine.npz", suite)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"guess": np.zeros((EPISODES, 2), int)}, "no array 'predicted', but guess"),
        ({"predicted": np.zeros((EPISODES, 3), int)}, "'predicted' is int64 of shape (40, 3)"),
        ({"predicted": np.zeros((EPISODES, 2))}, "'predicted' is float64"),
        ({"predicted": np.full((EPISODES, 2), 5)}, "episode 0, query 0: position 5 is not in 0..1"),
        ({"predicted": np.full((EPISODES, 2), -1)}, "no prediction for 80 of 80"),
        ({"predicted": np.asarray([None])}, "not an archive of plain arrays"),
    ],
)
def test_each_fault_of_an_archive_is_one_message(
    suite: Suite, tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)  # type: ignore[arg-type]
    text = refusal(tmp_path / "mine.npz", suite)
    assert message in text
    assert "shape (40, 2)" in text or "Predict all" in text or "count from 0" in text


def test_an_encrypted_archive_is_refused(suite: Suite, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, predicted=np.zeros((40, 2), np.int8))
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says so, in both of its headers
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    assert "not an archive" in refusal(path, suite)


def test_other_files(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    (tmp_path / "latin.csv").write_bytes(b"episode,query,predicted_class\n0,0,caf\xe9\n")
    (tmp_path / "mine.txt").write_text("x")
    assert "not an archive" in refusal(tmp_path / "torn.npz", suite)
    assert "not UTF-8" in refusal(tmp_path / "latin.csv", suite)
    assert "neither .csv nor .npz" in refusal(tmp_path / "mine.txt", suite)
    assert "no such file" in refusal(tmp_path / "none.csv", suite)


def test_options_of_the_command(tmp_path: Path) -> None:
    run, good = make_run(tmp_path / "run"), csv(tmp_path, lines(right(0.9, 20)))
    for options, message in (
        (("--suite", "tset"), "Did you mean 'test'"),
        (("--modalities", "vido"), "Did you mean 'video'"),
        (("--record", "--source", "me"), "Add --modalities"),
        (("--record", "--modalities", "both"), "Add --source"),
    ):
        assert message in refused(oneshot("score", good, "--in", run, *options))
