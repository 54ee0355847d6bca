"""Files of every kind that is read are damaged, one after the other, and what becomes of them is counted."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from tests.damage.cases import Bench, drawn
from tests.damage.listing import SUBJECTS, preload
from tests.damage.runner import SECONDS
from tests.damage.table import markdown


def main() -> None:
    given = _arguments()
    subjects = [each for each in SUBJECTS if given.kind in each.kind]
    if not subjects:
        sys.exit(f"no kind {given.kind!r}; known: {', '.join(each.kind for each in SUBJECTS)}")
    preload()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failed, peak, slowest, started = 0, 0, 0.0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        bench = Bench(given.work or Path(folder), given.seconds)
        for case in drawn(subjects, given.count, given.seed):
            if given.mutation not in case.mutation:
                continue
            outcome, finished = bench.tried(case)
            counts[case.subject.kind][outcome.what] += 1
            peak, slowest = max(peak, finished.peak), max(slowest, finished.seconds)
            failed += outcome.failed
            if outcome.failed or given.verbose:
                _say(f"{case}: {outcome.what}: {outcome.detail}")
                if given.verbose and outcome.failed:
                    _say(finished.output[-3000:])
    total = sum(sum(each.values()) for each in counts.values())
    text = markdown(counts)
    _say(f"{text}\n{total} mutations, {failed} failures; the slowest took {slowest:.1f} s, the largest {peak >> 20} MB")
    _say(f"{time.monotonic() - started:.0f} s in all")
    if given.out:
        given.out.write_text(text, "utf-8")
    sys.exit(1 if failed else 0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="only kinds of files with this in their name")
    parser.add_argument("--mutation", default="", help="of those drawn, only mutations with this in their name")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that one file may take")
    parser.add_argument("--work", type=Path, help="an empty folder to work in, which is kept")
    parser.add_argument("--out", type=Path, help="write the table to this file")
    parser.add_argument("--verbose", action="store_true", help="show every outcome, and what failures print")
    return parser.parse_args()


if __name__ == "__main__":
    main()
