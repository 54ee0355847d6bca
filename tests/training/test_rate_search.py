"""The search of learning rates: one choice for a row, recorded trial by trial, and no training done twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from harness.benchmark.cost.estimate import pending_searches, training_clips
from harness.benchmark.plan import Job
from harness.benchmark.run import Benchmark
from harness.data.store import Store
from harness.records import EvaluationRecord, RecordFolder, SearchRecord, SkippedRecord, TrainingRecord
from harness.runtime.errors import DivergedError
from harness.runtime.progress import Silent
from harness.training.loop import Trained
from harness.training.method_training import Trainer
from tests.benchmark.test_run import Stop, lasting
from tests.helpers.toys import CPU, toy_settings, toy_store, toy_task

RATES = (1e-5, 0.003, 0.02)
ROW = {"method": "protonet", "modalities": ["sensors"], "settings": {"projection": 8}}


class Listener(Silent):
    """Notes the titles of what begins."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def begin(self, title: str, total: int | None) -> None:
        self.titles.append(title)

    @property
    def trials(self) -> list[str]:
        return [title for title in self.titles if "learning rate" in title]


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store(noise=0.8)


def benchmark(store: Store, out: Path, watcher: Silent | None = None, force: bool = False, **changes: Any) -> Benchmark:
    budget = toy_settings().training.model_dump() | {"search": RATES}
    settings: dict[str, Any] = {"rows": [ROW], "training": budget, "tuning": budget}
    return Benchmark(toy_task(store, **settings | changes), out, CPU, watcher, force)


