"""Runs from Python: do one, read one as data frames, compare rows. Reading needs no torch."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel

from mmact_oneshot.harness.records import RecordFolder, SearchRecord, StudyRecord, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.report import Report, read_report, records_folder, write_report
from mmact_oneshot.harness.report.results.compare_all import compare_selected
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.report.results.row_selectors import Scope, Selector, select
from mmact_oneshot.harness.report.writers.comparison_json import comparison_json
from mmact_oneshot.harness.report.writers.csv_files import csv_files
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

if TYPE_CHECKING:
    from mmact_oneshot.harness.runtime.progress import Watcher

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Run:
    """A finished run, or one that goes on; shares are 0..1.

    Attributes:
        folder: of its records and report.
    """

    folder: Path

    @cached_property
    def report(self) -> Report:
        """All results of the records, as plain objects."""
        return read_report(self.folder)

    @property
    def rows(self) -> pd.DataFrame:
        """A line for each row of each study on each suite: accuracy, interval, rank, metrics, cost, provenance."""
        return self._table("rows.csv")

    @property
    def pairs(self) -> pd.DataFrame:
        """A line for each pair of ranked rows: difference, intervals, p."""
        return self._table("pairs.csv")

    @property
    def classes(self) -> pd.DataFrame:
        """A line for each class of each row: accuracy on its queries."""
        return self._table("classes.csv")

    @property
    def records(self) -> dict[str, pd.DataFrame]:
        """Kind ("study", "training", "search", "suite") -> its records, a line each, as they were written."""
        folder = RecordFolder(records_folder(self.folder))
        found: dict[str, Iterable[BaseModel]] = {
            "study": folder.all(StudyRecord),
            "training": folder.all(TrainingRecord),
            "search": folder.all(SearchRecord),
            "suite": folder.all(SuiteRecord),
        }
        return {kind: pd.DataFrame([each.model_dump() for each in records]) for kind, records in found.items()}

    def predictions(self, row: str, suite: str = "test") -> pd.DataFrame:
        """A line for each query of each episode and seed.

        Args:
            row: as reports name it: "protonet, sensors".

        Returns:
            seed, episode, query; label and predicted, positions among the support classes (-1: not scored); correct;
            class and predicted_class, their names.

        Raises:
            HarnessError: no such row or suite, with the nearest right name.
        """
        found = self._row(row, suite).measured
        episodes, classes = found.suite.episodes, found.suite.record.classes
        count, queries = episodes.label.shape
        frames = []
        for scored in found.scored_by:
            frame = pd.DataFrame(
                {
                    "seed": scored.training.seed,
                    "episode": [number for number in range(count) for _ in range(queries)],
                    "query": list(range(queries)) * count,
                    "label": episodes.label.ravel(),
                    "predicted": scored.predicted.ravel(),
                    "correct": scored.correct.ravel(),
                }
            )
            drawn = episodes.drawn[frame["episode"]]
            lines = range(len(frame))
            frame["class"] = [classes[drawn[line, label]] for line, label in zip(lines, frame["label"], strict=True)]
            frame["predicted_class"] = [
                classes[drawn[line, place]] if place >= 0 else None
                for line, place in zip(lines, frame["predicted"], strict=True)
            ]
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def episodes(self, suite: str = "test") -> pd.DataFrame:
        """A line for each clip of each episode: role (support or query), position, shot or query, class, subject.

        Raises:
            HarnessError: no such suite, with the nearest right name.
        """
        names = [each.name for each in self.report.suites]
        if suite not in names:
            raise HarnessError(f"no suite {suite!r} was scored.", where=self.folder, remedy=nearest(suite, names))
        found = self.report.suites[names.index(suite)]
        lines: list[dict[str, Any]] = []
        for number, (support, query) in enumerate(zip(found.episodes.support, found.episodes.query, strict=True)):
            drawn, label = found.episodes.drawn[number], found.episodes.label[number]
            for position, clips in enumerate(support):
                lines += [
                    {"episode": number, "role": "support", "position": position, "place": shot, "clip": int(clip)}
                    for shot, clip in enumerate(clips)
                ]
            lines += [
                {"episode": number, "role": "query", "position": int(label[place]), "place": place, "clip": int(clip)}
                for place, clip in enumerate(query)
            ]
            for line in lines[-(support.size + query.size) :]:
                line["class"] = found.record.classes[drawn[line["position"]]]
                line["subject"] = found.record.subjects[found.episodes.subject[line["clip"]]]
        return pd.DataFrame(lines)

    def write_report(self) -> list[Path]:
        """Write all reports beside the records; the files written."""
        return write_report(self.folder)[1]

    def _table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(io.StringIO(csv_files(self.report)[name]))

    def _row(self, name: str, suite: str) -> Row:
        rows = {
            (results.suite.name, row.name): row
            for study in self.report.studies
            for results in study.suites
            for row in results.rows
        }
        if (suite, name) not in rows:
            suites = list(dict.fromkeys(each for each, _ in rows))
            if suite not in suites:
                raise HarnessError(f"no suite {suite!r} was scored.", where=self.folder, remedy=nearest(suite, suites))
            known = [row for each, row in rows if each == suite]
            raise HarnessError(f"no row {name!r} on {suite}.", where=self.folder, remedy=nearest(name, known))
        return rows[suite, name]


def open_run(folder: PathLike) -> Run:
    """A run that was done before.

    Raises:
        HarnessError: there are no records.
    """
    records_folder(Path(folder))
    return Run(Path(folder))


def run(
    data: PathLike,
    preset: str = "quick",
    *,
    out: PathLike | None = None,
    studies: Sequence[str] = (),
    methods: Sequence[str] = (),
    modalities: str | None = None,
    suites: Sequence[str] = (),
    seeds: int | None = None,
    settings: Mapping[str, Any] | None = None,
    layout: str | None = None,
    split: str | None = None,
    store: PathLike = "store",
    device: str = "auto",
    workers: int | None = None,
    unchecked: bool = False,
    time_limit: float | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Do a run, or what is left of it: as ``oneshot run``, with the same records and report.

    Args:
        data: folder of recordings, or a prepared store.
        preset: quick, standard, full, published, or a TOML file.
        out: folder of records and report; by default ``runs/PRESET-DATA``.
        studies: of the preset, or "all"; by default ``methods``.
        methods: names or .py files, with settings as in "trx:width=64"; by default those of the studies.
        modalities: "video", "sensors" or "both"; by default all.
        suites, seeds: instead of the preset's: names, and a number of seeds from 0.
        settings: dotted name -> value, in the place of the preset's: ``{"frozen.steps": 50}``.
        layout, split: by name or file, where they are not to be recognised.
        store: folder of prepared stores.
        device: auto, cpu or cuda.
        workers: processes that decode; by default one a core.
        unchecked: do not hold methods of files and packages to the contract; they get no rank.
        time_limit: minutes that each step of the run may take; by default as long as it takes.
        watcher: follows what goes on; by default nobody does.

    Raises:
        HarnessError: whatever is wrong with the data, the settings or a method. What is done is kept.
    """
    from mmact_oneshot.harness.benchmark.conformance.gate import require_conformance
    from mmact_oneshot.harness.benchmark.narrowing import Narrowing
    from mmact_oneshot.harness.benchmark.request import Request
    from mmact_oneshot.harness.benchmark.run import run_plan
    from mmact_oneshot.harness.benchmark.steps import pending_rows, pending_steps
    from mmact_oneshot.harness.config.overrides import as_override
    from mmact_oneshot.harness.runtime.progress import Silent

    request = Request(
        Path(data),
        preset,
        [as_override(name, value) for name, value in (settings or {}).items()],
        Narrowing(studies, methods, modalities, suites, seeds),
        None if out is None else Path(out),
        layout,
        split,
        Path(store),
        device,
        workers,
        unchecked,
        time_limit,
    )
    workspace, plan = request.opened(watcher or Silent())
    require_conformance(workspace, [step.job for step in pending_rows(workspace, plan)])
    run_plan(workspace, plan, pending_steps(workspace, plan))
    write_report(workspace.folder)
    return Run(workspace.folder)


