"""The search of learning rates: one choice for a row, recorded trial by trial, and no training done twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from mmact_oneshot.harness.benchmark.cost.work import trials
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.set_aside import set_aside
from mmact_oneshot.harness.benchmark.steps import SearchStep
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, SearchRecord, SkippedRecord, TrainingRecord
from mmact_oneshot.harness.runtime.errors import DivergedError
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.loop import Trained
from mmact_oneshot.harness.training.method_training import MethodTraining
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import Interrupt, Titles, lasting, one, planned, run, task_with, workspace
from tests.helpers.toys import toy_settings, toy_store

pytestmark = pytest.mark.slow  # some twenty runs

RATES = (1e-5, 0.003, 0.02)
ROW = {"method": "protonet", "modalities": ["sensors"], "settings": {"projection": 8}}
BUDGET = toy_settings().frozen.model_dump() | {"search": RATES}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store(noise=0.8)


def place(store: Store, out: Path, watcher: Watcher | None = None, **changes: Any) -> Workspace:
    rows = changes.pop("rows", [ROW])
    settings: dict[str, Any] = {"frozen": BUDGET, "end_to_end": BUDGET}
    return workspace(out, task_with(rows, store, **settings | changes), watcher)


def search(store: Store, out: Path, watcher: Watcher | None = None, **changes: Any) -> Plan:
    return run(place(store, out, watcher, **changes))


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of one frozen row and one seed."""
    out = tmp_path_factory.mktemp("search")
    search(store, out)
    return out


def test_every_candidate_is_tried_and_the_best_on_validation_is_fixed(done: Path) -> None:
    found, training = one(done, SearchRecord), one(done, TrainingRecord)
    assert tuple(trial.learning_rate for trial in found.trials) == found.candidates == RATES
    for trial in found.trials:
        assert [step for step, _ in trial.validations] == [2, 4, 6]
        assert trial.accuracy == max(accuracy for _, accuracy in trial.validations)
    accuracies = [trial.accuracy or 0.0 for trial in found.trials]
    assert training.learning_rate == RATES[accuracies.index(max(accuracies))]
    assert len(set(accuracies)) > 1, "they do differ in what they learn"
    assert training.search == found.id
    assert training.tried == list(zip(RATES, accuracies, strict=True))
    assert training.conditions["budget"]["search"] == list(RATES), "the digest holds the candidates"
    assert training.learning_rate not in training.conditions["budget"].values(), "and not the outcome"


@pytest.mark.parametrize("training", ["frozen", "end_to_end"])
def test_the_winning_trial_is_the_training_bit_for_bit(store: Store, tmp_path: Path, training: str) -> None:
    rows = [{**ROW, "training": training}]
    titles = Titles()
    search(store, tmp_path, titles, rows=rows)
    assert [title for title in titles.titles if title.startswith("protonet")] == titles.trials
    assert titles.trials == [
        f"protonet (projection 8), sensors, {training}, learning rate {rate:g}, {number} of 3"
        for number, rate in enumerate(RATES, 1)
    ]
    taken, weights = lasting(tmp_path), one_checkpoint(tmp_path)
    for folder in ("records/training", "records/evaluation", "checkpoints"):
        shutil.rmtree(tmp_path / folder)
    again = Titles()
    search(store, tmp_path, again, rows=rows)  # the search is done, its state is gone: train
    assert [title for title in again.titles if title.startswith("protonet")] == [
        f"protonet (projection 8), sensors, {training}, seed 0"
    ]
    assert lasting(tmp_path) == taken
    again_weights = one_checkpoint(tmp_path)
    assert again_weights.keys() == weights.keys()
    assert all(again_weights[name].equal(weights[name]) for name in weights)


def one_checkpoint(out: Path) -> dict[str, Any]:
    (path,) = (out / "checkpoints").iterdir()
    return load_file(path)


def test_a_fixed_rate_is_the_same_as_a_found_one(store: Store, done: Path, tmp_path: Path) -> None:
    found = one(done, TrainingRecord)
    budget = BUDGET | {"search": (), "learning_rate": found.learning_rate}
    search(store, tmp_path, frozen=budget)
    fixed = one(tmp_path, TrainingRecord)
    assert (fixed.search, fixed.tried, fixed.learning_rate) == (None, [], found.learning_rate)
    assert (fixed.validations, fixed.losses) == (found.validations, found.losses)
    scored = [one(out, EvaluationRecord) for out in (done, tmp_path)]
    assert scored[0].predictions_digest == scored[1].predictions_digest
    assert not (tmp_path / "records" / "search").exists()


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("step", [1, 5])
def test_a_search_that_was_cut_off_ends_as_if_it_had_not_been(
    store: Store, done: Path, tmp_path: Path, number: int, step: int
) -> None:
    title = f"protonet (projection 8), sensors, frozen, learning rate {RATES[number - 1]:g}"
    with pytest.raises(KeyboardInterrupt):
        search(store, tmp_path, Interrupt(title, step))
    titles = Titles()
    search(store, tmp_path, titles)
    assert len(titles.trials) == 4 - number, "trials that were finished are not done again"
    assert lasting(tmp_path) == lasting(done)
    assert one(tmp_path, SearchRecord).volatile["resumed"][number - 1] == int(step == 5)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [
        path.name for path in (done / "checkpoints").iterdir()
    ]


