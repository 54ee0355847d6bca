"""All kinds of files that are read."""

from __future__ import annotations

import gc
from functools import cache
from importlib.metadata import entry_points

from tests.damage import recordings, results, settings, stores, weights
from tests.damage.subject import command_line

SUBJECTS = (
    *recordings.SUBJECTS,
    *settings.SUBJECTS,
    *results.SUBJECTS,
    *weights.SUBJECTS,
    *stores.SUBJECTS,
)


def preload() -> None:
    """Import what the processes need that read files, since they are forked and begin where this one stands, and keep
    what is the same for all of them: the verbs, and which plugins are installed."""
    import av
    import decord
    import PIL.Image
    import scipy.io
    import torch

    from mmact_oneshot.harness.data.layouts import known_layouts
    from mmact_oneshot.harness.plugins import registry

    assert all((av, decord, PIL.Image, scipy.io))
    torch.set_num_threads(1)
    vars(registry)["entry_points"] = cache(entry_points)
    known_layouts()
    command_line()
    gc.freeze()
