"""Records that have everything, and the report that is read from them, made once; tests only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmact_oneshot.harness.report import Report, read_report
from tests.helpers.rich_runs import rich_run


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder; a test that writes works on a copy."""
    return rich_run(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="session")
def rich_report(rich: Path) -> Report:
    return read_report(rich)
