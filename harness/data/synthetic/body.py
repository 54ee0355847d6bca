"""A jointed body: from channels (joint angles and hand targets over time) to joint positions and limb frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Forward is x, left is y, up is z; metres and radians. Hand targets are given from the shoulder in the frame of the
# trunk, as (forward, outward, up) in arm lengths; `swivel` is how far the elbow points outwards.
CHANNELS = (
    *("forward", "side", "yaw", "tilt", "roll", "lift", "speed"),
    *("bend", "twist", "lean", "head_yaw", "nod"),
    *("r_fwd", "r_out", "r_up", "r_swivel", "r_turn"),
    *("l_fwd", "l_out", "l_up", "l_swivel"),
    *("r_hip", "r_knee", "r_abd", "l_hip", "l_knee", "l_abd"),
    "door",
)
INDEX = {name: column for column, name in enumerate(CHANNELS)}
JOINTS = (
    *("pelvis", "neck", "head", "face"),
    *("r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist"),
    *("r_hip", "r_knee", "r_ankle", "r_toe", "l_hip", "l_knee", "l_ankle", "l_toe"),
)
JOINT = {name: column for column, name in enumerate(JOINTS)}
_STRAIGHT = 0.985  # an arm never stretches fully: the elbow would have no direction
_GROUND_SOFTNESS = 0.05  # metres over which the weight passes from one foot to the other


@dataclass(frozen=True)
class Proportions:
    """Lengths in metres."""

    trunk: float = 0.50
    shoulder: float = 0.19
    hip: float = 0.10
    head: float = 0.22
    upper_arm: float = 0.29
    forearm: float = 0.26
    thigh: float = 0.43
    shin: float = 0.44
    girth: float = 1.0  # thickness of the limbs, relative


@dataclass(frozen=True)
class Body:
    """``joints`` (n, 18, 3) in the world; ``forearm`` and ``thigh`` (n, 3, 3) turn limb to world, right."""

    joints: Array
    forearm: Array
    thigh: Array


def rotation(axis: int, angle: Array) -> Array:
    """Rotations (n, 3, 3) about the axis 0, 1 or 2 by ``angle`` (n,)."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix


def pose(channels: Array, path: Array, size: Proportions) -> Body:
    """Forward kinematics.

    Args:
        channels: (n, len(CHANNELS)).
        path: (n, 2), where the body stands on the floor.
        size: lengths of the limbs.
    """
    c = {name: channels[:, column] for name, column in INDEX.items()}
    root = rotation(2, c["yaw"]) @ rotation(1, c["tilt"]) @ rotation(0, c["roll"])
    trunk = root @ rotation(1, c["bend"]) @ rotation(2, c["twist"]) @ rotation(0, c["lean"])
    head = trunk @ rotation(2, c["head_yaw"]) @ rotation(1, c["nod"])

    joints = np.zeros((len(channels), len(JOINTS), 3))
    thigh = root
    for side, sign in (("l", 1.0), ("r", -1.0)):
        thigh = root @ rotation(0, sign * c[f"{side}_abd"]) @ rotation(1, -c[f"{side}_hip"])
        shin = thigh @ rotation(1, c[f"{side}_knee"])
        hip = root[:, :, 1] * (sign * size.hip)
        knee = hip - thigh[:, :, 2] * size.thigh
        ankle = knee - shin[:, :, 2] * size.shin
        toe = ankle + shin @ np.array([0.17, 0.0, -0.05])
        for name, place in (("hip", hip), ("knee", knee), ("ankle", ankle), ("toe", toe)):
            joints[:, JOINT[f"{side}_{name}"]] = place

    # The lower foot, or the seat of someone who has fallen, carries the body; the maximum is soft, so that
    # accelerations stay finite when the weight changes feet.
    needed = np.stack([0.08 - joints[:, JOINT["l_ankle"], 2], 0.08 - joints[:, JOINT["r_ankle"], 2],
                       np.full(len(channels), 0.14)])  # fmt: skip
    top = needed.max(axis=0)
    height = top + _GROUND_SOFTNESS * np.log(0.5 * np.exp((needed - top) / _GROUND_SOFTNESS).sum(axis=0))
    pelvis = np.concatenate([path, (height + c["lift"])[:, None]], axis=1)

    neck = trunk[:, :, 2] * size.trunk
    joints[:, JOINT["neck"]] = neck
    joints[:, JOINT["head"]] = neck + head @ np.array([0.02, 0.0, 0.72 * size.head])
    joints[:, JOINT["face"]] = neck + head @ np.array([0.075, 0.0, 0.66 * size.head])
    forearm = root
    for side, sign in (("l", 1.0), ("r", -1.0)):
        shoulder = neck + trunk @ np.array([0.0, sign * size.shoulder, -0.04])
        target = np.stack([c[f"{side}_fwd"], sign * c[f"{side}_out"], c[f"{side}_up"]], axis=1)
        ones = np.ones(len(channels))
        pole = np.stack([-0.6 * ones, sign * c[f"{side}_swivel"], -0.6 * ones], axis=1)
        elbow, wrist, forearm = _arm(trunk, target, pole, size)
        for name, place in (("shoulder", 0.0), ("elbow", elbow), ("wrist", wrist)):
            joints[:, JOINT[f"{side}_{name}"]] = shoulder + place
    return Body(joints + pelvis[:, None], forearm @ rotation(0, c["r_turn"]), thigh)


def _arm(trunk: Array, target: Array, pole: Array, size: Proportions) -> tuple[Array, Array, Array]:
    """Elbow and wrist (n, 3) from the shoulder, and the frame of the forearm (x along it), from a hand target."""
    upper, lower = size.upper_arm, size.forearm
    # A hand on its way past the shoulder makes a bow in front of it: at the shoulder itself it has no direction.
    close = np.exp(-(target**2).sum(axis=1, keepdims=True) / 0.08)
    target = target + close * np.array([0.4, 0.0, 0.0])
    reach = np.linalg.norm(target, axis=1, keepdims=True)
    bounded = np.sqrt(reach**2 + 0.15**2) / (1.0 + (reach / _STRAIGHT) ** 8) ** (1 / 8) * (upper + lower)
    axis = target / np.maximum(reach, 1e-6)
    out = pole - axis * (pole * axis).sum(axis=1, keepdims=True)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    along = (upper**2 - lower**2 + bounded**2) / (2 * bounded)
    elbow = axis * along + out * np.sqrt(np.maximum(upper**2 - along**2, 1e-6))
    wrist = axis * bounded
    x = wrist - elbow
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.cross(axis, out)
    frame = np.stack([x, y, np.cross(x, y)], axis=2)
    return (trunk @ elbow[..., None])[..., 0], (trunk @ wrist[..., None])[..., 0], trunk @ frame
