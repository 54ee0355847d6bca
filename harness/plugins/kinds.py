"""The kinds of plugins: what each is, where ours are listed, and in which entry-point group packages offer theirs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of plugin.

    Attributes:
        name: "method"; with an s where there are several, and as the entry-point group ``mmact_oneshot.methods``.
        base: "module:name" of the class that a plugin is derived from, or an instance of.
        instances: whether a plugin is an instance of ``base`` and no class.
        listings: "module:name" of the mappings from a name to "module:name" in which our own folders list theirs.
        files: whether a Python file on the command line may define one.
        more: names that are known without being listed here; for messages.
    """

    name: str
    base: str
    listings: tuple[str, ...] = ()
    instances: bool = False
    files: bool = True

    @property
    def plural(self) -> str:
        return f"{self.name}s"

    @property
    def group(self) -> str:
        return f"mmact_oneshot.{self.plural}"

    @property
    def made(self) -> str:
        """How a plugin is made: ``derived from FewShotMethod``."""
        return f"{'made with' if self.instances else 'derived from'} {self.base.partition(':')[2]}"

    @cached_property
    def built_in(self) -> Mapping[str, str]:
        """Name -> "module:name" of all that our folders list."""
        return {name: value for listing in self.listings for name, value in resolve(listing).items()}

    def fits(self, value: Any) -> bool:
        base = resolve(self.base)
        if self.instances:
            return isinstance(value, base)
        return inspect.isclass(value) and issubclass(value, base) and value is not base


def resolve(reference: str) -> Any:
    """What "module:name" stands for."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


HARNESS = "mmact_oneshot.harness"
METHOD = Kind(
    "method", f"{HARNESS}.api:FewShotMethod", ("mmact_oneshot.methods:METHODS", "mmact_oneshot.baselines:METHODS")
)
ENCODER = Kind("encoder", f"{HARNESS}.api:Encoder")
LAYOUT = Kind("layout", f"{HARNESS}.data.layouts.base:Layout", (f"{HARNESS}.data.layouts.listing:LAYOUTS",))
SPLIT = Kind("split", f"{HARNESS}.data.splits:Split", files=False, instances=True)
METRIC = Kind("metric", f"{HARNESS}.report.results.metric:Metric", (f"{HARNESS}.report.metrics:METRICS",), True)
FIGURE = Kind(
    "figure", f"{HARNESS}.report.charts.suite_figure:SuiteFigure", (f"{HARNESS}.report.charts:FIGURES",), True
)
KINDS = {kind.name: kind for kind in (METHOD, ENCODER, LAYOUT, SPLIT, METRIC, FIGURE)}
