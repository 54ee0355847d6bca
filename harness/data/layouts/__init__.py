"""The layouts that recordings come in, and the clip table of any of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from mmact_oneshot.harness.data.clips import ClipTable
from mmact_oneshot.harness.data.layouts.base import MARKER, Layout
from mmact_oneshot.harness.data.layouts.walk import walk
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import LAYOUT
from mmact_oneshot.harness.runtime.errors import HarnessError


def load_layout(name: str) -> Layout:
    """A layout by its name, or by the Python file that defines it.

    Raises:
        HarnessError: as :func:`mmact_oneshot.harness.plugins.registry.load`.
    """
    layout: Layout = registry.load(LAYOUT, name)()
    return layout


def layout_of(table: ClipTable) -> Layout:
    """The layout that a clip table was made by; a worker process loads it again."""
    return load_layout(table.layout_source or table.layout)


def known_layouts() -> dict[str, Layout]:
    """Every layout that can be loaded, by name; `oneshot layouts` says why one cannot."""
    return {each.name: each.found() for each in registry.listing(LAYOUT) if each.found is not None}


def find_layout(root: Path, name: str | None = None) -> Layout:
    """The layout called ``name``, or the one that ``root`` has.

    Raises:
        HarnessError: the folder is missing, empty, in no known layout or in several; or the name is unknown.
    """
    named = None if name is None else load_layout(name)
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
    if named is not None:
        return named
    layouts = known_layouts()
    reasons = {each: reason for each, layout in layouts.items() if (reason := layout.recognise(root))}
    if len(reasons) == 1:
        return layouts[next(iter(reasons))]
    if reasons:
        found = "; ".join(f"{each}, because {reason}" for each, reason in reasons.items())
        raise HarnessError(
            f"The folder has several layouts: {found}.",
            where=root,
            remedy="Name one with --layout, or part them.",
        )
    wanted = "; ".join(f"{each}: {layout.looks_for}" for each, layout in layouts.items())
    raise HarnessError(
        f"This is no data set in a known layout. Expected: {wanted}. Found: {_glimpse(root)}.",
        where=root,
        remedy="Give the folder that holds the recordings, or a layout of your own with --layout FILE.py.",
    )


def index(root: Path, layout: str | None = None) -> ClipTable:
    """The clip table of a folder of recordings, in the layout named or recognised. No recording is opened.

    Raises:
        HarnessError: as ``find_layout``; or there is no video; or ``synthetic.json`` cannot be read.
    """
    found = find_layout(root, layout)
    source = found.name if layout is None else layout
    sha256 = "" if source in LAYOUT.built_in else registry.source(LAYOUT, source)
    return replace(found.index(root), generated=_generated(root / MARKER), layout_source=source, layout_sha256=sha256)


def _generated(path: Path) -> dict[str, object] | None:
    """The settings of the generator, for generated data."""
    if not path.exists():
        return None
    try:
        if not path.is_file():  # a pipe would be waited for
            raise OSError("it is no file")
        settings = json.loads(path.read_text(encoding="utf-8"))
        return dict(settings)
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise HarnessError(
            "The settings of the generated data are no JSON.",
            where=path,
            remedy="Write the data again with `oneshot data synthesize`.",
        ) from error


def _glimpse(root: Path, most: int = 3) -> str:
    """The first few files under ``root``."""
    files: list[str] = []
    for folder in walk(root):
        files += [folder.child(name) for name in folder.files]
        if len(files) > most:
            return f"{', '.join(files[:most])} and more"
    return ", ".join(files)


__all__ = ["Layout", "find_layout", "index", "known_layouts", "layout_of", "load_layout"]