def one(out: Path, kind: type[Any]) -> Any:
    (record,) = RecordFolder(out / "records").all(kind)
    return record


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of one frozen row and one seed."""
    out = tmp_path_factory.mktemp("search")
    benchmark(store, out).run()
    return out


def test_every_candidate_is_tried_and_the_best_on_validation_is_fixed(done: Path) -> None:
    search, training = one(done, SearchRecord), one(done, TrainingRecord)
    assert tuple(trial.learning_rate for trial in search.trials) == search.candidates == RATES
    for trial in search.trials:
        assert [step for step, _ in trial.trace] == [2, 4, 6]
        assert trial.accuracy == max(accuracy for _, accuracy in trial.trace)
    accuracies = [trial.accuracy for trial in search.trials]
    assert training.learning_rate == RATES[accuracies.index(max(accuracies))]
    assert len(set(accuracies)) > 1, "they do differ in what they learn"
    assert training.search == search.id
    assert training.tried == list(zip(RATES, accuracies, strict=True))
    assert training.training_protocol["training"]["search"] == list(RATES), "the digest holds the candidates"
    assert training.learning_rate not in training.training_protocol["training"].values(), "and not the outcome"


@pytest.mark.parametrize("regime", ["frozen", "tuned"])
def test_the_winning_trial_is_the_training_bit_for_bit(store: Store, tmp_path: Path, regime: str) -> None:
    rows = [{**ROW, "regime": regime}]
    listener = Listener()
    benchmark(store, tmp_path, listener, rows=rows).run()
    assert [title for title in listener.titles if title.startswith("protonet")] == listener.trials
    assert listener.trials == [
        f"protonet (projection 8), sensors, {regime}, learning rate {rate:g}, {number} of 3"
        for number, rate in enumerate(RATES, 1)
    ]
    taken, weights = lasting(tmp_path), one_checkpoint(tmp_path)
    for folder in ("records/training", "records/evaluation", "checkpoints"):
        shutil.rmtree(tmp_path / folder)
    again = Listener()
    benchmark(store, tmp_path, again, rows=rows).run()  # the search is done, its state is gone: train
    assert [title for title in again.titles if title.startswith("protonet")] == [
        f"protonet (projection 8), sensors, {regime}, seed 0"
    ]
    assert lasting(tmp_path) == taken
    fresh = one_checkpoint(tmp_path)
    assert fresh.keys() == weights.keys()
    assert all(fresh[name].equal(weights[name]) for name in weights)


def one_checkpoint(out: Path) -> dict[str, Any]:
    (path,) = (out / "checkpoints").iterdir()
    return load_file(path)


def test_a_given_rate_is_the_same_as_a_found_one(store: Store, done: Path, tmp_path: Path) -> None:
    found = one(done, TrainingRecord)
    budget = toy_settings().training.model_dump() | {"learning_rate": found.learning_rate}
    benchmark(store, tmp_path, training=budget).run()
    given = one(tmp_path, TrainingRecord)
    assert (given.search, given.tried, given.learning_rate) == (None, [], found.learning_rate)
    assert (given.selection, given.losses) == (found.selection, found.losses)
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
        benchmark(store, tmp_path, Stop(title, step)).run()
    listener = Listener()
    benchmark(store, tmp_path, listener).run()
    assert len(listener.trials) == 4 - number, "trials that were finished are not done again"
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
        benchmark(store, tmp_path).run()
    monkeypatch.undo()
    listener = Listener()
    benchmark(store, tmp_path, listener).run()
    assert len(listener.trials) == 2
    assert lasting(tmp_path) == lasting(done)


def test_other_seeds_do_not_change_the_choice(store: Store, done: Path, tmp_path: Path) -> None:
    listener = Listener()
    benchmark(store, tmp_path, listener, seeds=[3, 4]).run()
    assert len(listener.trials) == 3, "once for all seeds"
    search = one(tmp_path, SearchRecord)
    assert search.model_dump(exclude={"volatile"}) == one(done, SearchRecord).model_dump(exclude={"volatile"})
    trainings = RecordFolder(tmp_path / "records").all(TrainingRecord)
    assert [training.seed for training in trainings] == [3, 4]
    assert {training.learning_rate for training in trainings} == {one(done, TrainingRecord).learning_rate}
    assert {training.search for training in trainings} == {search.id}
    more = Listener()
    benchmark(store, tmp_path, more, seeds=[0, 3, 4]).run()
    assert not [title for title in more.titles if title.startswith("protonet")], "seed 0 is the winning trial"
    assert lasting(tmp_path).items() >= lasting(done).items()


def test_the_paper_regimen_takes_the_rate_of_the_headline(store: Store, done: Path, tmp_path: Path) -> None:
    listener = Listener()
    benchmark(store, tmp_path, listener, suites=["test-paper"]).run()
    training, search = one(tmp_path, TrainingRecord), one(tmp_path, SearchRecord)
    assert search.model_dump(exclude={"volatile"}) == one(done, SearchRecord).model_dump(exclude={"volatile"})
    assert (training.regimen, training.selection) == ("paper", [])
    assert training.learning_rate == one(done, TrainingRecord).learning_rate
    assert "protonet (projection 8), sensors, frozen, seed 0" in listener.titles, (
        "on base and validation classes: another training"
    )


def diverge_at(monkeypatch: pytest.MonkeyPatch, rates: tuple[float, ...]) -> None:
    """Let trainings at these rates fail."""
    train = Trainer.train

    def failing(self: Trainer, job: Job, method: Any, budget: Any, **more: Any) -> Trained:
        if budget.learning_rate in rates:
            raise DivergedError("the loss is not finite at step 2.")
        return train(self, job, method, budget, **more)

    monkeypatch.setattr(Trainer, "train", failing)


def test_a_trial_that_diverges_is_recorded_and_lost(
    store: Store, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = one(done, TrainingRecord).learning_rate
    diverge_at(monkeypatch, (best,))
    benchmark(store, tmp_path).run()
    trials = {trial.learning_rate: trial for trial in one(tmp_path, SearchRecord).trials}
    assert (trials[best].accuracy, trials[best].failure) == (None, "the loss is not finite at step 2.")
    training = one(tmp_path, TrainingRecord)
    assert training.learning_rate not in {best, None}
    assert dict(training.tried)[best] is None
    rest = [accuracy for accuracy in dict(training.tried).values() if accuracy is not None]
    assert dict(training.tried)[training.learning_rate] == max(rest)


def test_a_row_of_which_every_trial_diverges_is_skipped_for_all_seeds(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverge_at(monkeypatch, RATES)
    listener = Listener()
    benchmark(store, tmp_path, listener, seeds=[0, 1]).run()
    folder = RecordFolder(tmp_path / "records")
    reasons = {record.reason for record in folder.all(SkippedRecord)}
    assert len(folder.all(SkippedRecord)) == 2
    assert reasons == {"every learning rate tried diverged; at 1e-05: the loss is not finite at step 2."}
    assert folder.all(TrainingRecord) == []


def test_a_real_divergence_is_caught(store: Store, tmp_path: Path) -> None:
    budget = toy_settings().training.model_dump() | {"search": (1e30, 0.01), "clip": 0.0, "optimiser": "sgd"}
    benchmark(store, tmp_path, training=budget).run()
    first, second = one(tmp_path, SearchRecord).trials
    assert first.failure is not None
    assert "not finite" in first.failure
    assert one(tmp_path, TrainingRecord).learning_rate == second.learning_rate
    assert not list((tmp_path / "checkpoints").glob("*.state"))


def test_nothing_is_searched_where_nothing_is_trained(store: Store, tmp_path: Path) -> None:
    benchmark(store, tmp_path, rows=[{"method": "sensor_nn", "modalities": ["sensors"]}]).run()
    training = one(tmp_path, TrainingRecord)
    assert (training.learning_rate, training.search, training.tried) == (None, None, [])
    assert not (tmp_path / "records" / "search").exists()


def test_force_searches_again(store: Store, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "run")
    listener = Listener()
    benchmark(store, tmp_path / "run", listener, force=True).run()
    assert len(listener.trials) == 3
    assert lasting(tmp_path / "run") == lasting(done)


def test_a_plan_counts_the_trials_that_are_left(store: Store, done: Path, tmp_path: Path) -> None:
    planned = benchmark(store, tmp_path, seeds=[0, 1])
    (search,) = pending_searches(planned, planned.jobs).values()
    assert planned.jobs[0].id == search.id
    assert planned.jobs[1].id != search.id
    again = benchmark(store, done, seeds=[0, 1])
    assert pending_searches(again, again.jobs) == {}
    settings = toy_settings()
    assert training_clips(settings, settings.training) == 6 * 2 * 5 * 2
