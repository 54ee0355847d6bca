"""What several test modules share; everything large is built once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from mmact_oneshot.harness.config.specs import StoreSpec
from mmact_oneshot.harness.data.clips import ClipTable
from mmact_oneshot.harness.data.episodes.suites import Suite, build_suite, shipped_clips, suite_spec
from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.prepare import prepare
from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize

os.environ["OMP_NUM_THREADS"] = "1"  # the tests' tensors are tiny: more threads cost more than they give

SuiteOf = Callable[[str, str], Suite]
STORE = StoreSpec(frames=4, short_side=24, encoding="raw", sensor_grid=32)


@cache
def _suite(split: str, name: str) -> Suite:
    return build_suite(suite_spec(name), *shipped_clips(split))


@pytest.fixture(scope="session")
def suite() -> SuiteOf:
    """A shipped suite, drawn once: ``suite("mmact", "test")``."""
    return _suite


@pytest.fixture
def toy() -> Store:
    """A store in memory; every test gets its own."""
    from tests.helpers.toys import toy_store  # torch: xdist's first process, which runs no test, does without it

    return toy_store()


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated recordings: six base, five validation and five novel classes, three subjects, one camera."""
    split = load_split("mmact")
    settings = SyntheticSettings(
        classes=tuple(sorted(split.base[:6] + split.validation + split.novel[:5])),
        subjects=3,
        cameras=1,
        sessions=((1, 1),),
        desk_sessions=((3, 1),),
        fps=10,
        width=48,
        height=36,
        seconds=(0.5, 0.6),
    )
    root = tmp_path_factory.mktemp("recordings")
    synthesize(root, settings)
    return root


@pytest.fixture(scope="session")
def table(recordings: Path) -> ClipTable:
    return index(recordings)


@pytest.fixture(scope="session")
def split_file(table: ClipTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the shipped split whose classes the recordings have."""
    split, found = load_split("mmact"), set(table.frame["class_name"])
    path = tmp_path_factory.mktemp("split") / "mine.toml"
    roles = ("base", "validation", "novel")
    path.write_text("\n".join(f"{role} = {[n for n in getattr(split, role) if n in found]}" for role in roles))
    return path


@pytest.fixture(scope="session")
def store(table: ClipTable, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The generated recordings, prepared once by a worker process."""
    return prepare(table, STORE, tmp_path_factory.mktemp("store"), workers=1)
