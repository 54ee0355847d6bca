"""Damage drawn from a seed: every kind of file with every mutation, in an order that the seed shuffles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from tests.damage.bytes_damage import Mutation
from tests.damage.folder_damage import FOLDER
from tests.damage.runner import Finished, Outcome, Reading, judge, run_limited
from tests.damage.subject import Subject


@dataclass(frozen=True)
class Case:
    """One file of a kind with one mutation, whose draws are those of ``seed``."""

    subject: Subject
    mutation: str
    seed: int

    def __str__(self) -> str:
        return f"{self.subject.kind}: {self.mutation} ({self.seed})"


def drawn(subjects: Sequence[Subject], count: int, seed: int) -> Iterator[Case]:
    """``count`` cases: all pairs of a kind and a mutation in a random order, and then again with other draws."""
    pairs = [(subject, mutation) for subject in subjects for mutation in subject.mutations]
    random = np.random.default_rng(seed)
    made = 0
    while made < count:
        for place in random.permutation(len(pairs)).tolist()[: count - made]:
            subject, mutation = pairs[place]
            yield Case(subject, mutation, seed * 1_000_000 + made)
            made += 1


class Bench:
    """Where cases are tried: good files of each kind, made once, and a place for the copy that is damaged."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self._undamaged: dict[str, Reading] = {}

    def undamaged(self, subject: Subject) -> Reading:
        """What is read of a good file."""
        if subject.kind not in self._undamaged:
            good = self._good(subject)
            good.mkdir(parents=True)
            subject.make(good)
            self._copy(subject)
            finished = self._run(subject)
            if finished.reading is None:
                raise AssertionError(f"a good file is not read: {subject.kind}: {finished.output}")
            self._undamaged[subject.kind] = finished.reading
        return self._undamaged[subject.kind]

    def tried(self, case: Case) -> tuple[Outcome, Finished]:
        """Damage a copy, read it, and judge what came of it."""
        subject = case.subject
        expected = self.undamaged(subject)
        place = self._copy(subject)
        random = np.random.default_rng(case.seed)
        files = sorted(place.glob(subject.file))
        file = files[int(random.integers(len(files)))]
        mutation = subject.mutations[case.mutation]
        if mutation in FOLDER:
            mutation(place / "data", file, random)
        else:
            file.write_bytes(cast(Mutation, mutation)(file.read_bytes(), random))
        finished = self._run(subject)
        return judge(expected, finished, (file.name, *subject.names), subject.raw), finished

    def _run(self, subject: Subject) -> Finished:
        return run_limited(lambda: subject.read(self._place), self.folder, self.seconds)

    def _good(self, subject: Subject) -> Path:
        return self.folder / "good" / subject.kind.replace("/", "-")

    @property
    def _place(self) -> Path:
        """The same for all: a reading may hold paths."""
        return self.folder / "case"

    def _copy(self, subject: Subject) -> Path:
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(self._good(subject), self._place, symlinks=True)
        return self._place
