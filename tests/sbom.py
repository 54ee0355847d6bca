"""Compares a CycloneDX list of components with requirements.lock: ``python -m tests.sbom sbom.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.helpers.locked import locked, normal


def differences(path: Path) -> list[str]:
    """Packages whose version or hashes differ, or that only one of the two files has."""
    components = json.loads(path.read_text("utf-8"))["components"]
    listed: dict[str, tuple[str, set[str]]] = {}
    for each in components:
        hashes = {
            one["content"]
            for reference in each.get("externalReferences", [])
            for one in reference.get("hashes", [])
            if one["alg"] == "SHA-256"
        }
        listed[normal(each["name"])] = (each["version"], hashes)
    wanted = locked()
    return sorted(name for name in wanted.keys() | listed.keys() if wanted.get(name) != listed.get(name))


def main() -> None:
    wrong = differences(Path(sys.argv[1]))
    if wrong:
        sys.exit(f"{sys.argv[1]} and requirements.lock differ in: {', '.join(wrong)}")
    print(f"{len(locked())} packages, each with its version and hashes")  # noqa: T201


if __name__ == "__main__":
    main()
