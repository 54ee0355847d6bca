"""``python -m tests.golden``: compare with the golden numbers; ``--accept`` makes them anew (``make golden``).

Runs in a process of its own with the plain instructions of the architecture; see ``tests/golden/plain_cpu.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.golden.comparison import changes
from tests.golden.entry import Entry
from tests.golden.plain_cpu import PLAIN, processor

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).parent / "golden.json"
PACKAGES = ("torch", "numpy", "scipy", "pandas", "av", "decord", "kornia", "timm")


def pinned() -> dict[str, str]:
    """Versions that numbers depend on, as constraints.txt names them."""
    lines = (line.partition("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines())
    versions = {name.strip().lower(): version.split(";")[0].strip() for name, _, version in lines if version}
    return {name: versions[name] for name in PACKAGES if name in versions}


def golden() -> tuple[dict[str, Any], list[Entry]]:
    """What the numbers were made with, and the numbers."""
    content = json.loads(FILE.read_text("utf-8"))
    return content["made_with"], [_entry(*each) for each in content["entries"]]


def found() -> list[Entry]:
    """The numbers of a run now, in a process with plain instructions."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.golden", "--into", folder]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | PLAIN, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the golden run failed:\n{done.stdout}{done.stderr}")
        entries = json.loads((Path(folder) / "found.json").read_text("utf-8"))
        return [_entry(*each) for each in entries]


def same_processor(made_with: dict[str, Any]) -> bool:
    """Whether bits must agree: elsewhere the libraries may have kernels that the variables do not choose."""
    return bool(made_with["processor"] == processor())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--accept", action="store_true", help="make the golden numbers anew")
    parser.add_argument("--into", type=Path, help="run in this process, and write what is found into a folder")
    options = parser.parse_args(arguments)
    if options.into is not None:
        from tests.golden import found as run  # torch, once the variables are set

        (options.into / "found.json").write_text(json.dumps(_lists(run.found(options.into))), "utf-8")
        return 0
    entries = found()
    if options.accept:
        told = changes(golden()[1], entries) if FILE.is_file() else ""
        rows = ",\n".join(json.dumps(each) for each in _lists(entries))
        origin = json.dumps({"processor": processor(), "versions": pinned()})
        FILE.write_text(f'{{"made_with": {origin},\n"entries": [\n{rows}\n]}}\n', "utf-8")
        print(told or "nothing changed")  # noqa: T201
        return 0
    made_with, known = golden()
    bits = same_processor(made_with)
    told = changes(known, entries, bits=bits)
    print(told or f"{len(entries)} golden numbers: {'all bits' if bits else 'to rounding'}")  # noqa: T201
    return 1 if told else 0


def _entry(stage: str, name: str, digest: str, values: Sequence[float] = ()) -> Entry:
    return Entry(stage, name, digest, tuple(values))


def _lists(entries: Sequence[Entry]) -> list[list[Any]]:
    return [list(asdict(each).values()) for each in entries]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
