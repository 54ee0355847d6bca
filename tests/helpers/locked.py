"""requirements.lock: every package with its version and the SHA-256 of each file of that version."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
ENTRY = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, tuple[str, set[str]]]:
    """Version and hashes of each package by its normalised name.

    Raises:
        ValueError: something in the file is neither a comment nor a package with a version and hashes.
    """
    text = "".join(line for line in LOCK.read_text("utf-8").splitlines(keepends=True) if not line.startswith("#"))
    rest = ENTRY.sub("", text)
    if rest:
        raise ValueError(f"{LOCK.name}: a package without version or hashes: {rest[:200]}")
    entries = [(normal(name), version, hashes) for name, version, hashes in ENTRY.findall(text)]
    if len({name for name, _, _ in entries}) != len(entries):
        raise ValueError(f"{LOCK.name}: a package stands there twice")
    return {name: (version, set(re.findall(r"sha256:(\w+)", hashes))) for name, version, hashes in entries}
