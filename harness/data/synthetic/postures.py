"""Classes that differ in posture or in what is held, and in no motion: an encoder that reads motion alone is blind to
them. They are none of MMAct's."""

from __future__ import annotations

from mmact_oneshot.harness.data.synthetic.actions import HOLD, SQUAT, Action, Pose, Prop, Wave, both, legs

SWAY = Wave({"lean": 0.02, "roll": 0.01, "head_yaw": 0.06}, 0.4)  # of somebody who stands still, the same in all


def still(pose: Pose, *props: Prop) -> Action:
    """A pose that is held throughout."""
    return Action(((0.0, pose),), 1.9, waves=(SWAY,), props=props, facing=40)


POSTURES: dict[str, Action] = {
    "arms_crossed": still(both(0.32, -0.32, -0.28)),
    "arms_out": still(both(0.08, 0.92, -0.02)),
    "arms_raised": still(both(0.12, 0.18, 0.92)),
    "bowing": still({"bend": 1.0, "nod": 0.3} | both(0.25, 0.0, -0.9)),
    "hands_on_hips": still(both(-0.02, 0.22, -0.5, 1.3)),
    "holding_ball": still(HOLD, Prop("ball", 0.30, "both")),
    "holding_box": still(HOLD, Prop("box", 0.30, "both")),
    "holding_nothing": still(HOLD),
    "squatting": still(SQUAT | legs(1.75, 2.3)),
}
