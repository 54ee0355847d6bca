"""What a watch on the right wrist and a phone in the right trouser pocket measure, from the motion of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.data.synthetic.body import JOINT, Array, Body, rotation

GRAVITY = np.array([0.0, 0.0, -9.81])
# The phone lies across the pocket: its x axis points down along the thigh, y to the left, z forward. (Upright,
# Android's angles would degenerate whenever the person stands.)
_PHONE = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
_POCKET = np.array([0.07, -0.06, -0.17])  # from the hip, in the frame of the thigh; metres
_SENSOR_NAMES = ("acc_phone", "acc_watch", "gyro", "orientation")
# White noise and bias (standard deviations; m/s^2, m/s^2, rad/s, degrees).
_NOISE = dict(zip(_SENSOR_NAMES, (0.12, 0.15, 0.03, 0.8), strict=True))
_BIAS = dict(zip(_SENSOR_NAMES, (0.12, 0.12, 0.015, 2.0), strict=True))
_COMPASS_DEG = 15.0  # error of the azimuth indoors
_RANGE = {"acc_phone": 78.5, "acc_watch": 78.5, "gyro": 34.9}  # 8 g and 2,000 degrees/s, then they saturate
_MOUNT_DEG = 12.0  # how askew a device is worn


@dataclass(frozen=True)
class Worn:
    """How the devices are worn and what is wrong with them during one session of a subject."""

    watch: Array  # (3, 3): device to forearm
    phone: Array  # (3, 3): device to thigh
    bias: dict[str, Array]  # sensor -> (3,)
    north: float  # rad


def wear(subject: np.random.Generator, session: np.random.Generator, north: float, noise: float) -> Worn:
    """Mounting and biases from the streams of a subject and of one of its sessions."""

    def askew() -> Array:
        angles = np.deg2rad(_MOUNT_DEG * noise) * (0.8 * subject.standard_normal(3) + 0.6 * session.standard_normal(3))
        turns = [rotation(axis, np.array(angle)) for axis, angle in enumerate(angles)]
        return np.asarray(turns[2] @ turns[1] @ turns[0])

    watch, phone = askew(), _PHONE @ askew()
    bias = {name: noise * scale * session.standard_normal(3) for name, scale in _BIAS.items()}
    bias["orientation"][0] += noise * _COMPASS_DEG * session.standard_normal()
    return Worn(watch, phone, bias, north)


def measure(time: Array, seconds: float, body: Body, worn: Worn, rng: np.random.Generator,
            noise: float) -> dict[str, tuple[Array, Array]]:  # fmt: skip
    """Sensor -> (sample times in seconds, whole milliseconds; samples (n, 3)).

    Acceleration in m/s^2 (specific force: 9.81 upwards at rest), gyro in rad/s, both in the frame of the device;
    orientation in degrees: azimuth from magnetic north, pitch, roll, as Android defines them.

    Args:
        time: (n,) evenly spaced, from before 0 to after ``seconds``.
    """
    step = float(time[1] - time[0])
    watch = body.forearm @ worn.watch
    phone = body.thigh @ worn.phone
    pocket = body.joints[:, JOINT["r_hip"]] + body.thigh @ _POCKET
    ideal = {
        "acc_phone": specific_force(pocket, phone, step),
        "acc_watch": specific_force(body.joints[:, JOINT["r_wrist"]], watch, step),
        "gyro": angular_rate(phone, step),
        "orientation": np.unwrap(orientation(rotation(2, np.array(worn.north)) @ phone), axis=0),
    }
    measured = {}
    for name in _SENSOR_NAMES:
        at = _sample_times(name, seconds, rng)
        values = np.stack([np.interp(at, time, column) for column in ideal[name].T], axis=1)
        if name == "orientation":
            values = np.rad2deg(values)
        values += worn.bias[name] + noise * _NOISE[name] * rng.standard_normal(values.shape)
        if name in _RANGE:
            values = np.clip(values, -_RANGE[name], _RANGE[name])
        else:
            values[:, 0] %= 360.0
            values[:, 1:] = (values[:, 1:] + 180.0) % 360.0 - 180.0
        measured[name] = (at, values)
    return measured


def specific_force(position: Array, frame: Array, step: float) -> Array:
    """(n, 3) in the frame of the device: acceleration minus gravity. The two ends repeat their neighbours."""
    acceleration = (position[2:] - 2.0 * position[1:-1] + position[:-2]) / step**2
    force = np.einsum("nij,ni->nj", frame[1:-1], acceleration - GRAVITY)
    return np.concatenate([force[:1], force, force[-1:]])


def angular_rate(frame: Array, step: float) -> Array:
    """(n, 3) rad/s in the frame of the device, from rotations (n, 3, 3) to the world."""
    turn = np.einsum("nji,njk->nik", frame[:-2], frame[2:])
    skew = 0.5 * (turn - turn.transpose(0, 2, 1))
    rate = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1) / (2.0 * step)
    return np.concatenate([rate[:1], rate, rate[-1:]])


def orientation(frame: Array) -> Array:
    """Android's azimuth, pitch and roll (n, 3) in rad, from rotations to a world of east, north and up."""
    azimuth = np.arctan2(frame[:, 0, 1], frame[:, 1, 1])
    pitch = np.arcsin(np.clip(-frame[:, 2, 1], -1.0, 1.0))
    roll = np.arctan2(-frame[:, 2, 0], frame[:, 2, 2])
    return np.stack([azimuth, pitch, roll], axis=1)


def _sample_times(name: str, seconds: float, rng: np.random.Generator) -> Array:
    if name == "orientation":
        gaps = rng.uniform(0.020, 0.060, int(seconds / 0.020) + 1)  # irregular, 25 Hz on average
    else:
        period = 0.02 if name == "gyro" else 0.01
        gaps = period + np.diff(rng.uniform(-0.001, 0.001, int(seconds / period) + 2))
    at = np.round(rng.uniform(0.0, 0.01) + np.cumsum(gaps) - gaps[0], 3)
    return np.asarray(at[(at >= 0.0) & (at < seconds)])
