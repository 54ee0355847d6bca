"""SVG as PNG: by resvg, with the fonts that matplotlib ships, so that no machine's own fonts matter."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mmact_oneshot.harness.runtime.errors import HarnessError

FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
FAMILY = "DejaVu Sans"


def png(svg: str, zoom: float = 1.0) -> bytes:
    """The same picture in pixels, the same bytes on every machine.

    Raises:
        HarnessError: the fonts are not where matplotlib keeps them.
    """
    from resvg_py import svg_to_bytes

    return svg_to_bytes(
        svg_string=svg,
        zoom=zoom,
        skip_system_fonts=True,
        font_files=list(_fonts()),
        font_family=FAMILY,
        sans_serif_family=FAMILY,
    )


@cache
def _fonts() -> tuple[str, ...]:
    """Found without importing matplotlib, which takes its time."""
    spec = find_spec("matplotlib")
    folders = spec.submodule_search_locations if spec else None
    package = Path(folders[0] if folders else "matplotlib")
    found = tuple(str(package / "mpl-data" / "fonts" / "ttf" / name) for name in FILES)
    for path in found:
        if not Path(path).is_file():
            raise HarnessError(
                "a font of matplotlib's is missing.", where=Path(path), remedy="Install matplotlib again."
            )
    return found
