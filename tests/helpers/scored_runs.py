"""What the tests of `oneshot score` and `oneshot compare` share: the commands, a run, files of predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from mmact_oneshot.harness.cli import main as cli
from mmact_oneshot.harness.evaluation.external import recorded_suite
from mmact_oneshot.harness.records import Episodes, RecordFolder
from tests.helpers.small_runs import add, add_suite, answers

EPISODES = 40


def make_run(folder: Path) -> Path:
    """A run with one row of three seeds and the episodes."""
    add_suite(folder / "records", EPISODES)
    for seed in range(3):
        add(folder / "records", "good", seed, right(0.8, seed))
    return folder


def oneshot(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def right(mean: float, seed: int) -> np.ndarray:
    """(N, Q) positions."""
    drawn = np.random.default_rng(seed).random((EPISODES, 2)) < mean
    return answers(drawn.mean(axis=1).tolist())


def lines(predicted: np.ndarray, column: str = "predicted", names: np.ndarray | None = None) -> list[str]:
    """Of a CSV, the header first."""
    shown = predicted if names is None else names
    cells = [f"{episode},{query},{shown[episode, query]}" for episode, query in np.ndindex(predicted.shape)]
    return [f"episode,query,{column}", *cells]


def csv(folder: Path, content: list[str], name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(content) + "\n", "utf-8")
    return path


def episodes_of(run: Path) -> Episodes:
    return recorded_suite(RecordFolder(run / "records"), "test")[1]
