"""From an action and the way somebody moves to channels over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.data.synthetic.actions import NEUTRAL, Action, Wave
from mmact_oneshot.harness.data.synthetic.body import CHANNELS, INDEX, Array

# How much a channel of a key pose may differ between people, sessions and performances (standard deviation at
# variation 1): hand targets in arm lengths, angles in rad. What is not named keeps its value.
_SPREAD = np.zeros(len(CHANNELS))
for _names, _value in (
    (("r_fwd", "r_out", "r_up", "l_fwd", "l_out", "l_up"), 0.075),
    (("r_swivel", "l_swivel"), 0.15),
    (("r_turn",), 0.25),
    (("bend", "twist", "nod", "head_yaw"), 0.09),
    (("lean", "roll"), 0.03),
    (("yaw",), 0.08),
    (("r_hip", "l_hip", "r_knee", "l_knee"), 0.06),
    (("r_abd", "l_abd"), 0.04),
):
    _SPREAD[[INDEX[_name] for _name in _names]] = _value
# Of that spread: how a person performs a class, how in one session, how in one performance.
_SHARES = (0.7, 0.4, 0.5)


@dataclass(frozen=True)
class Manner:
    """How somebody performs a class once: everything that varies apart from the class itself."""

    tempo: float
    amplitude: float
    cadence: float
    lead: float  # seconds before the action begins
    tail: float  # and after it has ended
    warp: float  # > 0: slow start
    offset: Array  # (channels,), added to every key pose
    jitter: Array  # (16, channels), added to the key poses one by one
    rhythm: Array  # (16,), shifts of the key times
    fidget: Array  # (3, 3, channels): amplitude, Hz and phase of slow wandering
    phase: float


def draw_manner(person: np.random.Generator, session: np.random.Generator, once: np.random.Generator,
                variation: float) -> Manner:  # fmt: skip
    """A manner from three streams: of the person and class, of the session, of the performance."""
    streams = (person, session, once)

    def mixed(scale: float, *shape: int) -> Array:
        parts = [share * rng.standard_normal(shape) for share, rng in zip(_SHARES, streams, strict=True)]
        return np.asarray(variation * scale * np.sum(parts, axis=0))

    fidget = np.stack([
        once.normal(0.0, 0.12, (3, len(CHANNELS))) * _SPREAD * variation,
        once.uniform(0.3, 1.3, (3, len(CHANNELS))),
        once.uniform(0.0, 2 * np.pi, (3, len(CHANNELS))),
    ])  # fmt: skip
    return Manner(
        tempo=float(np.clip(np.exp(mixed(0.13)), 0.7, 1.35)),
        amplitude=float(np.exp(mixed(0.11))),
        cadence=float(np.exp(mixed(0.09))),
        lead=float(once.uniform(0.0, 0.35)),
        tail=float(once.uniform(0.0, 0.3)),
        warp=float(mixed(0.18)),
        offset=mixed(1.0, len(CHANNELS)) * _SPREAD,
        jitter=mixed(0.6, 16, len(CHANNELS)) * _SPREAD,
        rhythm=mixed(0.025, 16),
        fidget=fidget,
        phase=float(once.uniform(0.0, 2 * np.pi)),
    )


def duration(action: Action, manner: Manner, bounds: tuple[float, float]) -> float:
    """Seconds of a performance."""
    return float(np.clip(action.seconds / manner.tempo + manner.lead + manner.tail, *bounds))


def progress(action: Action, manner: Manner, time: Array, seconds: float) -> Array:
    """How far the action has come (0..1) at each time."""
    u = np.clip((time - manner.lead) / (seconds - manner.lead - manner.tail), 0.0, 1.0)
    return np.asarray(u + np.clip(manner.warp, -0.6, 0.6) * u * (u - 1.0))


def channels(action: Action, manner: Manner, time: Array, seconds: float) -> tuple[Array, Array]:
    """The channels (n, channels) and the path on the floor (n, 2), which starts at the origin.

    ``time`` must be evenly spaced; it may begin before 0 and end after ``seconds``.
    """
    u = progress(action, manner, time, seconds)
    moved = _between_keys(action, manner, u)
    for k in range(3):
        amplitude, hertz, phase = manner.fidget[:, k]
        moved += amplitude * np.sin(2 * np.pi * time[:, None] * hertz + phase)
    for wave in action.waves:
        _add_wave(moved, wave, manner, time, u)
    if action.gait is not None:
        _add_gait(moved, action, manner, time, u)

    yaw, speed, step = moved[:, INDEX["yaw"]], moved[:, INDEX["speed"]], time[1] - time[0]
    velocity = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    path = np.cumsum(velocity, axis=0) * step
    path += moved[:, [INDEX["forward"], INDEX["side"]]]
    return moved, path


def window(u: Array, span: tuple[float, float], ramp: float = 0.12) -> Array:
    """1 within the span, 0 outside, smooth; spans that reach 0 or 1 do not fade there."""
    rise = smooth((u - span[0]) / ramp) if span[0] > 0 else 1.0
    fall = smooth((span[1] - u) / ramp) if span[1] < 1 else 1.0
    return np.ones_like(u) * rise * fall


def smooth(s: Array) -> Array:
    """Minimum jerk from 0 to 1."""
    s = np.clip(s, 0.0, 1.0)
    return np.asarray(s**3 * (10.0 - 15.0 * s + 6.0 * s * s))


def _between_keys(action: Action, manner: Manner, u: Array) -> Array:
    neutral = np.array([NEUTRAL.get(name, 0.0) for name in CHANNELS])
    scaled = np.array([name[2:] in ("fwd", "out", "up") or name in ("bend", "twist", "nod", "head_yaw")
                       for name in CHANNELS])  # fmt: skip
    poses, pose = [], neutral.copy()
    for k, (_, changes) in enumerate(action.keys):
        for name, value in changes.items():
            pose[INDEX[name]] = value
        styled = np.where(scaled, neutral + manner.amplitude * (pose - neutral), pose)
        poses.append(styled + manner.offset + manner.jitter[k])
    times = np.array([at for at, _ in action.keys])
    gaps = np.maximum(np.diff(times + manner.rhythm[: len(times)]), 0.7 * np.diff(times))
    # All keys lie within the performance: a pose that is cut off would stop the body dead.
    gaps *= min(1.0, (1.0 - times[0]) / max(gaps.sum(), 1e-9))
    times = times[0] + np.concatenate([[0.0], np.cumsum(gaps)])
    if len(poses) == 1:
        return np.repeat(np.array(poses), len(u), axis=0)
    before = np.clip(np.searchsorted(times, u, side="right") - 1, 0, len(times) - 2)
    s = smooth((u - times[before]) / (times[before + 1] - times[before]))[:, None]
    table = np.array(poses)
    return np.asarray(table[before] * (1.0 - s) + table[before + 1] * s)


def _add_wave(moved: Array, wave: Wave, manner: Manner, time: Array, u: Array) -> None:
    swing = window(u, wave.span) * np.sin(2 * np.pi * wave.hertz * manner.cadence * time + manner.phase)
    for name, amplitude in wave.amplitude.items():
        moved[:, INDEX[name]] += manner.amplitude * amplitude * swing


def _add_gait(moved: Array, action: Action, manner: Manner, time: Array, u: Array) -> None:
    gait = action.gait
    assert gait is not None
    on, hertz, hip = window(u, gait.span), gait.hertz * manner.cadence, gait.hip * manner.amplitude
    angle = 2 * np.pi * hertz * time + manner.phase
    for side, sign in (("r", 1.0), ("l", -1.0)):
        moved[:, INDEX[f"{side}_hip"]] += on * (hip * sign * np.sin(angle) + 0.08)
        lifted = 0.5 + 0.5 * sign * np.sign(gait.hip) * np.cos(angle)  # the knee bends while the leg swings through
        moved[:, INDEX[f"{side}_knee"]] += on * gait.knee * lifted**2
        moved[:, INDEX[f"{side}_fwd"]] -= on * gait.arms * manner.amplitude * sign * np.sin(angle)
    moved[:, INDEX["twist"]] -= on * 0.12 * hip * np.sin(angle)
    moved[:, INDEX["roll"]] += on * 0.03 * np.sin(angle)
    moved[:, INDEX["speed"]] += on * gait.progress * hertz * 4 * 0.85 * hip
