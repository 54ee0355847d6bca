"""Signals that end a run; ``python -m tests.interrupts`` has more moments of real runs."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import oneshot
from tests.interrupts import IN_ONE_PROCESS, Runs


@pytest.mark.slow  # a process of its own, with workers
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux which processes there are")
def test_ctrl_c_ends_a_run_and_its_workers_with_nothing_left_behind(
    recordings: Path, split_file: Path, tmp_path: Path
) -> None:
    Runs(recordings, split_file, tmp_path, methods=("protonet",)).ended(*IN_ONE_PROCESS["prepare, with its workers"])


def test_sigterm_ends_with_143_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, recordings: Path) -> None:
    def terminated(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("SIGTERM came and went")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("mmact_oneshot.harness.benchmark.request.open_task", terminated)
    result = oneshot("run", "--data", recordings)
    assert result.exit_code == 143
    assert "terminated. What is done is kept; the same command continues" in result.output
    assert signal.getsignal(signal.SIGTERM) == before
