"""Generated data: the same bytes for the same seed, in the files and formats of MMAct."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, plan, synthesize
from mmact_oneshot.harness.data.synthetic.actions import DESK
from mmact_oneshot.harness.data.synthetic.performance import Key
from mmact_oneshot.harness.data.synthetic.plan import SENSORS
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.generated_files import digests, rows

SMALL = SyntheticSettings(
    classes=("kicking", "sitting_down", "talking"), subjects=2, sessions=((1, 1), (2, 1)), desk_sessions=((3, 1),)
)
IDEAL = replace(SMALL, sensor_noise=0.0)
WALK, KICK, SIT = Key("walking", 1, 1, 1), Key("kicking", 2, 1, 1), Key("sitting_down", 1, 3, 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated") / "data"
    synthesize(root, SMALL)
    return root


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(small: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "again", SMALL, workers=2)
    assert digests(tmp_path / "again") == digests(small)


def test_another_seed_gives_other_files(small: Path, tmp_path: Path) -> None:
    one = replace(SMALL, seed=1, classes=("kicking",), subjects=1, sessions=((1, 1),))
    synthesize(tmp_path, one)
    ours, theirs = digests(tmp_path), digests(small)
    assert all(ours[path] != theirs[path] for path in ours)
    assert len(ours) == 1 + 2 + 4


def test_a_performance_does_not_depend_on_what_else_is_generated(small: Path, tmp_path: Path) -> None:
    synthesize(tmp_path, replace(SMALL, subjects=1, sessions=((1, 1),)))
    kick = "cam1/scene1/session1/kicking.mp4"
    assert (tmp_path / "subject1" / kick).read_bytes() == (small / "subject1" / kick).read_bytes()


def test_the_plan_is_what_the_clip_table_finds(small: Path) -> None:
    table = index(small)
    planned = plan(SMALL)
    assert table.layout == "mmact"
    assert table.defects == ()
    for column in planned.columns:
        assert list(table.frame[column]) == list(planned[column]), column
    assert (table.frame[list(SENSORS)] != "").all(axis=None)
    assert len(planned) == 2 * (2 * 2 * 2 + 2 * 1)


def test_the_default_plan_is_the_quick_table() -> None:
    planned = plan(SyntheticSettings())
    assert (len(planned), planned["class_name"].nunique(), planned["performance"].nunique()) == (2016, 42, 1008)
    scenes = planned.groupby("class_name")["scene"].agg(set)
    assert all(found == ({3} if name in DESK else {1, 2}) for name, found in scenes.items())


def test_the_marker_says_that_the_data_are_generated(small: Path) -> None:
    generated = index(small).generated
    assert generated is not None
    assert str(generated["statement"]).startswith("Generated")
    assert generated["settings"] == json.loads(json.dumps(SMALL.as_json()["settings"]))


def test_rates_and_format_are_those_of_mmact(small: Path) -> None:
    for sensor, rate in (("acc_phone", 100.0), ("acc_watch", 100.0), ("gyro", 50.0), ("orientation", 25.0)):
        seconds, values = rows(small / f"{sensor}_clip/subject1/scene1/session1/kicking.csv")
        assert values.shape == (len(seconds), 3)
        steps = np.diff(seconds)
        assert (steps > 0).all()
        assert np.mean(steps) == pytest.approx(1 / rate, rel=0.03 if sensor != "orientation" else 0.12)
        assert steps.max() < 0.1
        spread = np.std(steps) * rate
        assert spread > 0.15 if sensor == "orientation" else spread < 0.15


def test_film_and_sensors_last_equally_long(small: Path) -> None:
    import av

    for name in ("kicking", "talking"):
        seconds, _ = rows(small / f"acc_watch_clip/subject2/scene2/session1/{name}.csv")
        counts = []
        for camera in (1, 2):
            with av.open(str(small / f"subject2/cam{camera}/scene2/session1/{name}.mp4")) as film:
                assert film.streams.video[0].codec_context.name == "h264"
                assert not film.streams.audio
                frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
            assert frames[0].shape == (84, 112, 3)
            counts.append(len(frames))
        assert counts[0] == counts[1]
        assert counts[0] / SMALL.fps == pytest.approx(seconds[-1], abs=0.1)
        assert SMALL.seconds[0] - 0.1 <= seconds[-1] <= SMALL.seconds[1]


def test_a_second_call_has_nothing_to_do_and_a_third_mends(small: Path, tmp_path: Path) -> None:
    settings = replace(SMALL, subjects=1, classes=("kicking",))
    assert synthesize(tmp_path, settings).performances == 2
    before = digests(tmp_path)
    assert synthesize(tmp_path, settings).performances == 0
    (tmp_path / "gyro_clip/subject1/scene2/session1/kicking.csv").unlink()
    assert synthesize(tmp_path, settings).performances == 1
    assert digests(tmp_path) == before


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(HarnessError, match="not empty"):
        synthesize(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_data_of_other_settings_are_left_alone(small: Path) -> None:
    with pytest.raises(HarnessError, match="other settings"):
        synthesize(small, replace(SMALL, seed=5))


def test_unknown_classes_get_the_nearest_name() -> None:
    with pytest.raises(HarnessError, match="'kicking'"):
        SyntheticSettings(classes=("kickin",))
