"""The layouts that recordings come in, and the clip table of any of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.data.clips import ClipTable
from harness.data.layouts.base import MARKER, Layout
from harness.data.layouts.mmact_flat import MMActFlat
from harness.data.layouts.mmact_official import MMActOfficial
from harness.data.layouts.utd_mhad import UTDMHAD
from harness.data.layouts.walk import walk
from harness.runtime.errors import HarnessError, nearest

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (MMActOfficial(), MMActFlat(), UTDMHAD())}


def find_layout(root: Path, name: str | None = None) -> Layout:
    """The layout called ``name``, or the one that ``root`` has.

    Raises:
        HarnessError: the folder is missing, empty, in no known layout or in several; or the name is unknown.
    """
    if name is not None and name not in LAYOUTS:
        raise HarnessError(f"There is no layout {name!r}.", remedy=nearest(name, LAYOUTS))
    if not root.exists():
        raise HarnessError("There is no such folder.", where=root, remedy="Give the folder that holds the data set.")
    if not root.is_dir():
        raise HarnessError("This is a file.", where=root, remedy="Give the folder that holds the data set.")
    if not any(folder.files for folder in walk(root)):
        raise HarnessError(
            "The folder is empty.",
            where=root,
            remedy="Unpack the data set there, or write a generated one with `oneshot data synthesize`.",
        )
    if name is not None:
        return LAYOUTS[name]
    reasons = {each: reason for each, layout in LAYOUTS.items() if (reason := layout.recognise(root))}
    if len(reasons) == 1:
        return LAYOUTS[next(iter(reasons))]
    if reasons:
        found = "; ".join(f"{each}, because {reason}" for each, reason in reasons.items())
        raise HarnessError(
            f"The folder has several layouts: {found}.",
            where=root,
            remedy="Name one with --layout, or part them.",
        )
    wanted = "; ".join(f"{each}: {layout.looks_for}" for each, layout in LAYOUTS.items())
    raise HarnessError(
        f"This is no data set in a known layout. Expected: {wanted}. Found: {_glimpse(root)}.",
        where=root,
        remedy="Give the folder that holds the recordings.",
    )


def index(root: Path, layout: str | None = None) -> ClipTable:
    """The clip table of a folder of recordings, in the layout named or recognised. No recording is opened.

    Raises:
        HarnessError: as ``find_layout``; or there is no video; or ``synthetic.json`` cannot be read.
    """
    return replace(find_layout(root, layout).index(root), generated=_generated(root / MARKER))


def _generated(path: Path) -> dict[str, object] | None:
    """The settings of the generator, for generated data."""
    if not path.exists():
        return None
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HarnessError(
            "The settings of the generated data are no JSON.",
            where=path,
            remedy="Write the data again with `oneshot data synthesize`.",
        ) from error
    return dict(settings)


def _glimpse(root: Path, most: int = 3) -> str:
    """The first few files under ``root``."""
    files: list[str] = []
    for folder in walk(root):
        files += [folder.child(name) for name in folder.files]
        if len(files) > most:
            return f"{', '.join(files[:most])} and more"
    return ", ".join(files)


__all__ = ["LAYOUTS", "Layout", "find_layout", "index"]
