"""`oneshot score`: predictions made outside the harness, with the same statistics as its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.records import RecordFolder
    from harness.report.load import Scored, Tested

MODALITIES = {"video": ("video",), "sensors": ("sensors",), "both": ("video", "sensors")}


def command(
    file: Annotated[Path, typer.Argument(help="A CSV or NPZ file of predictions.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--in", help="Folder of a run, which has the episodes; by default the one below ./runs."),
    ] = None,
    suite: Annotated[str, typer.Option("--suite", help="The suite that was predicted.")] = "test",
    name: Annotated[str, typer.Option("--name", help="Of the row; by default the file's.")] = "",
    modalities: Annotated[
        str, typer.Option("--modalities", help="What was seen, in training or test: video, sensors or both.")
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

    Whoever made the predictions answers for them. Each scoring is a look at the test suite, and is logged.

    Examples:

        oneshot episodes export test --in runs/quick --out episodes.csv

        oneshot score mine.csv --in runs/quick --suite test

        oneshot score mine-s0.npz --in runs/quick --name "Our method" --modalities both --seed 0 --source "arXiv
        2601.00001, commit abc1234" --note "trained on Kinetics" --record
    """
    from harness.cli.console import console
    from harness.cli.runs import only_run
    from harness.evaluation import external
    from harness.evaluation.predictions_file import read_predictions
    from harness.records import RecordFolder
    from harness.report import records_folder
    from harness.report.load import Scored, Tested

    sees = _modalities(modalities, record)
    if record:
        _require("--source", source, "who says so")
    records = RecordFolder(records_folder(only_run() if folder is None else folder))
    recorded, episodes = external.recorded_suite(records, suite)
    like = external.a_training(records, recorded)
    predictions = read_predictions(file, recorded, episodes, partial)
    claim = external.Claim(name or file.stem, sees, source or "not told", note, seed, transductive)
    training, evaluation = external.external_records(claim, recorded, episodes, predictions, like)
    if record:
        external.require_new(records, training, evaluation)
    external.log_look(records, evaluation)
    scored = Scored(training, evaluation, predictions.predicted == episodes.label, predictions.done, None)
    _show(scored, Tested(recorded, episodes), records, console)
    if predictions.incomplete:
        count = f"{predictions.incomplete:,} episode{'s' * (predictions.incomplete != 1)}"
        _say(console, f"Left out, since answered in part: {count}.", "yellow")
    if record:
        external.write(records, training, evaluation, predictions, episodes)
        written = records.path(type(evaluation), evaluation.id)
        _say(console, f"written: {written}; `oneshot report` shows the row, without a rank.")
    else:
        _say(console, "Not kept: --record keeps it among the run's records.", "dim")


def _modalities(given: str, needed: bool) -> tuple[str, ...]:
    from harness.runtime.errors import HarnessError, nearest

    if needed:
        _require("--modalities", given, "what was seen")
    if given and given not in MODALITIES:
        raise HarnessError(f"no modalities {given!r}.", remedy=nearest(given, MODALITIES))
    return MODALITIES[given or "both"]


def _require(option: str, given: str, what: str) -> None:
    from harness.runtime.errors import HarnessError

    if not given.strip():
        raise HarnessError(f"a record must tell {what}.", remedy=f"Add {option}.")


def _show(scored: Scored, tested: Tested, records: RecordFolder, console: Console) -> None:
    """This one row as a report has it, and what stands behind it."""
    from harness.cli.estimates import estimates
    from harness.report import words
    from harness.report.columns import accuracy, caption, data_warnings, title
    from harness.report.load import Loaded, Looks
    from harness.report.tables import build

    looks = Looks.of(records.looks.read())
    digest = tested.record.evaluation_digest
    (table,) = build(Loaded((scored.training,), (scored,), (), (), {digest: tested}, looks)).suites
    (row,) = table.rows
    for warning in data_warnings(table.data):
        _say(console, warning, "bold yellow")
    _say(console, f"{row.name}: made outside the harness ({scored.evaluation.external})", "bold")
    _say(console, title(table))
    _say(console, f"accuracy {accuracy(row)} % [95 %], {row.scored:,} of {row.episodes:,} episodes", "bold cyan")
    _say(console, "for this one set of answers: no interval here covers training again.")
    if row.inference.closed is not None:
        console.print(estimates(row.inference.closed, row.inference.analysis, row.decimals))
    metrics = row.metrics
    _say(
        console,
        f"Macro-F1 {words.percent(metrics.macro_f1, row.decimals)} %; the tenth of the episodes that went worst "
        f"{words.percent(metrics.worst_decile, 0)} %.",
    )
    shares = [(share, name) for share, name in zip(row.per_class, row.classes, strict=True) if share is not None]
    _say(console, "By class, %: " + ", ".join(f"{name} {words.percent(share, 0)}" for share, name in sorted(shares)))
    for what, groups in metrics.groups.items():
        told = ", ".join(f"{group.name} {words.percent(group.accuracy, 0)}" for group in groups)
        _say(console, f"By {what} of the query, %: {told}")
    for sentence in caption(table):
        _say(console, sentence, "dim")


def _say(console: Console, text: str, style: str = "") -> None:
    """Without markup: names may hold brackets."""
    from rich.text import Text

    console.print(Text(text, style))
