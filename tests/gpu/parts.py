"""The parts of `make gpu`, each a few commands with a time limit. What they find is in the folder ``out``."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.gpu.timed import Outcome, timed

LOG = "log.txt"
NARROWED = (
    *("--seeds", "1", "--suite", "test", "--modalities", "both"),
    *("--set", "warm_start.steps=150", "--set", "warm_start.validations=3"),
    *("--set", "end_to_end.steps=60", "--set", "end_to_end.validations=3", "--set", "end_to_end.search=[]"),
    *("--set", "pretraining.epochs=5", "--set", "pretraining.probes=0", "--set", "episodes=2000"),
)
"""Of `standard`, where there is less time than ``WHOLE``."""
WHOLE = 240.0  # minutes
SMALL = (
    *("--method", "protonet", "--method", "random", "--modalities", "sensors", "--seeds", "1", "--suite", "test"),
    *("--set", "warm_start.steps=4", "--set", "warm_start.validations=1", "--set", "frozen.steps=2"),
    *("--set", "frozen.validations=1", "--set", "frozen.search=[]", "--set", "episodes=40"),
    *("--set", "store.frames=6", "--set", "store.short_side=48", "--set", "ablation_episodes=0"),
)
"""Of `quick`, for a CPU."""


@dataclass(frozen=True)
class Place:
    """Where things are, and how large they may be.

    Attributes:
        out: what is carried home.
        work: the run with its weights, which stays; its store beside it.
        data: recordings, generated where there are none.
        split: of the data; None to recognise it.
        minutes: of the whole.
        changed: settings of the table.
    """

    out: Path
    work: Path
    data: Path
    split: str | None
    device: str
    small: bool
    minutes: float
    changed: tuple[str, ...] = ()

    @property
    def preset(self) -> str:
        """Whose speed is measured."""
        return "quick" if self.small else "full"

    def run(self, *command: str, limit: float, output: Path | None = None) -> Outcome:
        """A module of ours with its arguments; what it prints goes to the log."""
        return timed([sys.executable, "-m", *command], self.out / LOG, limit, output)


def agreement(place: Place, limit: float) -> Outcome:
    """``agreement.json``: differences between the device and the CPU."""
    file, small = str(place.out / "agreement.json"), ["--small"] * place.small
    return place.run("tests.gpu.agreement", place.device, file, *small, limit=limit)


def roofline(place: Place, limit: float) -> Outcome:
    """``roofline.json``: what was measured, beside the bounds."""
    measured = ("mmact_oneshot", "roofline", "--preset", place.preset, "--measure", "--device", place.device, "--json")
    return place.run(*measured, limit=limit, output=place.out / "roofline.json")


def switches(place: Place, limit: float) -> Outcome:
    """``switches.json``: rates with each switch off and on."""
    file, short = str(place.out / "switches.json"), ["eager", "0"] * place.small
    return place.run("tests.gpu.speed", place.device, place.preset, file, *short, limit=limit)


def table(place: Place, limit: float) -> Outcome:
    """``table/``: records and report of as much of the table as there is time for; the run itself continues later."""
    if not place.data.is_dir():
        made = place.run("mmact_oneshot", "data", "synthesize", str(place.data), limit=limit)
        if made.status != "done":
            return made
        limit -= made.seconds
    narrowed = SMALL if place.small else NARROWED if place.minutes < WHOLE else ()
    outcome = place.run(
        *("mmact_oneshot", "run", "--data", str(place.data), "--preset", "quick" if place.small else "standard"),
        *("--device", place.device, "--out", str(place.work / "run"), "--store", str(place.work / "store")),
        *(("--split", place.split) if place.split else ()),
        *narrowed,
        *(word for setting in place.changed for word in ("--set", setting)),
        limit=limit,
    )
    kept = place.out / "table"
    shutil.rmtree(kept, ignore_errors=True)
    if any((place.work / "run" / "records" / "evaluation").glob("*.json")):
        shutil.copytree(place.work / "run" / "records", kept / "records")
        place.run("mmact_oneshot", "report", str(kept), limit=60.0)
    return outcome


PARTS = {
    "agreement": (agreement, 0.30),
    "roofline": (roofline, 0.15),
    "switches": (switches, 0.20),
    "table": (table, 0.35),
}
"""Name -> what does it, and its share of the time; what one leaves is added to the next."""