def test_a_better_trial_that_was_not_recorded_is_done_again(
    store: Store, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between its state and its record."""
    write, records = RecordFolder.write, 0

    def killed(self: RecordFolder, record: Any) -> Path:
        nonlocal records
        records += isinstance(record, SearchRecord)
        if isinstance(record, SearchRecord) and records == 2:
            raise KeyboardInterrupt
        return write(self, record)

    monkeypatch.setattr(RecordFolder, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        search(store, tmp_path)
    monkeypatch.undo()
    titles = Titles()
    search(store, tmp_path, titles)
    assert len(titles.trials) == 2
    assert lasting(tmp_path) == lasting(done)


def test_other_seeds_do_not_change_the_choice(store: Store, done: Path, tmp_path: Path) -> None:
    titles = Titles()
    search(store, tmp_path, titles, seeds=[3, 4])
    assert len(titles.trials) == 3, "once for all seeds"
    record = one(tmp_path, SearchRecord)
    assert record.model_dump(exclude={"volatile"}) == one(done, SearchRecord).model_dump(exclude={"volatile"})
    trainings = RecordFolder(tmp_path / "records").all(TrainingRecord)
    assert [training.seed for training in trainings] == [3, 4]
    assert {training.learning_rate for training in trainings} == {one(done, TrainingRecord).learning_rate}
    assert {training.search for training in trainings} == {record.id}
    more = Titles()
    search(store, tmp_path, more, seeds=[0, 3, 4])
    assert not [title for title in more.titles if title.startswith("protonet")], "seed 0 is the winning trial"
    assert lasting(tmp_path).items() >= lasting(done, studies=False).items()


def test_the_paper_protocol_takes_the_rate_of_the_headline(store: Store, done: Path, tmp_path: Path) -> None:
    titles = Titles()
    search(store, tmp_path, titles, suites=["test-paper"])
    training, record = one(tmp_path, TrainingRecord), one(tmp_path, SearchRecord)
    assert record.model_dump(exclude={"volatile"}) == one(done, SearchRecord).model_dump(exclude={"volatile"})
    assert (training.protocol, training.validations) == ("paper", [])
    assert training.learning_rate == one(done, TrainingRecord).learning_rate
    assert "protonet (projection 8), sensors, frozen, seed 0" in titles.titles, (
        "on base and validation classes: another training"
    )


def diverge_at(monkeypatch: pytest.MonkeyPatch, rates: tuple[float, ...]) -> None:
    """Let trainings at these rates fail."""
    train = MethodTraining.train

    def failing(
        self: MethodTraining, job: TrainingJob, method: Any, budget: Budget, *rest: Any, **more: Any
    ) -> Trained:
        if budget.learning_rate in rates:
            raise DivergedError("the loss is not finite at step 2.")
        return train(self, job, method, budget, *rest, **more)

    monkeypatch.setattr(MethodTraining, "train", failing)


def test_a_trial_that_diverges_is_recorded_and_lost(
    store: Store, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = one(done, TrainingRecord).learning_rate
    assert best is not None
    diverge_at(monkeypatch, (best,))
    search(store, tmp_path)
    trials = {trial.learning_rate: trial for trial in one(tmp_path, SearchRecord).trials}
    assert (trials[best].accuracy, trials[best].failure) == (None, "the loss is not finite at step 2.")
    training = one(tmp_path, TrainingRecord)
    assert training.learning_rate is not None
    assert training.learning_rate != best
    assert dict(training.tried)[best] is None
    rest = [accuracy for accuracy in dict(training.tried).values() if accuracy is not None]
    assert dict(training.tried)[training.learning_rate] == max(rest)


def test_a_row_of_which_every_trial_diverges_is_skipped_for_all_seeds(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverge_at(monkeypatch, RATES)
    titles = Titles()
    search(store, tmp_path, titles, seeds=[0, 1])
    folder = RecordFolder(tmp_path / "records")
    reasons = {record.reason for record in folder.all(SkippedRecord)}
    assert len(folder.all(SkippedRecord)) == 2
    assert reasons == {"every learning rate tried diverged; at 1e-05: the loss is not finite at step 2."}
    assert folder.all(TrainingRecord) == []


def test_a_real_divergence_is_caught(store: Store, tmp_path: Path) -> None:
    search(store, tmp_path, frozen=BUDGET | {"search": (1e30, 0.01), "clip": 0.0, "optimiser": "sgd"})
    first, second = one(tmp_path, SearchRecord).trials
    assert first.failure is not None
    assert "not finite" in first.failure
    assert one(tmp_path, TrainingRecord).learning_rate == second.learning_rate
    assert not list((tmp_path / "checkpoints").glob("*.state"))


def test_nothing_is_searched_where_nothing_is_trained(store: Store, tmp_path: Path) -> None:
    search(store, tmp_path, rows=[{"method": "sensor_nn", "modalities": ["sensors"]}])
    training = one(tmp_path, TrainingRecord)
    assert (training.learning_rate, training.search, training.tried) == (None, None, [])
    assert not (tmp_path / "records" / "search").exists()


def test_what_is_set_aside_is_searched_again(store: Store, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "run")
    titles = Titles()
    again = place(store, tmp_path / "run", titles)
    set_aside(again, planned(again)[0])
    run(again)
    assert len(titles.trials) == 3
    assert lasting(tmp_path / "run") == lasting(done)


def test_a_plan_counts_the_trials_that_are_left(store: Store, done: Path, tmp_path: Path) -> None:
    plan, steps = planned(place(store, tmp_path, seeds=[0, 1]))
    (step,) = (step for step in steps if isinstance(step, SearchStep))
    assert [job.search is not None and job.search.id for job in plan.jobs] == [plan.jobs[0].id] * 2
    assert step.job == plan.jobs[0]
    assert trials(steps) == 3
    _, left = planned(place(store, done, seeds=[0, 1]))
    assert trials(left) == 0
