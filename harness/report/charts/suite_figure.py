"""What a figure is: one function of a study's results on a suite. The report, its page and its folder of SVG follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import FIGURE
from mmact_oneshot.harness.report.charts.figure import Figure
from mmact_oneshot.harness.report.results.report import StudySuite

Drawn = TypeVar("Drawn", bound=Figure | list[Figure] | None)


@dataclass(frozen=True)
class SuiteFigure(Generic[Drawn]):
    """A figure of a study on a suite; called as its function is.

    Attributes:
        function: gives a figure, several, or None where there is nothing to draw.
    """

    function: Callable[[StudySuite], Drawn]

    def __call__(self, results: StudySuite) -> Drawn:
        return self.function(results)

    @property
    def about(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0]


def suite_figures(results: StudySuite, files: Sequence[str] = ()) -> list[Figure]:
    """All figures that have something to draw: ours, those of installed packages that can be loaded, those of files.

    Raises:
        HarnessError: a file that does not import or defines no figure.
    """
    listed = [each.found for each in registry.listing(FIGURE) if each.found is not None]
    found: list[Figure] = []
    for make in (*listed, *(registry.load(FIGURE, file) for file in files)):
        drawn = make(results)
        found += drawn if isinstance(drawn, list) else [] if drawn is None else [drawn]
    return found
