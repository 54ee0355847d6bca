"""A small store in memory, whose clips show their class, and a task on it: for tests that need no recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.presets import parse_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.specs import StoreSpec
from mmact_oneshot.harness.data.clips import IDENTITY, with_ids
from mmact_oneshot.harness.data.splits import Split
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.runtime.device import choose_device

CPU = choose_device("cpu", "float32")
ROLES = {"base": 6, "validation": 5, "novel": 5}
SUBJECTS, SESSIONS, CAMERAS = 3, 2, 2
FRAMES, HEIGHT, WIDTH, GRID = 6, 14, 18, 32
UNITS = {"acc": "m/s^2", "gyro": "rad/s"}
NAMES = {role: tuple(f"{role[0]}{i}" for i in range(count)) for role, count in ROLES.items()}
SPLIT = Split("toy", "made up", NAMES["base"], NAMES["validation"], NAMES["novel"])


def toy_clips() -> pd.DataFrame:
    """Every class by every subject in every session, recorded by every camera."""
    rows = [
        (name, subject, camera, 1, session)
        for names in NAMES.values()
        for name in names
        for subject in range(1, SUBJECTS + 1)
        for session in range(1, SESSIONS + 1)
        for camera in range(1, CAMERAS + 1)
    ]
    return with_ids(pd.DataFrame(rows, columns=list(IDENTITY)))


def toy_store(noise: float = 0.3) -> Store:
    """Raw frames and sensor grids: a pattern for each class, and noise of its own for each clip and performance."""
    random = np.random.default_rng(0)
    clips = toy_clips()
    kind = pd.factorize(clips["class_name"])[0]
    performance = pd.factorize(clips["performance"])[0]
    first = np.unique(performance, return_index=True)[1]
    pattern = random.random((kind.max() + 1, FRAMES, HEIGHT, WIDTH, 3))
    pixels = (1 - noise) * pattern[kind] + noise * random.random((len(clips), FRAMES, HEIGHT, WIDTH, 3))
    curve = random.normal(size=(kind.max() + 1, GRID, 3))
    sensors, measured = {}, {}
    for name in UNITS:
        sensors[name] = (curve[kind[first]] + noise * random.normal(size=(len(first), GRID, 3))).astype(np.float32)
        measured[name] = random.random((len(first), GRID)) < 0.9
    each = FRAMES * HEIGHT * WIDTH * 3
    count = len(clips)
    return Store(
        folder=Path("toy"),
        manifest={
            "layout": "mmact",
            "generated": None,
            "data_digest": "toy",
            "spec": StoreSpec(frames=FRAMES, short_side=HEIGHT, encoding="raw", sensor_grid=GRID).model_dump(),
            "spec_digest": "toy",
            "sensors": [{"name": name, "unit": unit, "angular": False} for name, unit in UNITS.items()],
            "performances_without": dict.fromkeys(UNITS, 0),
            "problems": [],
        },
        clips=clips.assign(video=True),
        performance=performance,
        sensors=sensors,
        measured=measured,
        _frames={
            "count": np.full(count, FRAMES),
            "height": np.full(count, HEIGHT),
            "width": np.full(count, WIDTH),
            "shard": np.zeros(count, np.int64),
            "start": np.arange(count) * each,
        },
        _maps={0: cast(Any, (255 * pixels).astype(np.uint8).ravel())},
    )


def toy_settings(**changes: Any) -> Settings:
    """Settings in which a training takes a fraction of a second."""
    budget = Budget(steps=6, validations=3, episodes_per_step=2, queries=1).model_dump()
    content: dict[str, Any] = {
        "preset": "toy",
        "seeds": [0],
        "suites": ["test"],
        "episodes": 40,
        "batch": 32,
        "input": {"frames": 2, "size": 12, "sensor_length": 16, "window": 0.95},  # a noise pattern bears little shift
        "video_encoder": {"arguments": {"channels": [8, 8, 16, 16], "stem_width": 8}},
        "sensor_encoder": {"width": 16, "blocks": 2},
        "transformer": {"size": "micro", "patch": 6, "tubelet": 1, "sensor_tokens": 4},
        "pretraining": {"epochs": 2, "batch": 16, "checkpoints": 2, "learning_rate": 1e-3},
        "warm_start": budget,
        "frozen": budget,
        "end_to_end": budget,
    }
    return parse_settings(content | changes, "toy")


def toy_task(store: Store | None = None, **changes: Any) -> Task:
    """All of the toy store's clips and the settings above."""
    return Task(store or toy_store(), SPLIT, toy_clips(), toy_settings(**changes))
