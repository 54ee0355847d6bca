"""The figures of a report as files."""

from __future__ import annotations

from collections.abc import Mapping

from mmact_oneshot.harness.report.charts.figure import Figure, standalone
from mmact_oneshot.harness.report.charts.raster import png

IN_PIXELS = ("matrix",)  # the others as SVG alone: text in pixels takes its time


def figure_files(
    figures: Mapping[str, Figure], subtitle: str, warnings: tuple[str, ...], every_png: bool = False
) -> dict[str, bytes]:
    """Files by name, without folders: every figure as SVG, the matrix as PNG too.

    Args:
        figures: by the name of their files.
        subtitle: data, preset and date.
        every_png: all figures as PNG.
    """
    files: dict[str, bytes] = {}
    for name, figure in figures.items():
        svg = standalone(figure, subtitle, warnings)
        files[f"{name}.svg"] = svg.encode()
        if every_png or name in IN_PIXELS:
            files[f"{name}.png"] = png(svg)
    return files