def compare(
    first: str, second: str, *, folder: PathLike | None = None, study: str | None = None, suites: Sequence[str] = ()
) -> pd.DataFrame:
    """Two rows in pairs, on the same episodes and seeds: as ``oneshot compare``.

    Args:
        first, second: rows of ``folder``, as reports name them; without a folder each is "FOLDER:ROW".
        study, suites: only these; by default the first study that has the rows, and all suites that both have.

    Returns:
        A line a suite: suite, a, b, difference (A minus B, a share), low, high, p, seeds, episodes, and the finding in
        words.

    Raises:
        HarnessError: a row that is not there, or two that cannot be compared, and why.
    """
    one, two = (_selector(text, folder) for text in (first, second))
    found, _ = compare_selected(select(one, two, Scope(study, suites)), strict=True)
    content = [comparison_json(each, len(found)) for each in found]
    return pd.DataFrame(
        {
            "suite": each["suite"],
            "a": each["a"]["row"],
            "b": each["b"]["row"],
            "difference": each["difference"]["mean"],
            "low": each["difference"]["low"],
            "high": each["difference"]["high"],
            "p": each["difference"]["p"],
            "seeds": len(each["seeds"]),
            "episodes": each["episodes"],
            "finding": " ".join(each["sentences"]),
        }
        for each in content
    )


def _selector(text: str, folder: PathLike | None) -> Selector:
    if folder is not None:
        return Selector(Path(folder), text)
    place, colon, row = text.rpartition(":")
    if not colon:
        raise HarnessError(f"row {text!r} of no run.", remedy='Name its run: folder=..., or "FOLDER:ROW".')
    return Selector(Path(place), row.strip())
