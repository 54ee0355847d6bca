"""Generated data: the same bytes for the same seed, and sensors that follow from the motion."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, plan, synthesize
from mmact_oneshot.harness.data.synthetic.actions import DESK
from mmact_oneshot.harness.data.synthetic.body import CHANNELS, JOINT, Body, Proportions, pose
from mmact_oneshot.harness.data.synthetic.classes import CLASSES
from mmact_oneshot.harness.data.synthetic.defects import KINDS, PLANTED_FILE, planted_in
from mmact_oneshot.harness.data.synthetic.motion import channels
from mmact_oneshot.harness.data.synthetic.performance import Key, perform, sense
from mmact_oneshot.harness.data.synthetic.plan import SENSORS, performances
from mmact_oneshot.harness.data.synthetic.postures import POSTURES
from mmact_oneshot.harness.data.synthetic.wearables import (
    GRAVITY,
    Worn,
    angular_rate,
    measure,
    orientation,
    specific_force,
)
from mmact_oneshot.harness.runtime.errors import HarnessError

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


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since the first row, and values, of a sensor file in MMAct's format."""
    cells = [line.split(",") for line in path.read_text().splitlines()]
    stamps = [datetime.strptime(cell[0], "%Y%m%d_%H:%M:%S.%f") for cell in cells]
    seconds = np.array([(stamp - stamps[0]).total_seconds() for stamp in stamps])
    return seconds, np.array([[float(value) for value in cell[1:]] for cell in cells])


# --- files -----------------------------------------------------------------------------------------------------


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


# --- physics ---------------------------------------------------------------------------------------------------


def test_a_motionless_person_measures_gravity() -> None:
    still = np.zeros((80, len(CHANNELS)))
    for column, name in enumerate(CHANNELS):
        still[:, column] = {"r_fwd": 0.1, "l_fwd": 0.1, "r_up": -0.9, "l_up": -0.9}.get(name, 0.0)
    body = pose(still, np.zeros((80, 2)), Proportions())
    no_bias = {sensor: np.zeros(3) for sensor in SENSORS}
    time = (np.arange(80) - 5) / 200
    measured = measure(time, 0.3, body, Worn(np.eye(3), np.eye(3), no_bias, 0.0), np.random.default_rng(0), 0.0)
    for sensor in ("acc_phone", "acc_watch"):
        np.testing.assert_allclose(np.linalg.norm(measured[sensor][1], axis=1), 9.81, atol=1e-6)
    np.testing.assert_allclose(measured["acc_phone"][1].mean(axis=0), [0.0, 0.0, 9.81], atol=1e-6)
    np.testing.assert_allclose(measured["gyro"][1], 0.0, atol=1e-9)


def test_the_limbs_keep_their_lengths() -> None:
    for key in (WALK, KICK, SIT):
        shown = perform(SMALL, key)
        size, joints = shown.actor.size, shown.body.joints
        for a, b, length in (
            ("r_shoulder", "r_elbow", size.upper_arm), ("r_elbow", "r_wrist", size.forearm),
            ("l_shoulder", "l_elbow", size.upper_arm),
            ("r_hip", "r_knee", size.thigh), ("l_knee", "l_ankle", size.shin),
        ):  # fmt: skip
            found = np.linalg.norm(joints[:, JOINT[a]] - joints[:, JOINT[b]], axis=1)
            np.testing.assert_allclose(found, length, atol=2e-3)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_action_is_a_motion_that_a_body_can_make(name: str) -> None:
    settings = replace(IDEAL, classes=(name,))
    scene, session = settings.scene_sessions(name)[0]
    shown = perform(settings, Key(name, 1, scene, session))
    joints = shown.body.joints
    assert np.isfinite(joints).all()
    assert joints[:, [JOINT["l_ankle"], JOINT["r_ankle"]], 2].min() > 0.0  # nobody sinks into the floor
    assert joints[:, JOINT["head"], 2].max() < 2.4
    for frame in (shown.body.forearm, shown.body.thigh):
        np.testing.assert_allclose(frame @ frame.transpose(0, 2, 1), np.broadcast_to(np.eye(3), frame.shape), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(frame), 1.0, atol=1e-9)
    step = shown.time[1] - shown.time[0]
    wrist = specific_force(shown.body.joints[:, JOINT["r_wrist"]], shown.body.forearm, step)
    assert np.linalg.norm(wrist, axis=1).max() < 250  # a throw or a landing, not a glitch


