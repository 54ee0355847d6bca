"""A report of 102 evaluation records of 10,000 episodes, with the start of the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.helpers.small_runs import add, labels

ROOT = Path(__file__).parents[2]
CODE = """
import io, pathlib, sys
from rich.console import Console
from mmact_oneshot.harness.report import read_report, write_files
from mmact_oneshot.harness.report.writers.terminal import show
records, out = map(pathlib.Path, sys.argv[1:])
report = read_report(records)
write_files(report, records, out)
show(report, Console(file=io.StringIO()))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    random = np.random.default_rng(0)
    label = labels(10_000, 5)
    for method in range(17):
        for seed in range(3):
            wrong = random.random(label.shape) < 0.3
            for suite in ("test", "test-cross-subject"):
                add(folder, f"method{method}", seed, np.where(wrong, 1 - label, label).astype(np.int8), suite=suite)
    assert len(list((folder / "evaluation").iterdir())) == 102
    return folder


def test_report(benchmark: BenchmarkFixture, large: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(large), str(tmp_path)]
    benchmark.pedantic(subprocess.run, args=(command,), kwargs={"cwd": ROOT, "check": True}, rounds=3)
    assert (tmp_path / "report.md").is_file()
