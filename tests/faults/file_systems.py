"""File systems of a script's own: small ones, read-only ones, and a machine without ``/dev/shm``.

A script enters a user namespace and a mount namespace of its own once, with ``unshare``: no rights are needed, and
nobody else sees what it mounts.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ENTERED = "FAULTS_NAMESPACE"  # "own" in the process that unshare started, "none" where it cannot
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def enter_namespace(command: Sequence[str]) -> None:
    """Start a command again in namespaces of its own, in place of this process, unless it is there already."""
    if ENTERED in os.environ:
        return
    with suppress(OSError):
        possible = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
        if possible.returncode == 0:
            os.environ[ENTERED] = "own"
            os.execvp(UNSHARE[0], [*UNSHARE, *command])
    os.environ[ENTERED] = "none"


def can_mount() -> bool:
    return os.environ.get(ENTERED) == "own"


class NoMountError(Exception):
    """A file system could not be mounted, or not be unmounted."""


@contextmanager
def small(folder: Path, megabytes: float) -> Iterator[Path]:
    """An empty file system of a size, in a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k", "none"):
        yield folder


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder whose files cannot be written, by root neither."""
    with _mounted(folder, "--bind", str(folder)):
        _do("mount", "-o", "remount,bind,ro", str(folder))
        yield


@contextmanager
def without_shared_memory() -> Iterator[None]:
    """Devices without ``/dev/shm``."""
    kept, devices = Path("/mnt"), Path("/dev")
    with _mounted(kept, "-t", "tmpfs", "none"):
        for name in DEVICES:
            _bind(devices / name, kept / name)
        with _mounted(devices, "-t", "tmpfs", "none"):
            for name in DEVICES:
                _bind(kept / name, devices / name)
            yield


def fill(folder: Path, pages: int = 0) -> Path:
    """Leave some pages of 4096 bytes free on a file system; the file that fills it."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(1 << 16)):
            pass
    with ballast.open("ab", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(1 << 12)):
            pass
    size = ballast.stat().st_size
    os.truncate(ballast, max(0, size - size % 4096 - 4096 * pages))
    return ballast


def _bind(device: Path, place: Path) -> None:
    place.touch()
    _do("mount", "--bind", str(device), str(place))


@contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[None]:
    _do("mount", *arguments, str(folder))
    try:
        yield
    finally:
        _do("umount", "--lazy", str(folder))


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoMountError(f"{' '.join(command)}: {done.stderr.strip()}")
