"""Planting the defects that the real recordings have, and the list of what was planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from mmact_oneshot.harness.data.synthetic.performance import Key
from mmact_oneshot.harness.data.synthetic.plan import (
    SENSORS,
    files,
    outside_split,
    performances,
    sensor_path,
    video_path,
)
from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings, stream
from mmact_oneshot.harness.runtime.errors import HarnessError

PLANTED_FILE = "planted.json"
SESSION_MISSING, OUTSIDE = "session-videos-missing", "class-outside-split"
Lines = list[str]


@dataclass(frozen=True)
class Planted:
    """A defect and the file that has it, relative to the root; a file that is missing may be named, too."""

    kind: str
    path: str
    detail: str


@dataclass(frozen=True)
class Victim:
    """A defect to plant and the performances that get it."""

    kind: str
    keys: tuple[Key, ...]


def _without_fraction(lines: Lines) -> Lines:
    return [_stamped(line, _stamp(line).split(".")[0]) if k % 9 == 4 else line for k, line in enumerate(lines)]


def _unordered(lines: Lines) -> Lines:
    a, b = len(lines) // 3, len(lines) // 2
    return lines[:a] + lines[a + 4 : b] + lines[a : a + 4] + lines[b:]


def _duplicated(lines: Lines) -> Lines:
    return [_stamped(line, _stamp(lines[k - 1])) if k % 11 == 5 else line for k, line in enumerate(lines)]


def _gap(lines: Lines) -> Lines:
    a = len(lines) // 3
    return lines[:a] + lines[a + len(lines) // 4 :]


def _constant(lines: Lines) -> Lines:
    kept = [line.rstrip("\n").split(",") for line in lines]
    return [",".join([at, x, kept[0][2], z]) + "\n" for at, x, _, z in kept]


# What happens to the lines of one sensor file, and to which sensor (position in SENSORS).
EDITS: dict[str, tuple[Callable[[Lines], Lines], int, str]] = {
    "time-no-fraction": (_without_fraction, 0, "every ninth time stamp has no fraction of a second"),
    "time-unordered": (_unordered, 1, "four lines stand later than their time"),
    "time-duplicated": (_duplicated, 2, "every eleventh time stamp repeats the one before"),
    "sensor-file-empty": (lambda _: [], 1, "no line"),
    "sensor-gap": (_gap, 0, "a quarter of the lines is missing in one piece"),
    "sensor-constant": (_constant, 3, "the second column never changes"),
    "sensor-header": (lambda lines: ["time,x,y,z\n", *lines], 0, "a header"),
    "sensor-text": (lambda _: ["this is not a table\n", "of numbers\n"], 2, "text instead of a table"),
}
KINDS = (
    *EDITS,
    "sensor-missing",
    "camera-missing",
    "video-truncated",
    "name-capitalised",
    SESSION_MISSING,
    OUTSIDE,
)


def choose(settings: SyntheticSettings) -> list[Victim]:
    """Which performances get which defect; each at most one.

    Raises:
        HarnessError: there are fewer performances than defects.
    """
    everything = performances(settings)
    lost_scene, lost_session = settings.sessions[-1]
    lost = [key for key in everything
            if (key.subject, key.scene, key.session) == (settings.subjects, lost_scene, lost_session)]  # fmt: skip
    free = [key for key in everything if key not in set(lost)]
    single = [kind for kind in KINDS if kind not in (SESSION_MISSING, OUTSIDE)]
    if len(free) < len(single):
        raise HarnessError(
            f"{len(single)} kinds of defects need as many performances; these settings have {len(free)} to spare.",
            remedy="Ask for more subjects or classes, or for no defects.",
        )
    copies = 2 if len(free) >= 4 * len(single) else 1
    order = stream(settings.seed, "defects").permutation(len(free))
    picked = [free[k] for k in order[: copies * len(single)]]
    victims = [Victim(kind, tuple(picked[k :: len(single)])) for k, kind in enumerate(single)]
    return [*victims, Victim(SESSION_MISSING, tuple(lost)), Victim(OUTSIDE, tuple(outside_split(settings)))]


def plant(root: Path, settings: SyntheticSettings) -> list[Planted]:
    """Plant every defect in a freshly written data set and record it in ``planted.json``."""
    planted = [
        item for victim in choose(settings) for key in victim.keys for item in _plant(root, settings, victim.kind, key)
    ]
    part = root / (PLANTED_FILE + ".part")
    part.write_text(json.dumps([asdict(item) for item in planted], indent=1) + "\n", encoding="utf-8")
    part.replace(root / PLANTED_FILE)
    return planted


def planted_in(root: Path) -> list[Planted] | None:
    """What ``planted.json`` lists; None where nothing was planted, or not to the end."""
    path = root / PLANTED_FILE
    return [Planted(**item) for item in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else None


def _plant(root: Path, settings: SyntheticSettings, kind: str, key: Key) -> list[Planted]:
    if kind in EDITS:
        edit, sensor, detail = EDITS[kind]
        path = sensor_path(key, SENSORS[sensor])
        lines = (root / path).read_text(encoding="utf-8").splitlines(keepends=True)
        (root / path).write_bytes("".join(edit(lines)).encode())
        return [Planted(kind, path, detail)]
    if kind == "name-capitalised":
        paths = files(settings, key)
        for path in paths:
            (root / path).rename((root / path).with_name(_capitalised(path)))
        return [Planted(kind, _sibling(path), f"in place of {path}") for path in paths]
    if kind == "video-truncated":
        path = video_path(key, 1)
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) // 2])
        return [Planted(kind, path, "cut in half")]
    if kind == OUTSIDE:
        return [Planted(kind, path, f"{key.class_name} is in no split") for path in files(settings, key)]
    if kind == "sensor-missing":
        gone = [sensor_path(key, SENSORS[1])]
    elif kind == "camera-missing":
        gone = [video_path(key, settings.cameras)]
    else:
        gone = [video_path(key, camera) for camera in range(1, settings.cameras + 1)]
    for path in gone:
        (root / path).unlink()
    return [Planted(kind, path, "removed") for path in gone]


def _stamp(line: str) -> str:
    return line.split(",", 1)[0]


def _stamped(line: str, stamp: str) -> str:
    return f"{stamp},{line.split(',', 1)[1]}"


def _capitalised(path: str) -> str:
    return path.rsplit("/", 1)[1].capitalize()


def _sibling(path: str) -> str:
    return f"{path.rsplit('/', 1)[0]}/{_capitalised(path)}"
