"""Everything that a machine with one GPU is asked, within a time, into one folder and one archive of it."""

from __future__ import annotations

import argparse
import sys
import tarfile
import time
from pathlib import Path

from tests.gpu.installed import declare_version, lacking
from tests.gpu.parts import LOG, PARTS, Place
from tests.gpu.timed import GRACE

RESERVE = GRACE + 10.0  # seconds, for the end of the last part and the archive


def main() -> None:
    given = _arguments()
    started = time.monotonic()
    declare_version()
    lacks = lacking()
    for requirement in lacks:
        _say(f"not installed: {requirement}")
    import torch

    from tests.gpu.page import machine, noted, write_page

    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device here: --device cpu --small runs the same code on the CPU")
    place = Place(
        given.out, given.work, given.data, given.split, given.device, given.small, given.minutes, tuple(given.set)
    )
    given.out.mkdir(parents=True, exist_ok=True)
    wanted = {name: each for name, each in PARTS.items() if name in (given.part or PARTS)}
    if not given.part:
        (given.out / LOG).unlink(missing_ok=True)
    about, outcomes = machine(given.device), {}
    total = given.minutes * 60 - RESERVE
    until = started
    for name, (part, share) in wanted.items():
        until += share * total / sum(share for _, share in wanted.values())
        _say(f"{name}: at most {max(0.0, until - time.monotonic()):.0f} s")
        outcomes[name] = part(place, until - time.monotonic())
        _say(f"{name}: {outcomes[name].status} after {outcomes[name].seconds:.0f} s")
        page = write_page(given.out, about, noted(given.out, about, outcomes), lacks)
    archive = given.out.with_name(given.out.name + ".tar.gz")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(given.out, given.out.name)
    _say(f"{page}\n{archive}")
    if any(outcome.status.startswith("failed") for outcome in outcomes.values()):
        sys.exit(1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="small networks and a small table, for a CPU")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; repeatable, others are kept")
    parser.add_argument("--minutes", type=float, default=10.0, help="for everything")
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), help="folder that is filled and packed")
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), help="the run, its weights and its store")
    parser.add_argument("--data", type=Path, default=Path("data/embedded"), help="recordings; generated where none are")
    parser.add_argument("--split", help="of the recordings")
    parser.add_argument("--set", action="append", default=[], help="a setting of the table; repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    main()
