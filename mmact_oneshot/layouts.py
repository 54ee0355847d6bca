"""What a layout is made of: import it from here in a layout of your own."""

from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.layouts.assemble import Found, SensorFile, Unused, VideoFile
from mmact_oneshot.harness.data.layouts.base import Layout
from mmact_oneshot.harness.data.layouts.walk import Folder
from mmact_oneshot.harness.data.sensors.recording import SensorRecording, nothing

__all__ = [
    "Folder",
    "Found",
    "Layout",
    "SensorFile",
    "SensorRecording",
    "SensorSpec",
    "Unused",
    "VideoFile",
    "defect",
    "nothing",
]
