"""What runs leave and what is scored: records, predictions, episodes, the log of test accesses, answers of others."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np

from tests.damage import array_damage, text_damage
from tests.damage.runner import Reading
from tests.damage.subject import Subject, digest_of, guarded, oneshot

EPISODES = 40


def make_run(folder: Path) -> None:
    """A row of two seeds and one that begins from a pre-training, on one suite, with all kinds of records."""
    from mmact_oneshot.harness.records import RecordFolder, SearchRecord
    from tests.helpers.small_runs import add, add_pretraining, add_skipped, answers, shares

    records = folder / "run/records"
    for seed in range(2):
        add(records, "good", seed, answers(shares(0.8, seed, EPISODES)))
    add(records, "begun", 0, answers(shares(0.6, 9, EPISODES)), pretrained="mu_mae")
    add_skipped(records, "can", "needs a map")
    add_pretraining(records)
    trial = {"learning_rate": 0.1, "accuracy": 0.5, "best_step": 5, "validations": [(5, 0.5)], "failure": None}
    search = {
        "id": "searched", "volatile": {}, "method": "good", "method_source": "built-in", "modalities": ("video",),
        "training": "frozen", "method_settings": {}, "seed": 0, "conditions_digest": "1" * 64,
        "candidates": (0.1,), "trials": [trial], "provenance": {},
    }  # fmt: skip
    RecordFolder(records).write(SearchRecord.model_validate(search))


def make_scored(folder: Path) -> None:
    """A run, and answers of somebody else to its episodes."""
    from tests.helpers.small_runs import answers, shares

    make_run(folder)
    predicted = answers(shares(0.7, 5, EPISODES))
    rows = [f"{episode},{query},{predicted[episode, query]}" for episode, query in np.ndindex(predicted.shape)]
    (folder / "mine.csv").write_text("\n".join(["episode,query,predicted", *rows]) + "\n")
    np.savez(folder / "mine.npz", predicted=predicted)


def read_run(folder: Path) -> Reading:
    """`oneshot report`, but for its figures, and every field of every record."""
    return guarded(partial(_reported, folder / "run"))


def _reported(run: Path) -> Reading:
    from mmact_oneshot.harness.records import RecordFolder, SearchRecord
    from mmact_oneshot.harness.report import read_report, records_folder
    from mmact_oneshot.harness.report.model.document import document
    from mmact_oneshot.harness.report.writers.csv_files import csv_files
    from mmact_oneshot.harness.report.writers.markdown import markdown

    records = records_folder(run)
    report = read_report(run)
    texts = {**csv_files(report), "report.md": markdown(document(report, records, ()), "")}
    searches = [each.model_dump_json() for each in RecordFolder(records).all(SearchRecord)]
    accesses = RecordFolder(records).test_accesses.read()
    content = json.dumps([texts, searches, accesses, _held(records)], sort_keys=True, default=str)
    return Reading(hashlib.sha256(content.encode()).hexdigest())


def _held(records: Path) -> list[str]:
    """All values of all records; which spaces stand between them is no part of it."""
    found = []
    for path in sorted(records.rglob("*.json")):
        try:
            found.append(json.dumps(json.loads(path.read_text()), sort_keys=True))
        except ValueError:
            found.append("no JSON")
    return found


def read_score(folder: Path, name: str) -> Reading:
    """`oneshot score` with all that it prints."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        oneshot("score", folder / name, "--in", folder / "run", "--suite", "test")
    return Reading(shown.getvalue())


def read_export(folder: Path) -> Reading:
    """The episodes as `oneshot score` takes them."""
    return guarded(partial(_episodes, folder / "run"))


def _episodes(run: Path) -> Reading:
    from mmact_oneshot.harness.evaluation.external import recorded_suite
    from mmact_oneshot.harness.records import RecordFolder

    suite, episodes = recorded_suite(RecordFolder(run / "records"), "test")
    arrays = sorted((name, np.asarray(array)) for name, array in vars(episodes).items())
    return Reading(suite.model_dump_json() + digest_of(arrays))


_record = partial(Subject, make=make_run, read=read_run, own=(*text_damage.TEXT, *text_damage.JSON))
SUBJECTS = (
    *(
        _record(f"record, {kind} (JSON)", file=f"run/records/{kind}/*.json")
        for kind in ("study", "training", "evaluation", "suite", "pretraining", "search", "skipped")
    ),
    Subject("predictions (npz)", make_run, "run/records/predictions/*.npz", read_run, own=array_damage.NPZ),
    Subject("suite episodes (npz)", make_run, "run/records/suite/*.npz", read_export, own=array_damage.NPZ),
    Subject(
        "log of test accesses", make_run, "run/records/test_access.jsonl", read_run, own=text_damage.TEXT, raw=True
    ),
    Subject(
        "scored CSV",
        make_scored,
        "mine.csv",
        partial(read_score, name="mine.csv"),
        own=(*text_damage.TEXT, *text_damage.TABLE),
        raw=True,
    ),
    Subject(
        "scored npz", make_scored, "mine.npz", partial(read_score, name="mine.npz"), own=array_damage.NPZ, raw=True
    ),
)  # fmt: skip
