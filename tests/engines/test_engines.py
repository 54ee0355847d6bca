"""A table through workers ends with the records of an undisturbed run in one process, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import SoftFileLease

from mmact_oneshot.harness.engines.clusters import ENGINES
from mmact_oneshot.harness.runtime.lease import DURATION
from tests.cli.test_cli import SMALL, oneshot, refused
from tests.engines.one_node_slurm import can_start, one_node_slurm
from tests.helpers.run_folders import records_of

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

TABLE = [
    *SMALL, "frozen.search=[0.003,0.01]", "pretraining.epochs=16", "pretraining.checkpoints=16", "pretraining.batch=8",
    "warm_start.steps=40", "warm_start.validations=20", "ablate=modalities", "pretraining.picture=false",
]  # fmt: skip
ROWS = ["--method", "mu_mae", "--method", "protonet", "--method", "random", "--modalities", "sensors"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
PATIENCE = 900  # seconds, on a machine that does much else beside


class Place:
    """Where the tests run: recordings, a store that is prepared once, and the records of the undisturbed run."""

    def __init__(self, recordings: Path, split: Path, folder: Path) -> None:
        self.recordings, self.split, self.folder = recordings, split, folder
        self.undisturbed = folder / "undisturbed"
        done = self.start(self.undisturbed).wait(PATIENCE)
        assert done == 0, (folder / "undisturbed.log").read_text()

    def start(self, out: Path, *engine: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """`oneshot run` in a process of its own; what it prints goes to a file beside ``out``."""
        command = [sys.executable, "-m", "mmact_oneshot", *self.arguments(out, *engine)]
        with out.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env={**(environment or os.environ), **ONE_THREAD}
            )  # fmt: skip

    def arguments(self, out: Path, *engine: str) -> list[str]:
        """Of the command line."""
        sets = [part for each in TABLE for part in ("--set", each)]
        found = [
            "run", "--data", self.recordings, "--split", self.split, "--store", self.folder / "store", "--out", out,
            "--device", "cpu", *ROWS, *sets, *engine,
        ]  # fmt: skip
        return [str(part) for part in found]


@pytest.fixture(scope="module")
def place(recordings: Path, split_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(recordings, split_file, tmp_path_factory.mktemp("engines"))


def a_worker_in_a_training(out: Path, process: subprocess.Popen[bytes], kind: str = "*") -> int:
    """The living process that holds the lease of a training that has kept a state, once there is one.

    Args:
        kind: folder of the training's weights.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        for state in out.glob(f"{kind}/*.state"):
            for lock in out.glob(f"locks/*{state.stem}.lock"):
                owner = SoftFileLease(lock, lease_duration=DURATION).owner
                if owner is not None and Path(f"/proc/{owner.pid}").exists():
                    return owner.pid
        time.sleep(0.02)
    raise AssertionError(f"no training was met in its middle: {out.with_suffix('.log').read_text()}")


def awaited(out: Path, process: subprocess.Popen[bytes], line: str) -> None:
    """Wait until a run has printed something."""
    until = time.monotonic() + PATIENCE
    while line not in out.with_suffix(".log").read_text():
        assert time.monotonic() < until
        assert process.poll() is None, out.with_suffix(".log").read_text()
        time.sleep(0.02)


def finished(process: subprocess.Popen[bytes], out: Path) -> str:
    """What the process printed, once it has ended well."""
    code = process.wait(PATIENCE)
    printed = out.with_suffix(".log").read_text()
    assert code == 0, printed
    return printed


def resumed(out: Path) -> int:
    """How often the pre-training of a run went on from a kept state, until it was done."""
    notes = [json.loads(path.read_text())["volatile"] for path in (out / "records" / "pretraining").glob("*.json")]
    return sum(note["resumed"] for note in notes)


def test_a_local_cluster_whose_worker_is_killed_and_then_its_driver(place: Place) -> None:
    out, engine = place.folder / "local", ("--engine", "local", "--jobs", "2")
    process = place.start(out, *engine)
    os.kill(a_worker_in_a_training(out, process, "pretraining"), signal.SIGKILL)
    awaited(out, process, "a worker died; it is done again from its last state")
    process.kill()
    process.wait()
    finished(place.start(out, *engine), out)
    assert records_of(out) == records_of(place.undisturbed)
    assert resumed(out) > 0
    assert not list((out / "locks").iterdir())
    assert list((out / "features").glob("*.safetensors"))


def test_two_processes_in_one_folder(place: Place) -> None:
    out = place.folder / "two"
    processes = [place.start(out), place.start(out)]
    printed = [finished(process, out) for process in processes][-1]
    assert "is being done by process" in printed
    assert records_of(out) == records_of(place.undisturbed)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if not can_start():
        pytest.skip("no Slurm here, or not root: apt-get install slurm-wlm munge")
    with one_node_slurm(tmp_path_factory.mktemp("slurm") / "node") as environment:
        yield environment


def cancel(process_id: int, environment: dict[str, str]) -> None:
    """Cancel the Slurm job in which a process runs."""
    told = Path(f"/proc/{process_id}/environ").read_bytes().split(b"\0")
    job = next(line.partition(b"=")[2].decode() for line in told if line.startswith(b"SLURM_JOB_ID="))
    subprocess.run(["scancel", job], env=environment, check=True)


def test_slurm_whose_worker_is_killed_and_then_its_job(place: Place, slurm: dict[str, str]) -> None:
    out, options = place.folder / "slurm", place.folder / "slurm.toml"
    options.write_text(f'memory = "1500MB"\nwalltime = "00:20:00"\nlog_directory = "{place.folder}/slurm-logs"\n')
    engine = ("--engine", "slurm", "--jobs", "2", "--cluster-options", str(options))
    process = place.start(out, *engine, environment=slurm)
    os.kill(a_worker_in_a_training(out, process), signal.SIGKILL)
    awaited(out, process, "a worker died")
    cancel(a_worker_in_a_training(out, process), slurm)
    assert finished(process, out).count("a worker died; it is done again from its last state") >= 2
    assert records_of(out) == records_of(place.undisturbed)
    left = subprocess.run(["squeue", "-h", "-t", "R,PD"], env=slurm, capture_output=True, text=True, check=True)
    assert left.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "slrm"], f"Known: in-process, {', '.join(ENGINES)}"),
        (["--engine", "dask"], "--scheduler tcp://HOST:8786"),
        (["--engine", "slurm", "--cluster-options", "missing.toml"], "missing.toml"),
    ],
)
def test_what_is_wrong_with_an_engine_is_said_first(arguments: list[str], message: str) -> None:
    assert message in refused(oneshot("run", "--data", "anywhere", *arguments))


def test_workers_elsewhere_need_a_scheduler_options_that_are_known_and_a_precision(place: Place) -> None:
    elsewhere = place.arguments(place.folder / "elsewhere", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:9")
    assert "no scheduler answers at tcp://127.0.0.1:9" in refused(oneshot(*elsewhere))
    options = place.folder / "wrong.toml"
    options.write_text('memry = "1GB"\n')
    slurm = place.arguments(place.folder / "elsewhere", "--engine", "slurm", "--cluster-options", str(options))
    told = refused(oneshot(*slurm))
    assert "wrong.toml: no cluster can be made" in told
    assert "'memry'" in told
    elsewhere[elsewhere.index("--device") + 1] = "auto"
    assert "--set precision=bfloat16" in refused(oneshot(*elsewhere))
