"""Generated people and sensors: motions that a body can make, and sensors that follow from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmact_oneshot.harness.data.synthetic import SyntheticSettings
from mmact_oneshot.harness.data.synthetic.body import CHANNELS, JOINT, Body, Proportions, pose
from mmact_oneshot.harness.data.synthetic.classes import CLASSES
from mmact_oneshot.harness.data.synthetic.motion import channels
from mmact_oneshot.harness.data.synthetic.performance import Key, perform, sense
from mmact_oneshot.harness.data.synthetic.plan import SENSORS
from mmact_oneshot.harness.data.synthetic.postures import POSTURES
from mmact_oneshot.harness.data.synthetic.wearables import (
    GRAVITY,
    Worn,
    angular_rate,
    measure,
    orientation,
    specific_force,
)

SMALL = SyntheticSettings(
    classes=("kicking", "sitting_down", "talking"), subjects=2, sessions=((1, 1), (2, 1)), desk_sessions=((3, 1),)
)
IDEAL = replace(SMALL, sensor_noise=0.0)
WALK, KICK, SIT = Key("walking", 1, 1, 1), Key("kicking", 2, 1, 1), Key("sitting_down", 1, 3, 1)


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
