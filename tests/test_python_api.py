"""The Python API: what is public, a run read as data frames, comparisons, episodes for a loop of one's own."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import mmact_oneshot
from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.data.store import Store
from tests.helpers.scored_runs import make_run
from tests.helpers.small_runs import add_seeds
from tests.helpers.toy_runs import study

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_run(tmp_path_factory.mktemp("run"))
    add_seeds(made / "records", "bad", [[0.5] * 40, [0.0, 0.5] * 20, [0.5, 0.0] * 20])
    return made


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    assert set(mmact_oneshot.__all__) == set(mmact_oneshot._HOME)
    for name in mmact_oneshot.__all__:
        assert getattr(mmact_oneshot, name) is not None
        assert name in dir(mmact_oneshot)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        mmact_oneshot.runn  # noqa: B018


def test_reading_a_run_needs_no_torch(folder: Path) -> None:
    code = (
        f"import mmact_oneshot, sys; run = mmact_oneshot.open_run({str(folder)!r}); run.rows; run.episodes()\n"
        "assert not {'torch', 'timm', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_rows_and_predictions_say_the_same(folder: Path) -> None:
    run = mmact_oneshot.open_run(folder)
    rows = run.rows.set_index("row")
    answers = run.predictions("good, video")
    assert answers.groupby("seed").size().tolist() == [80, 80, 80]
    assert rows.loc["good, video", "accuracy"] == pytest.approx(answers["correct"].mean(), abs=1e-6)
    right = answers[answers["correct"]]
    assert (right["class"] == right["predicted_class"]).all()
    assert not (answers[~answers["correct"]]["class"] == answers[~answers["correct"]]["predicted_class"]).any()


def test_episodes_have_every_clip_with_its_class(folder: Path) -> None:
    run = mmact_oneshot.open_run(folder)
    episodes, answers = run.episodes(), run.predictions("good, video")
    first = episodes[episodes["episode"] == 0]
    assert first["role"].value_counts().to_dict() == {"support": 2, "query": 2}
    classes = first[first["role"] == "query"].sort_values("place")["class"].tolist()
    assert classes == answers[(answers["seed"] == 0) & (answers["episode"] == 0)]["class"].tolist()


def test_records_are_frames(folder: Path) -> None:
    records = mmact_oneshot.open_run(folder).records
    assert len(records["training"]) == 6
    assert set(records["training"]["method"]) == {"good", "bad"}


def test_comparisons_are_those_of_the_command(folder: Path) -> None:
    (line,) = mmact_oneshot.compare("good", "bad", folder=folder).to_dict("records")
    assert line["difference"] > 0.2
    assert line["low"] < line["difference"] < line["high"]
    assert "A is significantly better than B" in line["finding"]
    again = mmact_oneshot.compare(f"{folder}:good", f"{folder}:bad")
    assert again["difference"].iat[0] == line["difference"]


def test_mistakes_are_named(folder: Path, tmp_path: Path) -> None:
    run = mmact_oneshot.open_run(folder)
    for action, message in (
        (lambda: run.predictions("goood, video"), "no row 'goood, video'.*Did you mean 'good, video'"),
        (lambda: run.predictions("good, video", "tset"), "no suite 'tset'.*Did you mean 'test'"),
        (lambda: run.episodes("tset"), "no suite 'tset'"),
        (lambda: mmact_oneshot.compare("good", "bad"), "row 'good' of no run"),
        (lambda: mmact_oneshot.open_run(tmp_path), "no records here"),
        (lambda: mmact_oneshot.load_method("trxx"), "Did you mean 'trx'"),
        (lambda: next(mmact_oneshot.episodes("tets", tmp_path)), "no suite 'tets'"),
    ):
        with pytest.raises(mmact_oneshot.HarnessError, match=message):
            action()


TINY = {
    "store.frames": 4,
    "store.short_side": 24,
    "store.encoding": "raw",
    "store.sensor_grid": 32,
    "input.frames": 4,
    "input.size": 16,
    "input.sensor_length": 16,
    "episodes": 6,
}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the classes that the generated recordings have."""
    known = load_split("mmact")
    lists = {"base": known.base[:6], "validation": known.validation, "novel": known.novel[:5]}
    path = tmp_path_factory.mktemp("split") / "some.toml"
    path.write_text("".join(f"{role} = {list(names)}\n" for role, names in lists.items()), "utf-8")
    return str(path)


@pytest.mark.slow
def test_episodes_of_a_suite_are_the_fixed_ones_and_those_of_training_are_endless(
    recordings: Path, store: Store, split: str
) -> None:
    stores = store.folder.parent
    found = list(mmact_oneshot.episodes("test", recordings, settings=TINY, split=split, store=stores, count=3))
    again = list(mmact_oneshot.episodes("test", recordings, settings=TINY, split=split, store=stores, count=3))
    assert len(found) == 3
    for one, two in zip(found, again, strict=True):
        assert one.classes == two.classes
        assert len(one.support) == len(one.classes) * one.shot == 5
        assert len(one.query) == len(one.label) == 5
        assert one.support.video is not None
        assert two.support.video is not None
        assert one.support.video.shape == (5, 4, 3, 16, 16)
        assert one.support.video.equal(two.support.video)
    training = mmact_oneshot.episodes("train", recordings, settings=TINY, split=split, store=stores, seed=1)
    first, second = islice(training, 2)
    assert first.classes != second.classes or not first.label.equal(second.label)
    assert set(first.classes) <= set(load_split("mmact").base)


@pytest.mark.slow
def test_a_run_from_python_is_that_of_the_command_line(
    recordings: Path, store: Store, split: str, tmp_path: Path
) -> None:
    preset = tmp_path / "toy.toml"
    preset.write_text('seeds = [0]\nsuites = ["test"]\n[studies]\n', "utf-8")
    rows = [{"method": "sensor_nn", "modalities": ["sensors"]}, {"method": "random", "modalities": ["sensors"]}]
    run = mmact_oneshot.run(
        recordings,
        str(preset),
        out=tmp_path / "run",
        settings={**TINY, "studies": study(rows)},
        split=split,
        store=store.folder.parent,
    )
    assert (tmp_path / "run" / "report.html").is_file()
    assert set(run.rows["method"]) == {"sensor_nn", "random"}
    assert np.isfinite(run.rows["accuracy"]).all()
