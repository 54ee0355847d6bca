"""Whoever reaches a Dask scheduler could run code on its workers: one of a run answers to its own key alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from distributed.security import Security

from mmact_oneshot.harness.engines.clusters import ClusterOptions, open_client
from mmact_oneshot.harness.runtime.errors import HarnessError

ASK = """
import pathlib, sys
from mmact_oneshot.harness.engines.clusters import ClusterOptions, open_client
with open_client(ClusterOptions("dask", scheduler=sys.argv[1]), pathlib.Path(sys.argv[2])) as client:
    print(client.submit(sum, [1, 2]).result(timeout=60))
"""
pytestmark = pytest.mark.slow  # processes of their own


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with open_client(ClusterOptions("local", jobs=1), tmp_path_factory.mktemp("keys")) as client:
        yield client


def addresses(client: Client) -> list[str]:
    """Of the scheduler and of every worker."""
    known = client.scheduler_info()
    return [known["address"], *known["workers"]]


def test_the_run_itself_reaches_its_workers(workers: Client) -> None:
    workers.wait_for_workers(1, timeout=60)
    assert workers.submit(sum, [1, 2]).result(timeout=60) == 3
    assert all(address.startswith("tls://127.0.0.1:") for address in addresses(workers))


@pytest.mark.parametrize(("scheme", "security"), [("tcp", None), ("tls", Security.temporary())])
def test_nobody_else_does_without_a_key_or_with_another(
    workers: Client, scheme: str, security: Security | None
) -> None:
    workers.wait_for_workers(1, timeout=60)
    for address in addresses(workers):
        with pytest.raises(OSError, match=r"[Tt]imed out|certificate|handshake|reset by peer"):
            Client(address.replace("tls", scheme, 1), security=security, timeout=2)
    assert workers.submit(sum, [1, 2]).result(timeout=60) == 3, "they are there, and answer to the key"


def test_a_scheduler_of_the_users_is_reached_by_the_certificates_of_dasks_configuration(
    workers: Client, tmp_path: Path
) -> None:
    workers.wait_for_workers(1, timeout=60)
    scheduler = addresses(workers)[0]
    known = workers.security.get_tls_config_for_role("client")
    certificates = {}
    for field, name in {"ca_file": "CA_FILE", "cert": "CLIENT__CERT", "key": "CLIENT__KEY"}.items():
        path = tmp_path / f"{field}.pem"
        path.write_text(known[field])
        certificates[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] = str(path)
    assert asked(scheduler, tmp_path, certificates).stdout.strip() == "3"
    without = asked(scheduler, tmp_path, {})
    assert without.returncode
    assert f"no certificate for {scheduler}. Name the scheduler's in Dask's configuration" in without.stderr


def asked(scheduler: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a process of its own gets from the workers of a scheduler."""
    return subprocess.run(
        [sys.executable, "-c", ASK, scheduler, str(folder)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_job_of_a_batch_system_reads_a_key_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    keys = tmp_path / "keys"
    with open_client(ClusterOptions("slurm", jobs=1, options={"interface": "lo"}), keys) as client:
        script = client.cluster.job_script()
        assert client.scheduler_info()["address"].startswith("tls://")
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        files = list(keys.iterdir())
        assert len(files) == 3
        assert all(str(file) in script and stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        assert "PRIVATE KEY" not in script
    with open_client(ClusterOptions("slurm", jobs=1, options={"security": False, "interface": "lo"}), keys) as client:
        assert client.scheduler_info()["address"].startswith("tcp://")


def test_a_folder_that_a_job_script_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    options = ClusterOptions("slurm", jobs=1)
    with pytest.raises(HarnessError, match="shared_temp_directory"), open_client(options, tmp_path / "$(id) keys"):
        pass
    assert not list(tmp_path.iterdir())
