"""What a pre-training costs while it runs: no waiting for the device, and notes for who follows it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmact_oneshot.harness.cli.watch import TerminalWatcher
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.training.checkpoint import save_state
from mmact_oneshot.harness.training.pretraining_loop import PretrainingProgress
from tests.helpers.pretrainings import BOTH, BUDGET, Guessing, Recording, Steps, autoencoding, pretrained
from tests.helpers.toys import toy_task

HALF = PretrainingProgress(seconds=40.0, waited=1.2, clips=8480, steps=50)


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


class Reads(TorchDispatchMode):
    """Notes every operation whose result or shape the CPU has to wait for, were the tensors on a GPU."""

    WAITS = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "is_nonzero",
        "equal",
        "bincount",
        "_linalg_check_errors",
    )

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(part is not None and part.dtype == torch.bool for part in args[1])
        if name in self.WAITS or name.startswith(("unique", "_unique")) or by_mask:
            self.found.append(name)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("modalities", [("video",), ("sensors",), BOTH])
def test_the_device_is_waited_for_at_checkpoints_only(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modalities: tuple[str, ...]
) -> None:
    """The fused optimiser keeps its count of steps where the weights are, as it does on a GPU."""
    network = autoencoding(task, *modalities)
    adamw, main = torch.optim.AdamW, threading.get_ident()
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, **given: adamw(groups, **given | {"fused": True}))
    reads = Reads()

    def noting(name: str) -> Callable[..., Any]:
        real = getattr(Tensor, name)

        def noted(tensor: Tensor, *given: Any, **more: Any) -> Any:
            if threading.get_ident() == main:  # the thread that reads ahead has no business with the device
                reads.found.append(name)
            return real(tensor, *given, **more)

        return noted

    for name in ("cpu", "numpy", "tolist", "item", "__float__", "__bool__", "__int__"):
        monkeypatch.setattr(Tensor, name, noting(name))
    waits: dict[int, list[str]] = defaultdict(list)

    class Noting(Steps):
        def advance(self, done: int, total: int | None = None, note: str = "") -> None:
            super().advance(done)
            self.keep()

        def keep(self) -> None:
            waits[self.done[-1]] += reads.found
            reads.found.clear()

    watcher = Noting()

    def saved(path: Path, state: dict[str, Any]) -> None:
        save_state(path, state)
        watcher.keep()

    monkeypatch.setattr("mmact_oneshot.harness.training.pretraining_loop.save_state", saved)
    with reads:
        pretrained(task, network, tmp_path / "x.state", budget=BUDGET.model_copy(update={"clip": 1.0}), watcher=watcher)
    reads.found.clear()
    assert all(waits[step] for step in (2, 4, 6)), "else this test notices nothing"
    assert not [wait for step in (1, 3, 5) for wait in waits[step]]


@pytest.mark.parametrize(
    ("progress", "steps", "note"),
    [
        (HALF, 100, "212 clips/s, 3 % waiting for data, 40 s left"),
        (HALF, 50, "212 clips/s, 3 % waiting for data"),
        (HALF, 500, "212 clips/s, 3 % waiting for data, 6 min left"),
        (HALF, 50050, "212 clips/s, 3 % waiting for data, 11.1 h left"),
        (PretrainingProgress(seconds=10, clips=64, steps=1), 2, "6.4 clips/s, 0 % waiting for data, 10 s left"),
        (PretrainingProgress(seconds=1, clips=12345, steps=1), 1, "12,345 clips/s, 0 % waiting for data"),
        (PretrainingProgress(), 0, "0.0 clips/s, 0 % waiting for data"),
    ],
)
def test_the_note_says_how_fast_it_goes_and_how_long_it_takes(
    progress: PretrainingProgress, steps: int, note: str
) -> None:
    assert progress.note(steps) == note


def test_who_follows_it_gets_every_step_and_a_note_at_every_checkpoint(task: Task, tmp_path: Path) -> None:
    output, curves = StringIO(), dict[int, dict[str, float]]()

    class Terminal(TerminalWatcher):
        steps: tuple[int, ...] = ()

        def advance(self, done: int, total: int | None = None, note: str = "") -> None:
            self.steps += (done,)
            super().advance(done, total, note)

    watcher = Terminal(Console(file=output, width=200))
    state, title = tmp_path / "x.state", "pre-training of a stub"
    common: dict[str, Any] = {"watcher": watcher, "title": title, "log": curves.__setitem__}
    trained = pretrained(task, Guessing(), state, **common)
    assert watcher.steps == (1, 2, 3, 4, 5, 6)
    lines = [line.strip() for line in output.getvalue().splitlines()]
    assert [line.split(",")[0] for line in lines[:3]] == [f"{title}: step {step}" for step in (2, 4, 6)]
    assert all(" s left" in line for line in lines[:2])
    assert lines[3].startswith(f"{title}, ")
    assert len(lines) == 4
    assert list(curves) == [2, 4, 6]
    names = {"loss guess", "loss size", "learning rate", "clips per second", "waiting share"}
    assert all(set(scalars) == names for scalars in curves.values())
    assert curves[6]["clips per second"] == pytest.approx(trained.rate)
    assert curves[6]["waiting share"] == pytest.approx(trained.waiting)
    assert {name: curves[6][name] for name in trained.losses[-1][1]} == trained.losses[-1][1]

    state.unlink()
    with pytest.raises(OSError, match="the disk is gone"):
        pretrained(task, Guessing(), state, source=Recording(task, fails_at=4), **common)
    assert output.getvalue().splitlines()[-1].strip().startswith(f"{title}, "), "the piece is ended"
    assert pretrained(task, Guessing(), state, **common).resumed == 1
    assert watcher.steps[-2:] == (5, 6)
