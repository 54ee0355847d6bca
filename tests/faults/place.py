"""Where faults are tried: recordings, a store, and an undisturbed run with whose folder all others are compared."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.processes import Patch, Process, start, start_function
from tests.helpers.run_folders import accesses, files_of, lasting_files

SMALL = [
    "store.frames=4", "store.short_side=24", "store.sensor_grid=32", "input.frames=4", "input.size=16",
    "input.sensor_length=32", "sensor_encoder.width=8", "transformer.patch=4",
    "warm_start.steps=6", "warm_start.validations=3", "warm_start.episodes_per_step=1", "warm_start.queries=1",
    "frozen.steps=6", "frozen.validations=3", "frozen.episodes_per_step=1", "frozen.queries=1",
    "frozen.search=[0.003,0.01]", "pretraining.epochs=1", "pretraining.checkpoints=1", "pretraining.batch=8",
    "episodes=20", "seeds=[0]",
]  # fmt: skip
ROWS = ["--method", "protonet", "--method", "random", "--modalities", "sensors"]
PRETRAINED = ["--method", "mu_mae", "--modalities", "sensors"]


@dataclass(frozen=True)
class Place:
    """A folder in which everything is.

    Attributes:
        folder: of it all.
        seconds: what each undisturbed command takes: "run", "prepare" and "report".
    """

    folder: Path
    seconds: dict[str, float]

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def undisturbed(self) -> Path:
        return self.folder / "undisturbed"

    @property
    def reported(self) -> Path:
        """A copy of the undisturbed run's records, with their report."""
        return self.folder / "reported"

    @property
    def pretrained(self) -> Path:
        """An undisturbed run with a pre-training; it is made by whoever asks first, and takes longer."""
        out = self.folder / "pretrained"
        if not out.exists():
            process = self.run(out, rows=PRETRAINED)
            assert process.wait() == 0, process.printed
        return out

    @property
    def temporary(self) -> Path:
        """Where processes put temporary files."""
        return self.folder / "tmp"

    def new(self, name: str) -> Path:
        """An empty folder."""
        place = self.folder / "trials" / name.replace(" ", "-")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def run(
        self,
        out: Path,
        *more: object,
        store: Path | None = None,
        patch: Patch | None = None,
        rows: Sequence[str] = ROWS,
    ) -> Process:
        """``oneshot run`` into a folder."""
        arguments = [
            "run", "--data", self.recordings, "--split", self.folder / "split.toml", "--store", store or self.store,
            "--out", out, "--device", "cpu", *rows, *_sets(SMALL), *more,
        ]  # fmt: skip
        return self._start(arguments, patch)

    def prepare(self, store: Path, patch: Patch | None = None) -> Process:
        """``oneshot data prepare`` into a folder of stores."""
        arguments = ["data", "prepare", self.recordings, "--store", store, "--workers", 2, *_sets(SMALL)]
        return self._start(arguments, patch)

    def report(self, out: Path, *more: object, patch: Patch | None = None) -> Process:
        """``oneshot report`` on a folder of a run."""
        return self._start(["report", out, *more], patch)

    def _start(self, arguments: Sequence[object], patch: Patch | None) -> Process:
        logs = self.folder / "logs"
        number = sum(1 for _ in logs.glob("*")) if logs.is_dir() else 0
        return start(arguments, logs / f"{number:04d}.log", self.temporary, patch)

    def lost_in_run(
        self, out: Path, repeated: Counter[tuple[str, str]] | None = None, undisturbed: Path | None = None
    ) -> list[str]:
        """What a run's folder lacks, has otherwise or has too much, beside an undisturbed one.

        Args:
            repeated: accesses to test suites that were cut off and are in the log once more.
            undisturbed: the run with the same rows, where it is another one.
        """
        undisturbed = undisturbed or self.undisturbed
        wrong = changed(lasting_files(undisturbed), lasting_files(out))
        wrong += _beside(_names(undisturbed), _names(out))
        expected = accesses(undisturbed) + (repeated or Counter())
        if accesses(out) != expected:
            wrong.append(f"the log has {accesses(out) - expected} too much and lacks {expected - accesses(out)}")
        return wrong + self.strewn()

    def lost_in_store(self, store: Path) -> list[str]:
        """The same of a folder of stores, byte for byte."""
        return _differences(self.store, store) + self.strewn()

    def lost_in_report(self, out: Path) -> list[str]:
        """The same of a report beside a copy of the undisturbed run's records, byte for byte."""
        return _differences(self.reported, out) + self.strewn()

    def strewn(self) -> list[str]:
        """Temporary files that processes have left."""
        left = [str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*")]
        shutil.rmtree(self.temporary, ignore_errors=True)
        return [f"{name} was left among temporary files" for name in left]


def make_place(folder: Path) -> Place:
    """Recordings, a store and an undisturbed run; with what each command took."""
    from tests.helpers.small_recordings import make_recordings, write_split

    place = Place(folder, {})

    def make() -> None:
        make_recordings(place.recordings)
        write_split(folder / "split.toml", place.recordings)

    making = start_function(make, folder / "made.log", place.temporary)
    assert making.wait() == 0, making.printed
    for name, begin in (
        ("prepare", lambda: place.prepare(place.store)),
        ("run", lambda: place.run(place.undisturbed)),
        ("report", lambda: place.report(place.reported)),
    ):
        if name == "report":
            shutil.copytree(place.undisturbed / "records", place.reported / "records")
        process = begin()
        assert process.wait() == 0, process.printed
        place.seconds[name] = time.monotonic() - process.started
    assert not place.strewn()
    return place


def _sets(settings: Sequence[str]) -> list[str]:
    return [part for each in settings for part in ("--set", each)]


def _names(out: Path) -> set[str]:
    """Files of a run but for learning curves, whose names have the hour."""
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and "tensorboard" not in path.parts}


def changed(whole: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Files that both have, with another content."""
    return [f"{name} is not as undisturbed" for name in whole if name in found and whole[name] != found[name]]


def _beside(whole: set[str], found: set[str]) -> list[str]:
    lacking = [f"{name} is missing" for name in sorted(whole - found)]
    return lacking + [f"{name} was left" for name in sorted(found - whole)]


def _differences(whole: Path, found: Path) -> list[str]:
    one, other = files_of(whole), files_of(found)
    return changed(one, other) + _beside(set(one), set(other))
