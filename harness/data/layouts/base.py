"""What a layout is: how the names of one way of storing recordings are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import ClassVar

from mmact_oneshot.harness.data.clips import ClipTable, SensorSpec
from mmact_oneshot.harness.data.layouts.assemble import Found, SensorFile, VideoFile, assemble
from mmact_oneshot.harness.data.layouts.walk import Folder, walk
from mmact_oneshot.harness.data.sensors.recording import SensorRecording

MARKER = "synthetic.json"  # in the root of generated data
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"})
RECOGNISE_ENTRIES = 300_000  # looking stops here: four times the entries of full MMAct


class Layout(ABC):
    """One way of storing recordings: its name, its sensors, and how the names in a folder are read."""

    name: ClassVar[str]
    sensors: ClassVar[tuple[SensorSpec, ...]]
    looks_for: ClassVar[str]  # the names that mark this layout, for messages

    @abstractmethod
    def scan(self, folder: Folder) -> Iterator[Found]:
        """What the names in one folder mean: videos, sensor files, files of no use, defects."""

    @abstractmethod
    def read_sensor(self, path: Path, sensor: SensorSpec) -> SensorRecording:
        """Read one sensor file into SI units; bad content becomes defects, never an exception."""

    def stream(self, path: str) -> str:
        """What a video shows, in a word, where the data set has several kinds: "colour" or "depth"."""
        return ""

    def opaque(self, name: str) -> bool:
        """Whether a folder of this name is one recording (a folder of frames), not to be entered."""
        return False

    def recognise(self, root: Path) -> str | None:
        """One line that says why ``root`` has this layout, or None. Stops at the first name that fits."""
        left = RECOGNISE_ENTRIES
        for folder in walk(root, self.opaque):
            for found in self.scan(folder):
                if isinstance(found, VideoFile | SensorFile):
                    return f"{found.path} is named as in {self.looks_for}"
            left -= len(folder.files) + len(folder.folders)
            if left < 0:
                break
        return None

    def index(self, root: Path) -> ClipTable:
        """The clip table of ``root`` with every defect that the names show; no recording is opened.

        Raises:
            HarnessError: there is no clip at all.
        """
        return assemble(
            root,
            self.name,
            self.sensors,
            chain.from_iterable(self.scan(folder) for folder in walk(root, self.opaque)),
        )


def split_suffix(name: str) -> tuple[str, str]:
    """A file name as its stem and its suffix in lower case, faster than pathlib."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if dot else (name, "")
