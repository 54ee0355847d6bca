"""One performance: who moves where and how, in world coordinates. The film and the wearables both record this."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.data.synthetic.actions import COMPANIONS, Action, Prop
from mmact_oneshot.harness.data.synthetic.body import INDEX, JOINT, Array, Body, pose, rotation
from mmact_oneshot.harness.data.synthetic.classes import CLASSES
from mmact_oneshot.harness.data.synthetic.motion import channels, draw_manner, duration, progress
from mmact_oneshot.harness.data.synthetic.people import Person, Scene, person, scene
from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings, stream
from mmact_oneshot.harness.data.synthetic.wearables import Worn, measure, wear

RATE = 200.0  # Hz of the simulation
_MARGIN = 10  # steps before the start and after the end
_PARTNER_AWAY = 1.12  # metres between two people


@dataclass(frozen=True)
class Key:
    """Which performance."""

    class_name: str
    subject: int
    scene: int
    session: int


@dataclass(frozen=True)
class Held:
    """A thing and where it is (n, 3)."""

    prop: Prop
    place: Array


@dataclass(frozen=True)
class Performance:
    """What happens: ``time`` (n,) runs evenly from just before 0 to just after ``seconds``."""

    key: Key
    action: Action
    time: Array
    seconds: float
    body: Body
    actor: Person
    partner: Body | None
    partner_person: Person
    scene: Scene
    light: float
    held: tuple[Held, ...]
    door: Array  # (n,) 0 closed .. 1 open
    door_at: float  # metres ahead of the starting point
    to_world: Array  # (3, 3), from the frame in which the action was planned
    origin: Array  # (3,) where that frame starts


def perform(settings: SyntheticSettings, key: Key) -> Performance:
    """Simulate a performance; the same for the same settings and key, whatever else is generated."""
    seed, vary = settings.seed, settings.variation
    action = CLASSES[key.class_name]
    once = stream(seed, "performance", key)
    manner = draw_manner(
        stream(seed, "habit", key.class_name, key.subject),
        stream(seed, "repetition", key.class_name, key.subject, key.scene, key.session),
        once,
        vary,
    )
    seconds = duration(action, manner, settings.seconds)
    time = np.arange(-_MARGIN, round(seconds * RATE) + _MARGIN + 1) / RATE
    moved, path = channels(action, manner, time, seconds)
    actor = person(seed, key.subject, settings.appearance, vary)
    body = pose(moved, path, actor.size)

    partner_person = person(seed, -(key.subject % 3), settings.appearance, vary)
    partner = _partner(settings, key, action, time, seconds, partner_person)
    u = progress(action, manner, time, seconds)
    held = tuple(Held(prop, _place(prop, body, partner, u, time)) for prop in action.props)

    place = scene(seed, key.scene, settings.appearance)
    heading = place.azimuth + np.deg2rad(action.facing + settings.facing_deg * vary * once.standard_normal())
    to_world = rotation(2, np.array(heading))
    middle = 0.5 * (path.min(axis=0) + path.max(axis=0)) + [0.5 * _PARTNER_AWAY * (partner is not None), 0.0]
    ground = np.concatenate([-middle, [0.0]])
    wander = np.concatenate([vary * once.normal(0.0, 0.12, 2), [0.0]])
    origin = to_world @ ground + wander

    door = moved[:, INDEX["door"]]
    swings = np.abs(door - door[0]) > 0.02
    door_at = float(path[int(np.argmax(swings)), 0]) + 0.62
    light = float(np.exp(0.04 * settings.appearance * stream(seed, "light", key.scene, key.session).standard_normal()))
    return Performance(
        key, action, time, seconds, _moved_to(body, to_world, origin), actor,
        None if partner is None else _moved_to(partner, to_world, origin), partner_person, place, light,
        tuple(Held(item.prop, item.place @ to_world.T + origin) for item in held), door, door_at, to_world, origin,
    )  # fmt: skip


def worn_during(settings: SyntheticSettings, key: Key) -> Worn:
    """How the subject wears the devices in that session."""
    return wear(
        stream(settings.seed, "mount", key.subject),
        stream(settings.seed, "mount", key.subject, key.scene, key.session),
        scene(settings.seed, key.scene, settings.appearance).north,
        settings.sensor_noise,
    )


def sense(settings: SyntheticSettings, shown: Performance) -> dict[str, tuple[Array, Array]]:
    """The four sensors of a performance, as :func:`wearables.measure` gives them."""
    worn = worn_during(settings, shown.key)
    rng = stream(settings.seed, "sensors", shown.key)
    return measure(shown.time, shown.seconds, shown.body, worn, rng, settings.sensor_noise)


def _partner(settings: SyntheticSettings, key: Key, action: Action, time: Array, seconds: float,
             who: Person) -> Body | None:  # fmt: skip
    if not action.partner:
        return None
    companion = COMPANIONS[action.partner]
    habit, repetition, once = (stream(settings.seed, "partner", part, key) for part in ("habit", "repetition", "once"))
    manner = draw_manner(habit, repetition, once, settings.variation)
    moved, path = channels(companion, manner, time, seconds)
    facing = rotation(2, np.array(np.pi))
    return _moved_to(pose(moved, path, who.size), facing, np.array([_PARTNER_AWAY, 0.0, 0.0]))


def _moved_to(body: Body, turn: Array, shift: Array) -> Body:
    return Body(body.joints @ turn.T + shift, turn @ body.forearm, turn @ body.thigh)


def grip(body: Body, hands: str) -> Array:
    """Where a held thing is (n, 3)."""
    tip = {
        side: 1.3 * body.joints[:, JOINT[f"{side}_wrist"]] - 0.3 * body.joints[:, JOINT[f"{side}_elbow"]]
        for side in "rl"
    }
    return np.asarray(tip["r"] if hands == "right" else 0.5 * (tip["r"] + tip["l"]))


def _place(prop: Prop, body: Body, partner: Body | None, u: Array, time: Array) -> Array:
    at = grip(body, prop.grip)
    first = 0 if prop.held[0] <= 0 else int(np.searchsorted(u, prop.held[0]))
    last = len(u) - 1 if prop.held[1] >= 1 else min(int(np.searchsorted(u, prop.held[1])), len(u) - 2)
    at[:first] = at[first]
    after = slice(last, None)
    since = (time[after] - time[last])[:, None]
    if prop.then == "flies":
        velocity = (at[last] - at[last - 2]) / (time[last] - time[last - 2])
        at[after] = at[last] + velocity * since + 0.5 * np.array([0.0, 0.0, -9.81]) * since**2
        at[:, 2] = np.maximum(at[:, 2], 0.5 * prop.size)
    elif prop.then == "partner" and partner is not None:
        share = np.clip(since / 0.15, 0.0, 1.0)
        at[after] = (1.0 - share) * at[last] + share * grip(partner, prop.grip)[after]
    elif prop.held[1] < 1:
        at[after] = at[last]
    return at
