"""What each MMAct class looks like: key poses over a performance, oscillations, gait, and the things handled.

A pose names only the channels that it changes (``body.CHANNELS``); between two keys every channel moves along a
minimum-jerk curve. Times are fractions of the performance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Pose = dict[str, float]


@dataclass(frozen=True)
class Wave:
    """Oscillations of channels: amplitudes, frequency in Hz, and when they swell and fade."""

    amplitude: Pose
    hertz: float
    span: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Gait:
    """Steps: cadence in cycles (two steps) per second, hip swing and knee bend in rad, arm swing, ground covered."""

    hertz: float
    hip: float
    knee: float
    arms: float
    progress: float = 1.0  # of the ground that such steps would cover
    span: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Prop:
    """A thing in the hands: its size in metres, who holds it and when, and what it does afterwards."""

    kind: Literal["box", "phone", "cup", "ball"]
    size: float
    grip: Literal["right", "both"]
    held: tuple[float, float] = (0.0, 1.0)
    then: Literal["stays", "flies", "partner"] = "stays"


@dataclass(frozen=True)
class Action:
    """One class."""

    keys: tuple[tuple[float, Pose], ...]
    seconds: float = 2.0
    waves: tuple[Wave, ...] = ()
    gait: Gait | None = None
    props: tuple[Prop, ...] = ()
    facing: float = 25.0  # degrees between the line to the cameras and the way the person faces
    furniture: tuple[str, ...] = field(default=())  # of "chair", "table", "door", "cart"
    partner: str = ""  # what a second person does, a key of COMPANIONS


def right(fwd: float, out: float, up: float, swivel: float = 0.5, turn: float = 0.0) -> Pose:
    """A pose of the right arm."""
    return {"r_fwd": fwd, "r_out": out, "r_up": up, "r_swivel": swivel, "r_turn": turn}


def left(fwd: float, out: float, up: float, swivel: float = 0.5) -> Pose:
    """A pose of the left arm."""
    return {"l_fwd": fwd, "l_out": out, "l_up": up, "l_swivel": swivel}


def both(fwd: float, out: float, up: float, swivel: float = 0.5) -> Pose:
    """The same pose of both arms."""
    return right(fwd, out, up, swivel) | left(fwd, out, up, swivel)


def legs(hip: float, knee: float) -> Pose:
    """The same bend of both legs."""
    return {"r_hip": hip, "r_knee": knee, "l_hip": hip, "l_knee": knee}


NEUTRAL: Pose = both(0.08, 0.06, -0.95) | legs(0.03, 0.05)
SEAT: Pose = legs(1.45, 1.45) | both(0.42, -0.08, -0.62) | {"bend": 0.05}
REACH: Pose = right(0.85, -0.1, -0.25)
HOLD: Pose = both(0.52, -0.12, -0.48)
LOW: Pose = legs(1.15, 1.5) | {"bend": 0.75} | both(0.6, -0.12, -0.78)
SQUAT: Pose = legs(1.75, 2.3) | {"bend": 0.45} | both(0.6, -0.05, -0.35)
POCKET: Pose = right(-0.02, 0.08, -0.72, 1.0, 0.5) | {"bend": 0.08, "lean": 0.08}
PHONE: Pose = right(0.42, -0.28, -0.1, 0.3, 0.9) | {"nod": 0.45}
EAR: Pose = right(0.18, -0.22, 0.22, 0.9, 0.4) | {"nod": 0.1}
SIP: Pose = right(0.32, -0.3, 0.16, 0.9, 0.6) | {"nod": -0.3}
CUP_LOW: Pose = right(0.62, 0.0, -0.38)
TYPING: Pose = both(0.58, -0.15, -0.42) | {"nod": 0.25}

STROLL = Gait(0.95, 0.42, 0.95, 0.25)

COMPANIONS: dict[str, Action] = {
    "listening": Action(((0.0, both(0.2, -0.1, -0.8)),), waves=(Wave({"nod": 0.12}, 0.9),)),
    "receiving": Action(((0.1, {}), (0.45, HOLD | both(0.75, -0.12, -0.4)), (0.62, {}), (0.9, HOLD))),
}

ACTIONS: dict[str, Action] = {
    "carrying": Action(
        ((0.0, HOLD | {"bend": -0.06}),), 2.3,
        gait=Gait(0.85, 0.36, 0.85, 0.0), props=(Prop("box", 0.30, "both"),), facing=75,
    ),
    "carrying_heavy": Action(
        ((0.0, both(0.4, -0.05, -0.75) | {"bend": -0.2}),), 2.5,
        gait=Gait(0.7, 0.27, 0.8, 0.0), props=(Prop("box", 0.38, "both"),), facing=75,
    ),
    "carrying_light": Action(
        ((0.0, right(0.35, 0.1, -0.6)),), 2.2,
        gait=Gait(0.95, 0.4, 0.9, 0.1), props=(Prop("box", 0.18, "right"),), facing=75,
    ),
    "checking_time": Action(
        ((0.1, {}), (0.4, right(0.45, -0.3, -0.12, 1.0, 1.0) | {"nod": 0.5, "head_yaw": -0.15}),
         (0.72, {}), (0.97, NEUTRAL | {"r_turn": 0.0, "nod": 0.0, "head_yaw": 0.0})), 2.1,
    ),
    "closing": Action(
        ((0.0, {"door": 1.0}), (0.2, right(0.7, 0.45, -0.2) | {"yaw": -0.25}),
         (0.65, right(0.85, -0.35, -0.2) | {"door": 0.0, "yaw": 0.3}), (0.95, NEUTRAL | {"yaw": 0.0})), 2.2,
        gait=Gait(0.9, 0.2, 0.5, 0.0, span=(0.25, 0.65)), facing=80, furniture=("door",),
    ),
    "crouching": Action(((0.05, {}), (0.45, SQUAT), (0.85, {}), (1.0, legs(1.65, 2.2))), 2.0, facing=40),
    "drinking": Action(
        ((0.0, SEAT | CUP_LOW), (0.12, {}), (0.42, SIP), (0.68, {}), (0.95, CUP_LOW | {"nod": 0.0})), 2.4,
        props=(Prop("cup", 0.10, "right"),), facing=40, furniture=("chair", "table"),
    ),
    "entering": Action(
        ((0.0, {"yaw": 0.0}), (0.18, REACH), (0.38, right(0.6, 0.4, -0.3) | {"door": 1.0}), (0.65, NEUTRAL)), 2.5,
        gait=Gait(0.95, 0.4, 0.9, 0.18, span=(0.3, 1.0)), facing=55, furniture=("door",),
    ),
    "exiting": Action(
        ((0.0, {"yaw": 0.0}), (0.4, {}), (0.55, REACH), (0.72, right(0.6, 0.4, -0.3) | {"door": 1.0}),
         (0.95, NEUTRAL)), 2.5,
        gait=Gait(0.95, 0.4, 0.9, 0.18, span=(0.0, 0.95)), facing=125, furniture=("door",),
    ),
    "fall": Action(
        ((0.15, {}), (0.3, {"bend": 0.2, "roll": 0.12} | both(0.3, 0.35, -0.4) | legs(0.3, 0.7)),
         (0.6, {"roll": 1.42, "bend": 0.3} | both(0.6, 0.1, -0.4) | legs(0.7, 1.1)), (0.72, {"roll": 1.38})), 2.1,
        facing=20,
    ),
    "jumping": Action(
        ((0.05, {}), (0.27, legs(0.75, 1.3) | {"bend": 0.35} | both(-0.3, 0.1, -0.8)),
         (0.45, legs(0.0, 0.05) | {"bend": 0.0} | both(0.6, 0.1, -0.25)), (0.58, {"lift": 0.26}),
         (0.71, {"lift": 0.0} | both(0.4, 0.15, -0.5)), (0.81, legs(0.6, 1.05) | {"bend": 0.25}),
         (0.97, NEUTRAL | {"bend": 0.0})), 2.0,
    ),
    "kicking": Action(
        ((0.1, {}), (0.35, {"r_hip": -0.5, "r_knee": 1.2, "l_knee": 0.2} | left(0.4, 0.2, -0.7)),
         (0.52, {"r_hip": 1.15, "r_knee": 0.1, "bend": -0.15} | right(-0.4, 0.3, -0.7)),
         (0.75, {"r_hip": 0.4, "r_knee": 0.7}), (0.95, NEUTRAL | {"bend": 0.0})), 1.8, facing=60,
    ),
    "loitering": Action(
        ((0.0, right(0.0, 0.1, -0.72, 1.0) | left(0.0, 0.1, -0.72, 1.0)), (0.3, {"head_yaw": 0.5}),
         (0.55, {"yaw": 1.6, "head_yaw": 0.0}), (0.8, {"yaw": 2.6, "head_yaw": -0.5}), (1.0, {"head_yaw": 0.0})), 2.5,
        gait=Gait(0.65, 0.24, 0.6, 0.0), facing=60,
    ),
    "looking_around": Action(
        ((0.08, {}), (0.33, {"head_yaw": 1.0, "twist": 0.45, "yaw": 0.2}),
         (0.66, {"head_yaw": -1.0, "twist": -0.45, "yaw": -0.2}), (0.95, {"head_yaw": 0.0, "twist": 0.0, "yaw": 0.0})),
        2.3,
    ),
    "opening": Action(
        ((0.0, {}), (0.28, REACH), (0.4, {"r_turn": 0.8}),
         (0.75, right(0.35, 0.35, -0.35) | {"door": 1.0, "yaw": -0.3}),
         (0.97, NEUTRAL | {"r_turn": 0.0})), 2.2,
        gait=Gait(0.9, -0.16, 0.4, 0.0, 0.8, span=(0.45, 0.75)), facing=80, furniture=("door",),
    ),
    "picking_up": Action(
        ((0.05, {}), (0.42, LOW), (0.52, {}), (0.92, HOLD | legs(0.03, 0.05) | {"bend": 0.0})), 2.2,
        props=(Prop("box", 0.30, "both", held=(0.47, 1.0)),), facing=50,
    ),
    "pocket_in": Action(
        ((0.0, PHONE), (0.2, {}), (0.55, POCKET | {"nod": 0.2}), (0.72, {"r_up": -0.8}),
         (0.97, NEUTRAL | {"lean": 0.0, "bend": 0.0, "nod": 0.0, "r_turn": 0.0})),
        2.0, props=(Prop("phone", 0.12, "right", held=(0.0, 0.6)),), furniture=("table",),
    ),
    "pocket_out": Action(
        ((0.03, {}), (0.28, POCKET | {"nod": 0.2}), (0.42, {"r_up": -0.8}), (0.8, PHONE | {"bend": 0.0, "lean": 0.0})),
        2.0, props=(Prop("phone", 0.12, "right", held=(0.45, 1.0)),), furniture=("table",),
    ),
    "pointing": Action(
        ((0.08, {}), (0.35, right(0.92, 0.15, 0.12) | {"twist": 0.15}), (0.78, {}),
         (1.0, NEUTRAL | {"twist": 0.0})), 1.9,
        waves=(Wave({"r_up": 0.035, "r_out": 0.03}, 1.6, (0.35, 0.8)),), facing=50,
    ),
    "pulling": Action(
        ((0.0, both(0.88, -0.1, -0.3) | {"bend": 0.25}), (0.12, {}),
         (0.45, both(0.32, 0.05, -0.35) | {"bend": -0.2} | legs(0.2, 0.45)),
         (0.6, both(0.85, -0.1, -0.3) | {"bend": 0.2} | legs(0.05, 0.1)),
         (0.92, both(0.32, 0.05, -0.35) | {"bend": -0.2} | legs(0.2, 0.45))), 2.3,
        gait=Gait(0.85, -0.2, 0.4, 0.0, span=(0.1, 0.95)), facing=75, furniture=("cart",),
    ),
    "pushing": Action(
        ((0.0, both(0.4, 0.0, -0.3) | {"bend": 0.15}), (0.15, {"bend": 0.3}),
         (0.5, both(0.85, -0.05, -0.2) | {"bend": 0.45}), (0.9, {"bend": 0.35})), 2.3,
        gait=Gait(0.8, 0.32, 0.7, 0.0, span=(0.1, 1.0)), facing=75, furniture=("cart",),
    ),
    "running": Action(
        ((0.0, both(0.35, 0.0, -0.45) | {"bend": 0.18}),), 1.8, gait=Gait(1.5, 0.75, 1.6, 0.42, 0.3), facing=78
    ),
    "setting_down": Action(
        ((0.05, HOLD), (0.45, LOW), (0.56, {}), (0.95, NEUTRAL | {"bend": 0.0})), 2.2,
        props=(Prop("box", 0.30, "both", held=(0.0, 0.5)),), facing=50,
    ),
    "sitting": Action(
        ((0.0, SEAT), (0.5, {"bend": 0.12})), 2.0, waves=(Wave({"bend": 0.02, "head_yaw": 0.1}, 0.5),),
        facing=40, furniture=("chair", "table"),
    ),
    "sitting_down": Action(
        ((0.1, {"forward": 0.18}), (0.42, legs(1.0, 1.2) | {"bend": 0.65, "forward": 0.08} | both(0.5, 0.0, -0.55)),
         (0.72, SEAT | {"forward": 0.0}), (0.9, {"bend": 0.0})), 2.1, facing=40, furniture=("chair", "table"),
    ),
    "standing": Action(((0.0, {}),), 1.9, waves=(Wave({"lean": 0.03, "roll": 0.015, "head_yaw": 0.1}, 0.4),)),
    "standing_up": Action(
        ((0.0, SEAT), (0.12, {}), (0.38, {"bend": 0.65, "forward": 0.06} | both(0.5, 0.0, -0.55)),
         (0.58, legs(0.8, 0.9) | {"bend": 0.5, "forward": 0.12}), (0.85, NEUTRAL | {"bend": 0.0, "forward": 0.2})), 2.1,
        facing=40, furniture=("chair", "table"),
    ),
    "talking": Action(
        ((0.0, right(0.38, 0.0, -0.5) | left(0.3, -0.1, -0.65)),), 2.3,
        waves=(Wave({"r_up": 0.16, "r_fwd": 0.07, "l_up": 0.05}, 1.1),
               Wave({"nod": 0.1, "r_out": 0.1, "head_yaw": 0.08}, 0.7)),
        facing=75, partner="listening",
    ),
    "talking_on_phone": Action(
        ((0.0, EAR),), 2.2, waves=(Wave({"twist": 0.1, "lean": 0.05, "nod": 0.06, "l_fwd": 0.12, "l_up": 0.05}, 0.55),),
        props=(Prop("phone", 0.12, "right"),),
    ),
    "throwing": Action(
        ((0.05, right(0.35, 0.0, -0.5)),
         (0.4, right(-0.22, 0.55, 0.4, 1.0) | {"twist": -0.5, "bend": -0.15, "l_hip": 0.3}),
         (0.6, right(0.75, 0.25, 0.3) | {"twist": 0.4, "bend": 0.25, "l_hip": 0.15}),
         (0.78, right(0.45, -0.1, -0.6) | {"bend": 0.3}),
         (1.0, NEUTRAL | {"bend": 0.0, "twist": 0.0, "l_hip": 0.03})), 1.8,
        props=(Prop("ball", 0.16, "right", (0.0, 0.54), "flies"),), facing=60,
    ),
    "transferring_object": Action(
        ((0.1, HOLD), (0.45, both(0.85, -0.12, -0.35) | {"bend": 0.15}), (0.62, {}),
         (0.92, NEUTRAL | {"bend": 0.0})), 2.2,
        props=(Prop("box", 0.30, "both", held=(0.0, 0.53), then="partner"),), facing=75, partner="receiving",
    ),
    "using_pc": Action(
        ((0.0, SEAT | TYPING),), 2.0,
        waves=(Wave({"r_up": 0.022, "l_fwd": 0.015}, 3.4), Wave({"l_up": 0.022, "r_fwd": 0.02}, 2.6),
               Wave({"r_out": 0.06, "twist": 0.03}, 0.6)),
        facing=40, furniture=("chair", "table", "laptop"),
    ),
    "using_phone": Action(
        ((0.0, PHONE),), 2.0,
        waves=(Wave({"r_up": 0.018, "r_turn": 0.08}, 2.2), Wave({"r_fwd": 0.03, "lean": 0.02}, 0.6)),
        props=(Prop("phone", 0.14, "right"),),
    ),
    "walking": Action(((0.0, {}),), 2.2, gait=STROLL, facing=78),
    "waving_hand": Action(
        ((0.02, {}), (0.32, right(0.45, 0.4, 0.52, 0.9)), (0.74, {}), (1.0, NEUTRAL)), 2.2,
        waves=(Wave({"r_out": 0.22, "r_turn": 0.2}, 2.0, (0.24, 0.84)),),
    ),
}  # fmt: skip

DESK = frozenset({"drinking", "pocket_in", "pocket_out", "sitting", "sitting_down", "standing_up", "using_pc"})
OUTSIDE_SPLIT = ("carrying_heavy", "carrying_light")
