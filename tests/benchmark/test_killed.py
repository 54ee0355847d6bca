"""A run that is killed, at any moment, and started again ends with what an uninterrupted run ends with.

The run happens in processes that kill themselves (SIGKILL: nothing is flushed, no ``finally`` runs) before each file is
put in its place, with the file half written; before each file is removed; in the middle of a line of the log; and
between two validations of every training. Each such moment comes once; the next process goes on from there.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.records import RecordFolder
from mmact_oneshot.harness.records.access import AccessLog
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent, Watcher
from tests.helpers.toy_runs import lasting, run, task_with, workspace
from tests.helpers.toys import toy_settings

pytestmark = pytest.mark.slow  # some fifty processes

ROWS = [
    {"method": "mu_mae", "modalities": ["video", "sensors"]},
    {"method": "protonet", "modalities": ["sensors"], "training": "end_to_end"},
]
SUITES = ["test", "test-cross-subject"]
STEP = 3  # of 6; there are validations, or checkpoints, at 2, 4 and 6


def run_all(out: Path, watcher: Watcher | None = None) -> None:
    torch.set_num_threads(1)
    budget = toy_settings().frozen.model_dump() | {"search": [0.003, 0.02]}
    task = task_with(ROWS, suites=SUITES, frozen=budget, ablate="modalities")
    run(workspace(out, task, watcher))


class Killer(Silent):
    """Kills its own process at moments that no process before it was killed at.

    Args:
        out: the folder of the run.
        moments: file with the moments that are over, one a line.
    """

    def __init__(self, out: Path, moments: Path) -> None:
        self.out, self.moments, self.title = out, moments, ""
        self.over = set(moments.read_text().splitlines()) if moments.is_file() else set()

    def at(self, moment: str, leave: Callable[[], object] = lambda: None) -> None:
        """Die, unless some process did so at this moment; ``leave`` is the last that is done."""
        if moment not in self.over:
            with self.moments.open("a") as stream:
                stream.write(f"{moment}\n")
            leave()
            os.kill(os.getpid(), signal.SIGKILL)

    def begin(self, title: str, total: int | None) -> None:
        self.title = title

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        if done >= STEP and "features" not in self.title:
            self.at(f"step of {self.title}")

    def install(self) -> None:
        """Come between the run and its files."""
        replace, unlink, append = os.replace, os.unlink, AccessLog.append

        def inside(path: Any) -> str:
            if not Path(path).is_relative_to(self.out):
                return ""
            name = os.path.relpath(path, self.out)
            return "a lease" if ".lock" in name else name  # those that died leave one each, under names of its own

        def replacing(source: Any, target: Any, **options: Any) -> None:
            if name := inside(target):
                self.at(f"replace {name}", lambda: os.truncate(source, Path(source).stat().st_size // 2))
            replace(source, target, **options)

        def unlinking(path: Any, **options: Any) -> None:
            if (name := inside(path)) and Path(path).exists():
                self.at(f"unlink {name}")
            unlink(path, **options)

        def appending(log: AccessLog, entry: dict[str, Any]) -> None:
            def half() -> None:
                log.path.parent.mkdir(parents=True, exist_ok=True)
                with log.path.open("ab") as stream:
                    stream.write(json.dumps(entry, sort_keys=True).encode()[:40])

            self.at(f"log {entry['training']} {entry['suite']}", half)
            append(log, entry)

        os.replace, os.unlink, AccessLog.append = replacing, unlinking, appending  # type: ignore


def uninterrupted(out: Path) -> None:
    run_all(out)


def killed(out: Path, moments: Path) -> None:
    killer = Killer(out, moments)
    killer.install()
    run_all(out, killer)


def started(target: Callable[..., None], *arguments: Path) -> int:
    """Exit code of a function in a process of its own, which begins with the libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.helpers.preloaded", __name__])
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join(timeout=120)
    assert process.exitcode is not None
    return process.exitcode


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted")
    assert started(uninterrupted, out) == 0
    return out


def files(out: Path, pattern: str) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.glob(pattern)}


def test_a_run_that_is_killed_at_every_moment_ends_as_if_it_had_not_been(done: Path, tmp_path: Path) -> None:
    out, moments = tmp_path / "run", tmp_path / "moments"
    log = RecordFolder(out / "records").test_accesses
    accesses: list[dict[str, Any]] = []
    while (code := started(killed, out, moments)) == -signal.SIGKILL:
        before, accesses = accesses, log.read() or []
        assert accesses[: len(before)] == before, "no test access is lost"
        with suppress(HarnessError):  # what is there can be read, or what is missing is named
            read_report(out)
    assert code == 0

    over = moments.read_text().splitlines()
    kinds = {moment.split(" ")[0] for moment in over}
    assert kinds == {"replace", "unlink", "log", "step"}
    for kind in ("suite", "search", "training", "predictions", "evaluation", "pretraining", "study"):
        assert any(moment.startswith(f"replace records/{kind}/") for moment in over), kind
    assert sum(moment.startswith("step") for moment in over) == 6, (
        "two warm starts, a pre-training, two trials and a row"
    )

    assert lasting(out) == lasting(done)
    for pattern in ("records/*/*.npz", "records/*/*.png", "checkpoints/*"):
        assert files(out, pattern) == files(done, pattern)
    assert not list(out.rglob("*.tmp"))
    assert {path.name for path in (out / "encoders").iterdir()} == {path.name for path in (done / "encoders").iterdir()}

    accesses = log.read() or []
    once = [(each["training"], each["suite"]) for each in RecordFolder(done / "records").test_accesses.read() or ()]
    assert list(dict.fromkeys((each["training"], each["suite"]) for each in accesses)) == once
    assert len(accesses) > len(once), "an access that was cut off stays in the log, and so does its repetition"