def test_accelerations_integrate_to_the_trajectory() -> None:
    """Rotated to the world, freed of gravity and summed twice, they give the path of the wrist."""
    shown = perform(IDEAL, KICK)
    step = shown.time[1] - shown.time[0]
    wrist = shown.body.joints[:, JOINT["r_wrist"]]
    force = specific_force(wrist, shown.body.forearm, step)
    world = np.einsum("nij,nj->ni", shown.body.forearm, force) + GRAVITY
    velocity = (wrist[1] - wrist[0]) + step**2 * np.cumsum(world[1:-1], axis=0)
    path = wrist[1] + np.cumsum(velocity, axis=0)
    np.testing.assert_allclose(path, wrist[2:], atol=1e-6)
    assert np.ptp(wrist, axis=0).max() > 0.2


def test_the_written_accelerometer_follows_the_wrist() -> None:
    """The mean of a written accelerometer is gravity plus the change of velocity."""
    shown = perform(IDEAL, WALK)
    at, values = sense(IDEAL, shown)["acc_watch"]
    frame = shown.body.forearm[np.searchsorted(shown.time, at)]
    world = np.einsum("nij,nj->ni", frame, values) + GRAVITY
    wrist = np.gradient(shown.body.joints[:, JOINT["r_wrist"]], shown.time, axis=0)
    change = wrist[np.searchsorted(shown.time, at[-1])] - wrist[np.searchsorted(shown.time, at[0])]
    steps = np.diff(at)[:, None]
    np.testing.assert_allclose((0.5 * (world[1:] + world[:-1]) * steps).sum(axis=0), change, atol=0.12)


def test_the_gyroscope_integrates_to_the_orientation() -> None:
    """From the first orientation, the rates turn the phone into the last one, as the other sensor has it."""
    for key in (WALK, SIT, KICK):
        measured = sense(IDEAL, perform(IDEAL, key))
        at, rate = measured["gyro"]
        instants, angles = measured["orientation"]
        fine = np.linspace(instants[0], instants[-1], 4000)
        turn = from_angles(np.deg2rad(angles[0]))
        step = fine[1] - fine[0]
        for k in range(len(fine) - 1):
            omega = np.array([np.interp(fine[k] + step / 2, at, rate[:, axis]) for axis in range(3)])
            turn = turn @ small_rotation(omega * step)
        error = np.arccos(np.clip((np.trace(turn.T @ from_angles(np.deg2rad(angles[-1]))) - 1) / 2, -1, 1))
        assert np.rad2deg(error) < 2.0, key


def test_orientation_angles_are_androids() -> None:
    """Flat on a table with its top to the east: azimuth 90 degrees; then its right side lifted or its top lowered."""
    flat_east = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(np.rad2deg(orientation(flat_east[None]))[0], [90.0, 0.0, 0.0], atol=1e-9)
    angles = np.array([0.3, -0.7, 1.1])
    np.testing.assert_allclose(orientation(from_angles(angles)[None])[0], angles, atol=1e-12)


def test_angular_rate_of_a_steady_turn() -> None:
    time = np.arange(100) / 200
    frames = np.stack([small_rotation(np.array([0.0, 0.0, 2.0 * at])) for at in time])
    np.testing.assert_allclose(angular_rate(frames, 1 / 200), np.tile([0.0, 0.0, 2.0], (100, 1)), atol=1e-3)


def test_ideal_sensors_differ_from_real_ones_by_noise_only() -> None:
    ideal, real = (sense(settings, perform(settings, Key("standing", 1, 1, 1))) for settings in (IDEAL, SMALL))
    for sensor in SENSORS:
        np.testing.assert_array_equal(ideal[sensor][0], real[sensor][0])
        assert not np.allclose(ideal[sensor][1], real[sensor][1], atol=1e-3)
    assert np.linalg.norm(real["acc_phone"][1], axis=1).mean() == pytest.approx(9.81, abs=0.8)


def test_people_and_performances_differ_but_keep_to_the_class() -> None:
    """One person kicking twice is more alike than two persons, on average; no two performances are the same."""
    wide = SyntheticSettings()
    wrists = {
        (subject, session): wrist_path(perform(wide, Key("pointing", subject, 1, session)))
        for subject in range(1, 7)
        for session in (1, 2)
    }
    same = [np.abs(wrists[s, 1] - wrists[s, 2]).mean() for s in range(1, 7)]
    other = [np.abs(wrists[s, 1] - wrists[z, 2]).mean() for s in range(1, 7) for z in range(1, 7) if s != z]
    assert min(same) > 0.005
    assert np.mean(same) < np.mean(other)


def wrist_path(shown: object) -> np.ndarray:
    """(32, 3) over normalised time, relative to the pelvis, in the frame in which the action was planned."""
    body: Body = shown.body  # type: ignore[attr-defined]
    path = (body.joints[:, JOINT["r_wrist"]] - body.joints[:, JOINT["pelvis"]]) @ shown.to_world  # type: ignore[attr-defined]
    return path[np.linspace(0, len(path) - 1, 32).astype(int)]


