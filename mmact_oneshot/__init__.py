"""mmact-oneshot: a benchmark harness for one-shot action recognition from video and wearable sensors."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

__version__ = version("mmact-oneshot")

if not Path(__file__).with_name("harness").is_dir():
    __path__.append(str(Path(__file__).parents[1]))  # a checkout, in whose root harness/, methods/ and baselines/ stand
