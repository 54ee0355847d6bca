"""mmact-oneshot: a benchmark harness for one-shot action recognition from video and wearable sensors.

Run and read::

    import mmact_oneshot

    run = mmact_oneshot.run("data/embedded", methods=["protonet"], modalities="sensors")
    run.rows[["row", "accuracy", "low", "high"]]

Write a method, an encoder, a layout or a metric: ``from mmact_oneshot import FewShotMethod, Encoder, Layout, metric``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not Path(__file__).with_name("harness").is_dir():
    __path__.append(str(Path(__file__).parents[1]))  # a checkout, in whose root harness/, methods/ and baselines/ stand

if TYPE_CHECKING:
    from mmact_oneshot.harness.api import (
        Clips,
        ClipShape,
        Encoder,
        Features,
        FewShotMethod,
        LossTerms,
        Needs,
        NotApplicable,
        Pretraining,
        Setup,
        Targets,
    )
    from mmact_oneshot.harness.data.layouts.base import Layout
    from mmact_oneshot.harness.encoders.fusion import Fusion
    from mmact_oneshot.harness.plugins.methods import load_method
    from mmact_oneshot.harness.report.results.metric import Answers, metric
    from mmact_oneshot.harness.runtime.errors import HarnessError
    from mmact_oneshot.runs import Run, compare, open_run, run
    from mmact_oneshot.training_loop import Episode, episodes

_HOMES = {
    "mmact_oneshot.runs": ("Run", "compare", "open_run", "run"),
    "mmact_oneshot.training_loop": ("Episode", "episodes"),
    "mmact_oneshot.harness.plugins.methods": ("load_method",),
    "mmact_oneshot.harness.runtime.errors": ("HarnessError",),
    "mmact_oneshot.harness.api": (
        *("Clips", "ClipShape", "Encoder", "Features", "FewShotMethod", "LossTerms", "Needs", "NotApplicable"),
        *("Pretraining", "Setup", "Targets"),
    ),
    "mmact_oneshot.harness.encoders.fusion": ("Fusion",),
    "mmact_oneshot.harness.data.layouts.base": ("Layout",),
    "mmact_oneshot.harness.report.results.metric": ("Answers", "metric"),
}
"""Where each public name is defined. They are imported when they are first used: reports need no torch."""
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__version__ = version("mmact-oneshot")
__all__ = [
    "Answers",
    "ClipShape",
    "Clips",
    "Encoder",
    "Episode",
    "Features",
    "FewShotMethod",
    "Fusion",
    "HarnessError",
    "Layout",
    "LossTerms",
    "Needs",
    "NotApplicable",
    "Pretraining",
    "Run",
    "Setup",
    "Targets",
    "compare",
    "episodes",
    "load_method",
    "metric",
    "open_run",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