def from_angles(angles: np.ndarray) -> np.ndarray:
    """A rotation (device to east, north, up) from Android's azimuth, pitch and roll in rad, by its definition."""
    c, s = np.cos(angles), np.sin(angles)
    about_z = np.array([[c[0], s[0], 0.0], [-s[0], c[0], 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c[1], s[1]], [0.0, -s[1], c[1]]])
    about_y = np.array([[c[2], 0.0, s[2]], [0.0, 1.0, 0.0], [-s[2], 0.0, c[2]]])
    return about_z @ about_x @ about_y


def small_rotation(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


# --- defects ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("broken") / "data"
    synthesize(root, DEFECTIVE)
    return root


DEFECTIVE = SyntheticSettings(
    classes=("checking_time", "kicking", "standing", "talking"), subjects=2, cameras=2, defects=True, fps=5
)


def test_every_kind_of_defect_is_planted_and_listed(broken: Path) -> None:
    planted = planted_in(broken)
    assert planted is not None
    assert {item.kind for item in planted} == set(KINDS)
    where = {item.kind: broken / item.path for item in planted}
    assert where["sensor-file-empty"].read_bytes() == b""
    assert where["sensor-header"].read_text().startswith("time,x,y,z\n")
    for kind in ("sensor-missing", "camera-missing", "session-videos-missing"):
        assert not where[kind].exists()
    assert where["name-capitalised"].exists()
    assert where["name-capitalised"].name[0].isupper()
    assert "carrying" in where["class-outside-split"].name
    assert any("." not in line.split(",")[0] for line in where["time-no-fraction"].read_text().splitlines())
    for kind, spoiled in (("time-unordered", lambda steps: (steps < 0).any()),
                          ("time-duplicated", lambda steps: (steps == 0).any()),
                          ("sensor-gap", lambda steps: steps.max() > 0.1)):  # fmt: skip
        assert spoiled(np.diff(rows(where[kind])[0])), kind
    assert np.ptp(rows(where["sensor-constant"])[1], axis=0)[1] == 0
    with pytest.raises(ValueError, match="does not match"):
        rows(where["sensor-text"])
    import av

    with pytest.raises(av.error.FFmpegError):
        av.open(str(where["video-truncated"]))


def test_everything_but_the_defects_is_as_planned(broken: Path) -> None:
    planted = {item.path for item in planted_in(broken) or ()}
    clean = plan(DEFECTIVE)
    listed = index(broken).frame
    missing = set(clean["clip"]) - set(listed["clip"])
    gone = [path for path in planted if path.endswith(".mp4") and not (broken / path).exists()]
    assert len(missing) == len(gone)
    assert {"carrying_heavy", "carrying_light"} <= set(listed["class_name"])
    assert (clean["class_name"].isin(DEFECTIVE.classes)).all()


def test_planting_is_repeatable_and_resumes(broken: Path) -> None:
    before = digests(broken)
    assert synthesize(broken, DEFECTIVE).performances == 0
    (broken / PLANTED_FILE).unlink()  # as if it had been cut off while planting
    assert synthesize(broken, DEFECTIVE).performances > 0
    assert digests(broken) == before


def test_defects_need_room(tmp_path: Path) -> None:
    tiny = replace(SMALL, subjects=1, defects=True)
    assert len(performances(tiny)) < len(KINDS)
    with pytest.raises(HarnessError, match="as many performances"):
        synthesize(tmp_path / "data", tiny)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", sorted(POSTURES))
def test_nothing_but_the_sway_of_a_standing_person_moves_in_a_posture(name: str) -> None:
    settings = replace(IDEAL, classes=(name, "waving_hand"), variation=0.0)
    moved = {}
    for each in settings.classes:
        scene, session = settings.scene_sessions(each)[0]
        wrist = perform(settings, Key(each, 1, scene, session)).body.joints[:, JOINT["r_wrist"]]
        moved[each] = float(np.ptp(wrist, axis=0).max())
    assert moved[name] < 0.12 < moved["waving_hand"]


def test_channels_are_smooth() -> None:
    """No jump between two steps of the simulation: accelerations would be spikes."""
    from mmact_oneshot.harness.data.synthetic.motion import draw_manner

    time = np.arange(500) / 200
    for name, action in CLASSES.items():
        streams = (np.random.default_rng(0), np.random.default_rng(1), np.random.default_rng(2))
        manner = draw_manner(*streams, 1.0)
        moved, _ = channels(action, manner, time, 2.4)
        assert np.abs(np.diff(moved, n=2, axis=0)).max() < 0.02, name
