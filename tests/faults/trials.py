"""What is tried, and what is wrong afterwards: nothing, where it was survived."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.faults.file_systems import NoMountError
from tests.faults.place import Place
from tests.faults.processes import Process
from tests.helpers.run_folders import accesses

Trial = tuple[str, list[str]]
"""What was done, and each thing that is wrong after it."""
Trials = Generator[Trial, None, None]


@dataclass
class Outcome:
    """Of one kind of fault.

    Attributes:
        wrong: trial -> what is wrong after it; those that were survived are not in it.
        impossible: why this machine cannot try it.
    """

    tried: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    impossible: str = ""

    @property
    def survived(self) -> int:
        return self.tried - len(self.wrong)


def outcome_of(trials: Callable[[Place, int], Trials], place: Place, count: int, most: int | None = None) -> Outcome:
    """Do the trials of a kind, or the first few. One that cannot go on, such as a process that hangs, is not survived
    and the last of its kind."""
    found, started = Outcome(), time.monotonic()
    with closing(trials(place, count)) as running:
        try:
            for name, wrong in islice(running, most):
                found.tried += 1
                if wrong:
                    found.wrong[f"{found.tried}: {name}"] = wrong
        except (OSError, AssertionError, NoMountError) as error:
            if isinstance(error, NoMountError) and not found.tried:
                found.impossible = str(error)
            else:
                found.tried += 1
                text = f"{type(error).__name__}: {error}"
                found.wrong[f"{found.tried}: could not be ended, and none after it was tried"] = [text]
    found.seconds = time.monotonic() - started
    return found


def refusal(process: Process, *phrases: str, code: int = 2) -> list[str]:
    """What is wrong with how a process gave up: it should do so with one line that has these phrases."""
    ended, printed = process.wait(), process.printed
    if "Traceback" in printed:
        return [f"a traceback: {printed.strip().splitlines()[-1]}"]
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    if ended != code or len(errors) != 1:
        return [f"exit code {ended} and {len(errors)} lines of error: {printed[-300:]!r}"]
    return [f"{phrase!r} is not in {errors[0]!r}" for phrase in phrases if phrase.lower() not in errors[0].lower()]


def success(process: Process) -> list[str]:
    """What is wrong with how a process ended that should have done its work."""
    ended = process.wait()
    return [] if ended == 0 else [f"exit code {ended}: {process.printed.strip()[-300:]!r}"]


def cut_off(out: Path) -> Counter[tuple[str, str]]:
    """Accesses that are logged and have no record: they happen, and are logged, once more."""
    evaluations = map(json.loads, map(Path.read_bytes, (out / "records" / "evaluation").glob("*.json")))
    recorded = {(each["training"], each["suite"]) for each in evaluations}
    return Counter({access: count for access, count in accesses(out).items() if access not in recorded})
