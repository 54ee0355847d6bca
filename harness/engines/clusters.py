"""The workers of a run: of this machine, of a Dask scheduler that is there already, or of a batch system."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import dask
import torch
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.security import Security

from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.signals import interrupts_kept_from_children

BATCH_SYSTEMS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
"""Engine -> class of dask-jobqueue."""
ENGINES = ("local", "dask", *BATCH_SYSTEMS)
SETTINGS = {"distributed.scheduler.allowed-failures": 0}  # the driver decides what is tried again
CERTIFICATES = "Name the scheduler's in Dask's configuration: distributed.comm.tls.ca-file, client.cert, client.key."
CORES_A_WORKER = 4  # of a CPU, where nothing else is asked for


@dataclass(frozen=True)
class ClusterOptions:
    """Which workers. An unknown engine, and engine "dask" without a scheduler, raise HarnessError.

    Attributes:
        engine: one of ``ENGINES``.
        jobs: how many workers, at most; None for one a GPU, or one for every four cores and at least two.
        scheduler: address of the Dask scheduler, for engine "dask".
        options: keyword arguments of the batch system's cluster, for all others.
        options_file: that they were read from.
        cache_bytes: size of the cache of frozen encoders' features in the run's folder; 0: none.
    """

    engine: str
    jobs: int | None = None
    scheduler: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    options_file: Path | None = None
    cache_bytes: int = 0

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise HarnessError(f"no engine {self.engine!r}.", remedy=f"Known: in-process, {', '.join(ENGINES)}.")
        if self.engine == "dask" and not self.scheduler:
            raise HarnessError("engine dask needs a scheduler.", remedy="Name it: --scheduler tcp://HOST:8786.")

    @property
    def count(self) -> int:
        """Workers, at most."""
        if self.jobs:
            return self.jobs
        return torch.cuda.device_count() or max(2, (os.cpu_count() or 1) // CORES_A_WORKER)


def read_options(path: Path | None) -> dict[str, Any]:
    """Options of a batch system's cluster out of a TOML file.

    Raises:
        HarnessError: it cannot be read.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HarnessError(f"cannot be read ({error}).", where=path, remedy="Write KEY = VALUE lines.") from error


@contextmanager
def open_client(wanted: ClusterOptions, keys: Path) -> Iterator[Client]:
    """A client of the cluster, which is closed at the end unless it was there before.

    Whoever reaches a scheduler can run code on its workers. One that is started here therefore speaks TLS alone, with a
    key that is made for this run and that client, scheduler and workers must have; so does one that was there before if
    Dask's configuration names its certificates.

    Args:
        wanted: the workers.
        keys: folder for the keys of a batch system's jobs, which they read; readable by its owner alone.

    Raises:
        HarnessError: a scheduler that does not answer, options that the cluster does not know, or a path that its jobs
            cannot be told.
    """
    dask.config.set(SETTINGS)
    if wanted.engine == "dask":
        try:
            client = Client(wanted.scheduler, timeout=10)
        except (OSError, ValueError) as error:
            raise HarnessError(
                f"no scheduler answers at {wanted.scheduler}.", remedy="Start one with `dask scheduler`."
            ) from error
        except TypeError as error:  # of Dask, where its configuration names no certificate
            raise HarnessError(f"no certificate for {wanted.scheduler}.", remedy=CERTIFICATES) from error
        with client:
            yield client
        return
    cluster = _local(wanted.count) if wanted.engine == "local" else _batch_system(wanted, keys)
    with cluster, Client(cluster) as client:
        if wanted.engine != "local":
            cluster.adapt(minimum_jobs=0, maximum_jobs=wanted.count, interval="1s", wait_count=30)
        yield client


def _local(count: int) -> SpecCluster:
    """One process a worker, each with a GPU of its own where there are any."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # the user's choice among those of the machine
    gpus = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    security = Security.temporary()
    here = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    workers = {}
    for number in range(count):
        environment = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if torch.cuda.device_count() else {}
        workers[number] = {"cls": Nanny, "options": {**here, "nthreads": 1, "memory_limit": 0, "env": environment}}
    scheduler = {"cls": Scheduler, "options": {**here, "dashboard": True, "dashboard_address": "127.0.0.1:0"}}
    resource_tracker.ensure_running()  # which is started with Ctrl-C let through
    with interrupts_kept_from_children():  # by the thread that starts workers, now and later
        return SpecCluster(workers, scheduler, security=security, silence_logs="ERROR")


def _batch_system(wanted: ClusterOptions, keys: Path) -> Any:
    """Each worker a job of its own."""
    import dask_jobqueue  # reads its own files when it is imported

    options = {"cores": 1, "processes": 1, "memory": "16GB", "security": True, **wanted.options}
    if options["security"] is False:  # which dask-jobqueue takes for an object with keys
        del options["security"]
    elif "shared_temp_directory" not in options:
        if shlex.quote(str(keys)) != str(keys):  # dask-jobqueue writes it into a script as it is
            raise HarnessError(
                f"the jobs cannot be told the path {str(keys)!r}, which has characters that a shell reads otherwise.",
                remedy="Name another folder by --out, or one for the keys by shared_temp_directory among the options.",
            )
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        options["shared_temp_directory"] = str(keys)
    try:
        return getattr(dask_jobqueue, BATCH_SYSTEMS[wanted.engine])(**options)
    except (TypeError, ValueError) as error:
        problem = str(error).partition(". ")[0]  # dask-jobqueue goes on with all its arguments
        remedy = f"The options are those of dask_jobqueue.{BATCH_SYSTEMS[wanted.engine]}."
        raise HarnessError(f"no cluster can be made: {problem}.", where=wanted.options_file, remedy=remedy) from error
