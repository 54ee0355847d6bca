"""Ctrl-C and SIGTERM, once, at moments of real runs: what is done is kept, nothing stays behind, the next goes on.

    python -m tests.interrupts

Prints how long each took to end. Needs Linux, which says what processes there are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder
from tests.cli.test_cli import SMALL
from tests.helpers.small_recordings import make_recordings, write_split

TABLE = [
    *SMALL, "pretraining.epochs=20", "pretraining.checkpoints=40", "pretraining.batch=8", "pretraining.picture=false",
    "warm_start.steps=60", "warm_start.validations=30", "ablation_episodes=0",
]  # fmt: skip
METHODS = ("mu_mae", "protonet")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
PATIENCE = 300  # seconds


class Runs:
    """Runs of one table, on sensors, into one folder."""

    def __init__(
        self, recordings: Path, split: Path, folder: Path, *engine: str, methods: tuple[str, ...] = METHODS
    ) -> None:
        self.out, self.store, self.log = folder / "out", folder / "store", folder / "run.log"
        sets = [part for each in TABLE for part in ("--set", each)]
        self.command = [
            sys.executable, "-m", "mmact_oneshot", "run", "--data", str(recordings), "--split", str(split),
            "--store", str(self.store), "--out", str(self.out), "--device", "cpu", "--modalities", "sensors",
            *(part for name in methods for part in ("--method", name)), *sets, *engine,
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """A run, with its workers in a group of processes of its own, as a terminal has it."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self.log.open("wb") as log:
            return subprocess.Popen(self.command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def ended(self, number: signal.Signals, moment: str, whole_group: bool = True) -> float:
        """Start, send a signal when there is a file of this pattern, and see how it ends; the seconds that it took.

        Args:
            whole_group: to the workers as well, as a terminal does; or to the run alone.
        """
        process, until = self.start(), time.monotonic() + PATIENCE
        while not list(self.out.parent.glob(moment)):
            assert process.poll() is None, f"{moment}: over before: {self.log.read_text()}"
            assert time.monotonic() < until, f"{moment}: never came: {self.log.read_text()}"
            time.sleep(0.005)
        sent = time.monotonic()
        (os.killpg if whole_group else os.kill)(process.pid, number)
        code, took = process.wait(PATIENCE), time.monotonic() - sent
        printed = self.log.read_text()
        assert code == CODES[number], printed
        assert printed.count("error:") == 1, printed
        assert f"{WORDS[number]}. What is done is kept" in printed
        assert "Traceback" not in printed
        assert living(process.pid) == []
        assert [path for path in self.out.parent.rglob("*.lock") if path.is_file()] == []
        return took

    @property
    def evaluations(self) -> int:
        """Suites that are scored."""
        return len(RecordFolder(self.out / "records").all(EvaluationRecord))

    def finished(self) -> str:
        """What a run prints that goes on to the end."""
        assert self.start().wait(PATIENCE) == 0, self.log.read_text()
        return self.log.read_text()


def living(group: int) -> list[str]:
    """Processes of a group that are still there, a moment after their first one has ended."""

    def found() -> list[str]:
        names = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = path.read_text().rpartition(") ")
            except OSError:
                continue
            state, _, its_group = rest.split()[:3]
            if int(its_group) == group and state != "Z":
                names.append(name)
        return names

    for _ in range(40):
        names = found()
        if not names:
            break
        time.sleep(0.05)
    return names


Moment = tuple[signal.Signals, str, bool]
IN_ONE_PROCESS: dict[str, Moment] = {
    "prepare, with its workers": (signal.SIGINT, "store/*/shards/*.tmp", True),
    "pre-training": (signal.SIGTERM, "out/pretraining/*.state", False),
    "training": (signal.SIGINT, "out/encoders/*.state", False),
    "scoring": (signal.SIGTERM, "out/records/test_access.jsonl", False),
    "report": (signal.SIGINT, "out/figures", False),
}
"""Moment of a run -> what is sent, which file shows that it has come, and whether to workers as well."""
WITH_WORKERS: dict[str, Moment] = {
    "pre-training, with its workers": (signal.SIGINT, "out/pretraining/*.state", True),
    "a later step, with its workers": (signal.SIGTERM, "out/locks/*.lock", True),
}


def main() -> None:
    """Every moment, in one process and then with two workers."""
    engines: tuple[tuple[dict[str, Moment], tuple[str, ...]], ...] = (
        (IN_ONE_PROCESS, ()),
        (WITH_WORKERS, ("--engine", "local", "--jobs", "2")),
    )
    sys.stdout.write("| moment | engine | signal | seconds to the end |\n|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as name:
        recordings, split = Path(name) / "recordings", Path(name) / "mine.toml"
        make_recordings(recordings)
        write_split(split, recordings)
        for moments, engine in engines:
            folder = Path(name) / "-".join(("run", *engine[1:2]))
            folder.mkdir()
            runs = Runs(recordings, split, folder, *engine)
            for moment, (number, file, whole_group) in moments.items():
                took = runs.ended(number, file, whole_group)
                where = engine[1] if engine else "in-process"
                sys.stdout.write(f"| {moment} | {where} | {number.name} | {took:.1f} |\n")
                sys.stdout.flush()
            runs.finished()
            assert runs.evaluations == 4


if __name__ == "__main__":
    main()
