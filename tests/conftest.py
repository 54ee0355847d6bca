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
from mmact_oneshot.harness.data.store import Store
from tests.helpers.small_recordings import make_recordings, write_split

os.environ["OMP_NUM_THREADS"] = "1"  # the tests' tensors are tiny: more threads cost more than they give


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: the many short ones then fill what is left of every worker's time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
    """Generated recordings of sixteen classes."""
    root = tmp_path_factory.mktemp("recordings")
    make_recordings(root)
    return root


@pytest.fixture(scope="session")
def table(recordings: Path) -> ClipTable:
    return index(recordings)


@pytest.fixture(scope="session")
def split_file(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the shipped split whose classes the recordings have."""
    path = tmp_path_factory.mktemp("split") / "mine.toml"
    write_split(path, recordings)
    return path


@pytest.fixture(scope="session")
def store(table: ClipTable, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The generated recordings, prepared once by a worker process."""
    return prepare(table, STORE, tmp_path_factory.mktemp("store"), workers=1)
