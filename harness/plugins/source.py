"""Digests of source files: what tells one version of a plugin from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path


def files_sha256(files: Iterable[Path], root: Path) -> str:
    """SHA-256 of some files and of their places below ``root``; of one file alone, of its bytes."""
    chosen = sorted(set(files))
    if len(chosen) == 1:
        return hashlib.sha256(chosen[0].read_bytes()).hexdigest()
    sha = hashlib.sha256()
    for file in chosen:
        sha.update(f"{file.relative_to(root).as_posix()}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return sha.hexdigest()


def installed_source(module: str) -> str:
    """SHA-256 of all Python files of the top-level package, or of the single module, that ``module`` belongs to."""
    spec = find_spec(module.partition(".")[0])
    assert spec is not None
    if spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        return files_sha256(root.rglob("*.py"), root)
    assert spec.origin is not None
    return files_sha256([Path(spec.origin)], Path(spec.origin).parent)
