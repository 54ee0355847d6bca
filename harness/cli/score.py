"""`oneshot score`: predictions made outside the harness, with the same statistics as its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODALITIES = {"video": ("video",), "sensors": ("sensors",), "both": ("video", "sensors")}


def command(
    file: Annotated[Path, typer.Argument(help="A CSV or NPZ file of predictions.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--in", help="Folder of a run, which has the episodes; by default the latest below ./runs."),
    ] = None,
    suite: Annotated[str, typer.Option("--suite", help="The suite that was predicted.")] = "test",
    name: Annotated[str, typer.Option("--name", help="Of the row; by default the file's.")] = "",
    modalities: Annotated[
        str, typer.Option("--modalities", help="What was used, in training or test: video, sensors or both.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Number of the training; score one file for each.")] = 0,
    source: Annotated[str, typer.Option("--source", help="Who says so: paper, repository and commit.")] = "",
    note: Annotated[str, typer.Option("--note", help="What a reader must know: other training data, say.")] = "",
    transductive: Annotated[
        bool, typer.Option("--transductive", help="Scores of a query may depend on the other queries.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Answers may be missing; their episodes are not scored.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep it in the run's records, as a row that is shown and not ranked.")
    ] = False,
) -> None:
    """Score predictions made elsewhere on the episodes of a run: accuracy with all intervals, by class and by subject.

    A CSV has the columns episode and query, both counted from 0, and either predicted, the position of the answer
    among the support classes (0 to way - 1), or predicted_class, its name. An NPZ has an integer array predicted of
    shape (episodes, queries). `oneshot episodes export` writes the episodes: which clips support which position, and
    which clip each query is. No recordings and no torch are needed to score.

    Whoever made the predictions answers for them. Each scoring is a test access, and is logged.

    Examples:

        oneshot episodes export test --in runs/quick-embedded --out episodes.csv

        oneshot score mine.csv --in runs/quick-embedded --suite test

        oneshot score mine-s0.npz --in runs/quick-embedded --name "Our method" --modalities both --seed 0
        --source "arXiv 2601.00001, commit abc1234" --note "trained on Kinetics" --record
    """
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.cli.runs import latest_run
    from mmact_oneshot.harness.evaluation import external
    from mmact_oneshot.harness.evaluation.predictions_file import read_predictions
    from mmact_oneshot.harness.records import RecordFolder
    from mmact_oneshot.harness.report import records_folder
    from mmact_oneshot.harness.report.model.external_score import score_blocks
    from mmact_oneshot.harness.report.results.single_evaluation import measured_single
    from mmact_oneshot.harness.report.writers.terminal import say, show_blocks

    used = _modalities(modalities, record)
    if record:
        _require("--source", source, "who says so")
    records = RecordFolder(records_folder(latest_run() if folder is None else folder))
    suite_record, episodes = external.recorded_suite(records, suite)
    like = external.a_training(records, suite_record)
    predictions = read_predictions(file, suite_record, episodes, partial)
    claim = external.Claim(name or file.stem, used, source or "nobody named", note, seed, transductive)
    training, evaluation = external.external_records(claim, suite_record, episodes, predictions, like)
    if record:
        external.require_new(records, training, evaluation)
    external.log_access(records, evaluation)
    measured = measured_single(training, evaluation, predictions.predicted, suite_record, episodes)
    show_blocks(score_blocks(measured, predictions.incomplete), console)
    if record:
        external.write(records, training, evaluation, predictions, episodes)
        written = records.path(type(evaluation), evaluation.id)
        say(console, f"written: {written}; `oneshot report` shows the row, without a rank.")
    else:
        say(console, "Not kept: --record keeps it among the run's records.", "dim")


def _modalities(value: str, needed: bool) -> tuple[str, ...]:
    from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

    if needed:
        _require("--modalities", value, "which modalities were used")
    if value and value not in MODALITIES:
        raise HarnessError(f"no modalities {value!r}.", remedy=nearest(value, MODALITIES))
    return MODALITIES[value or "both"]


def _require(option: str, value: str, what: str) -> None:
    from mmact_oneshot.harness.runtime.errors import HarnessError

    if not value.strip():
        raise HarnessError(f"a record must say {what}.", remedy=f"Add {option}.")
