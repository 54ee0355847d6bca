"""Episodes for a training loop of the user's own: support and query clips as tensors, by the harness's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count as numbers
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.overrides import as_override
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.data.episodes.suites import SUITES
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.open_task import open_task
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.runs import PathLike

TRAIN = "train"


@dataclass(frozen=True)
class Episode:
    """One episode.

    Attributes:
        support: way * shot clips, those of a class after each other.
        query: Q clips.
        label: (Q,) position of each query's class among the support classes, 0..way-1.
        classes: (way,) names.
        shot: clips of each class in the support.
    """

    support: Clips
    query: Clips
    label: Tensor
    classes: tuple[str, ...]
    shot: int


def episodes(
    suite: str,
    data: PathLike,
    *,
    preset: str = "quick",
    settings: Mapping[str, Any] | None = None,
    modalities: tuple[str, ...] = ("video", "sensors"),
    count: int | None = None,
    seed: int = 0,
    queries: int = 1,
    layout: str | None = None,
    split: str | None = None,
    store: PathLike = "store",
    device: str = "cpu",
) -> Iterator[Episode]:
    """The episodes of a suite, the same for everybody; or endless, augmented training episodes of the base classes.

    Args:
        suite: "train", "val", "test" or another of `oneshot suites`. Train on "train", choose on "val", and score a
            test suite once.
        data: folder of recordings, or a prepared store.
        preset, settings: what clips are brought to, way and shot; see :func:`mmact_oneshot.run`.
        modalities: what is loaded of each clip.
        count: the first so many; by default all of a suite, and no end of "train".
        seed, queries: of "train": training seed, and queries of each class.
        layout, split, store: as for :func:`mmact_oneshot.run`.

    Raises:
        HarnessError: no such suite, a suite that the data cannot give, or an episode whose clips are absent.
    """
    known = [TRAIN, *SUITES]
    if suite not in known:
        raise HarnessError(f"no suite {suite!r}.", remedy=nearest(suite, known))
    overrides = [as_override(name, value) for name, value in (settings or {}).items()]
    task = open_task(
        Path(data), load_settings(preset, overrides), stores=Path(store), watcher=Silent(), layout=layout, split=split
    )
    source = ClipSource(task.store, task.settings.input, modalities)
    found = _training(task, seed, queries) if suite == TRAIN else _fixed(task, suite)
    for number, (support, query, label, classes) in islice(enumerate(found), count):
        rows = np.concatenate([support.ravel(), query])
        if (rows < 0).any():
            raise HarnessError(f"episode {number} of suite {suite!r} needs a clip that is absent.", where=str(data))
        clips = source.load(rows, (seed, number) if suite == TRAIN else None).to(device)
        yield Episode(
            clips[: support.size],
            clips[support.size :],
            torch.as_tensor(label, dtype=torch.long, device=device),
            classes,
            support.shape[1],
        )


Drawn = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]]
"""Store rows of support (way, shot) and query (Q,), labels (Q,) and class names."""


def _fixed(task: Task, name: str) -> Drawn:
    suite = task.suite(name)
    rows = task.rows(suite.clips)
    for number in range(len(suite.draws.label)):
        classes = tuple(suite.classes[place] for place in suite.draws.classes[number])
        yield rows[suite.draws.support[number]], rows[suite.draws.query[number]], suite.draws.label[number], classes


def _training(task: Task, seed: int, queries: int) -> Drawn:
    sampler, rows = task.training_sampler(seed, queries, "base")
    names = task.split.role("base")
    for number in numbers():
        draws = sampler.draw_range(number, 1)
        classes = tuple(names[place] for place in draws.classes[0])
        yield rows[draws.support[0]], rows[draws.query[0]], draws.label[0], classes
