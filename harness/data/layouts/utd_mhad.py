"""UTD-MHAD (Chen, Jafari, Kehtarnavaz, ICIP 2015): aA_sS_tT_<recording>, in any folders.

The subject is S, the session is the trial T; there is one camera and one scene. The sensor sits on the right
wrist for actions 1 to 21 and on the right thigh for 22 to 27.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from mmact_oneshot.harness.data.clips import GRAVITY, SensorSpec
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.layouts.assemble import Found, SensorFile, Unused, VideoFile
from mmact_oneshot.harness.data.layouts.base import MARKER, Layout
from mmact_oneshot.harness.data.layouts.walk import Folder
from mmact_oneshot.harness.data.sensors.mat_file import read_inertial_mat
from mmact_oneshot.harness.data.sensors.recording import SensorRecording

PLACEMENT = "right wrist (actions 1-21), right thigh (22-27)"
# fmt: off
CLASSES = (
    "swipe_left", "swipe_right", "wave", "clap", "throw", "arm_cross", "basketball_shoot", "draw_x",
    "draw_circle_cw", "draw_circle_ccw", "draw_triangle", "bowling", "boxing", "baseball_swing",
    "tennis_swing", "arm_curl", "tennis_serve", "push", "knock", "catch", "pickup_throw", "jog", "walk",
    "sit2stand", "stand2sit", "lunge", "squat",
)
# fmt: on
VIDEOS = ("color.avi", "depth.mp4", "depth.mat")  # the first that a clip has is used
RECORDING = "|".join(map(re.escape, (*VIDEOS, "inertial.mat")))
NAME = re.compile(rf"a(\d+)_s(\d+)_t(\d+)_({RECORDING})")
TRIAL = re.compile(r"a\d+_s\d+_t\d+_.*")


class UTDMHAD(Layout):
    """UTD-MHAD as it is downloaded: colour or depth videos, and the inertial sensor; skeletons are left out."""

    name = "utd-mhad"
    sensors = (
        SensorSpec("acc", "m/s^2", 50.0, PLACEMENT),
        SensorSpec("gyro", "rad/s", 50.0, PLACEMENT),
    )
    looks_for = "aA_sS_tT_color.avi, aA_sS_tT_depth.mp4 or .mat, aA_sS_tT_inertial.mat"

    def stream(self, path: str) -> str:
        return "colour" if path.lower().endswith("color.avi") else "depth"

    def scan(self, folder: Folder) -> Iterator[Found]:
        for name in folder.files:
            path = folder.child(name)
            folded = name.lower()
            parts = NAME.fullmatch(folded)
            if parts is None or not 1 <= int(parts[1]) <= len(CLASSES):
                if TRIAL.fullmatch(folded) and not folded.endswith("_skeleton.mat"):
                    yield defect("name-not-understood", path, f"not named as in {self.looks_for}, A from 1 to 27")
                elif path != MARKER:
                    yield Unused(path)
                continue
            if folded != name:
                yield defect("capitalised-name", path, f"{name} is read as {folded}")
            action = CLASSES[int(parts[1]) - 1]
            subject, trial = int(parts[2]), int(parts[3])
            if parts[4] in VIDEOS:
                yield VideoFile(action, subject, 1, 1, trial, path, rank=VIDEOS.index(parts[4]))
            else:
                for sensor in self.sensors:
                    yield SensorFile(sensor.name, action, subject, 1, trial, path)

    def read_sensor(self, path: Path, sensor: SensorSpec) -> SensorRecording:
        first, scale = (0, GRAVITY) if sensor.name == "acc" else (3, math.pi / 180)
        return read_inertial_mat(path, sensor, columns=slice(first, first + 3), scale=scale)
