"""Generated recordings that are decoded in a second, and the split that fits them."""

from __future__ import annotations

from pathlib import Path

from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize


def make_recordings(root: Path) -> None:
    """Six base, five validation and five novel classes, three subjects, one camera."""
    split = load_split("mmact")
    settings = SyntheticSettings(
        classes=tuple(sorted(split.base[:6] + split.validation + split.novel[:5])),
        subjects=3,
        cameras=1,
        sessions=((1, 1),),
        desk_sessions=((3, 1),),
        fps=10,
        width=48,
        height=36,
        seconds=(0.5, 0.6),
    )
    synthesize(root, settings)


def write_split(path: Path, recordings: Path) -> None:
    """The part of the shipped split whose classes the recordings have."""
    split, found = load_split("mmact"), set(index(recordings).frame["class_name"])
    roles = ("base", "validation", "novel")
    path.write_text("\n".join(f"{role} = {[n for n in getattr(split, role) if n in found]}" for role in roles))
