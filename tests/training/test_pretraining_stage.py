"""Pre-training as a stage of the main job: what it sees, who starts from it, and that it is done once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import NotApplicable
from harness.benchmark.cost import demand
from harness.benchmark.plan import Job
from harness.benchmark.run import Benchmark
from harness.data.store import Store
from harness.data.task.task import Task
from harness.records import PretrainingRecord, RecordFolder, SkippedRecord, TrainingRecord
from harness.report import read_report
from harness.report.markdown import markdown
from harness.runtime.errors import HarnessError
from harness.runtime.progress import Silent
from tests.benchmark.test_run import Stop, lasting
from tests.helpers.toys import CPU, toy_store, toy_task
from tests.training.test_rate_search import Listener

VIDEO, SENSORS, BOTH = ["video"], ["sensors"], ["video", "sensors"]


def row(method: str, modalities: list[str], initialisation: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "modalities": modalities, "initialisation": initialisation, **more}


def transformer(modalities: list[str], initialisation: str, method: str = "protonet") -> dict[str, Any]:
    return row(method, modalities, initialisation, encoder="transformer")


ROWS = [
    {"method": "protonet", "modalities": VIDEO},
    transformer(VIDEO, "scratch"),
    transformer(VIDEO, "longer"),
    transformer(VIDEO, "videomae"),
    transformer(VIDEO, "mu_mae"),
    transformer(SENSORS, "mu_mae"),
    transformer(SENSORS, "videomae"),
    transformer(BOTH, "mu_mae", "mu_mae"),
    row("mu_mae", BOTH, "mu_mae"),
    row("mu_mae", BOTH, "scratch", settings={"as_released": True}),
    row("videomae", VIDEO, "videomae"),
    row("videomae", VIDEO, "videomae", regime="tuned"),
]


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def benchmark(
    store: Store, out: Path, watcher: Silent | None = None, *, force: bool = False, **changes: Any
) -> Benchmark:
    return Benchmark(toy_task(store, **{"rows": ROWS, **changes}), out, CPU, watcher, force)


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def done(store: Store, listener: Listener, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pretraining")
    benchmark(store, out, listener).run()
    return out


def trainings(out: Path) -> list[TrainingRecord]:
    return RecordFolder(out / "records").all(TrainingRecord)


def pretrainings(out: Path) -> list[PretrainingRecord]:
    return RecordFolder(out / "records").all(PretrainingRecord)


def test_each_pretraining_is_done_once_for_all_rows_that_declare_it(done: Path, listener: Listener) -> None:
    titles = [title for title in listener.titles if "pre-training" in title]
    assert titles == [
        "videomae pre-training on video, seed 0",
        "mu_mae pre-training on video and sensors, seed 0",
    ]
    assert [record.method for record in pretrainings(done)] == ["mu_mae", "videomae"]


def test_records_say_what_they_start_from(done: Path) -> None:
    ids = {record.method: record.id for record in pretrainings(done)}
    for record in trainings(done):
        assert record.pretraining == ids.get(record.initialisation)
        assert ("pretraining" in record.training_protocol) == (record.pretraining is not None)
    assert {record.initialisation for record in trainings(done)} == {"scratch", "longer", "videomae", "mu_mae"}


def test_rows_that_start_differently_are_never_ranked_together(done: Path) -> None:
    found = {(r.training_digest, r.initialisation, r.encoder, r.modalities, r.regime) for r in trainings(done)}
    assert len({digest for digest, *_ in found}) == len(found)


def test_scratch_longer_and_pretrained_encoders_differ_in_their_start_alone(done: Path) -> None:
    notes = {
        record.initialisation: record.encoders["video"]
        for record in trainings(done)
        if record.encoder == "transformer" and record.modalities == ("video",)
    }
    assert notes["scratch"]["initial_state"] == notes["longer"]["initial_state"]
    assert len({note["initial_state"] for note in notes.values()}) == 3
    assert len({note["state"] for note in notes.values()}) == 4


def test_longer_gives_the_clip_passes_of_the_pretraining(done: Path, store: Store) -> None:
    jobs = {job.start.name: job for job in benchmark(store, done).jobs if job.settings.encoder == "transformer"}
    (mu_mae,) = [record for record in pretrainings(done) if record.method == "mu_mae"]

    def clips(job: Job) -> int:
        budget = job.settings.encoder_training
        return budget.steps * budget.episodes_per_step * 5 * (1 + budget.queries)

    extra = clips(jobs["longer"]) - clips(jobs["scratch"])
    assert mu_mae.clips_seen <= extra < mu_mae.clips_seen + clips(jobs["scratch"]) / 6


def test_only_clips_of_the_base_classes_are_ever_read(store: Store, tmp_path: Path) -> None:
    seen = store
    task = toy_task(seen, rows=[transformer(VIDEO, "mu_mae")])
    base = set(task.role_rows("base").tolist())
    read: set[int] = set()

    class Watched(Store):
        def frames(self, row: int, picks: np.ndarray) -> np.ndarray:
            read.add(row)
            return super().frames(row, picks)

    watched = Watched(**{name: getattr(store, name) for name in store.__dataclass_fields__})
    # a sensor value of any other class would spoil the losses
    spoiled = {
        name: np.where(_of(task, "base")[:, None, None], values, np.nan) for name, values in store.sensors.items()
    }
    watched = replace(watched, sensors=spoiled)
    run = Benchmark(replace(task, store=watched), tmp_path, CPU)
    (job,) = run.jobs
    run.pretrainer.states(job.start, 0)
    assert read == base, "all of them, and nothing else"
    (record,) = pretrainings(tmp_path)
    assert all(np.isfinite(list(terms.values())).all() for _, terms in record.losses)
    assert record.classes == task.split.base


def _of(task: Task, role: str) -> np.ndarray:
    """(P,) bool: performances of a role."""
    found = np.zeros(len(next(iter(task.store.sensors.values()))), bool)
    found[task.store.performance[task.role_rows(role)]] = True
    return found


def test_what_is_done_is_not_done_again_and_force_does_it_once(done: Path, store: Store) -> None:
    before = lasting(done)
    again = Listener()
    benchmark(store, done, again).run()
    assert not again.titles
    assert lasting(done) == before
    forced = Listener()
    benchmark(store, done, forced, force=True, rows=ROWS[4:6]).run()
    assert sum("pre-training" in title for title in forced.titles) == 1
    assert lasting(done) == before


def test_killed_in_a_pretraining_it_goes_on_to_the_same_records(done: Path, store: Store, tmp_path: Path) -> None:
    rows = [ROWS[4]]
    with pytest.raises(KeyboardInterrupt):
        benchmark(store, tmp_path, Stop("mu_mae pre-training", 6), rows=rows).run()
    benchmark(store, tmp_path, rows=rows).run()
    (record,) = pretrainings(tmp_path)
    assert record.volatile["resumed"] == 1
    assert lasting(tmp_path).items() <= lasting(done).items()


def test_a_start_without_the_modality_says_why_there_is_no_row(done: Path) -> None:
    skipped = RecordFolder(done / "records").all(SkippedRecord)
    assert [(record.method, record.reason) for record in skipped] == [
        ("protonet", "the start videomae knows video only")
    ]


def test_each_seed_has_a_pretraining_of_its_own_or_all_have_one(store: Store, tmp_path: Path) -> None:
    rows = [ROWS[10]]
    own = benchmark(store, tmp_path, rows=rows, seeds=[0, 1])
    one = benchmark(
        store, tmp_path, rows=rows, seeds=[0, 1], pretraining={"epochs": 2, "batch": 16, "looks": 2, "seed": 0}
    )
    assert len({job.start.id(job.seed) for job in own.jobs}) == 2
    assert len({job.start.id(job.seed) for job in one.jobs}) == 1
    one.run()
    text = markdown(read_report(tmp_path))
    assert "conditional on one pre-training" in text


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (row("protonet", VIDEO, "mu_mae"), r'nothing in this row would start from .mu_mae.*encoder = "transformer"'),
        (transformer(VIDEO, "mu_mea"), r"no initialisation 'mu_mea'.*mu_mae"),
        (transformer(VIDEO, "trx"), r"trx has no pre-training"),
        (row("mu_mae", VIDEO, "mu_mae", settings={"random_prior": True}), r"no pre-training with these settings"),
        (transformer(VIDEO, "nowhere.pth"), r"no such file"),
    ],
)
def test_what_cannot_start_is_refused_before_anything_is_trained(
    store: Store, tmp_path: Path, wrong: dict[str, Any], told: str
) -> None:
    with pytest.raises(HarnessError, match=told):
        benchmark(store, tmp_path, rows=[wrong])


def test_what_does_not_fit_into_memory_is_refused_with_a_remedy(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = benchmark(store, tmp_path)
    demanded = demand.demands(run)
    assert {"mu_mae's pre-training", "the shared video encoder"} <= {each.what for each in demanded}
    demand.require(demanded, run)
    needed = next(each.needed for each in demanded if each.what == "mu_mae's pre-training")
    monkeypatch.setattr(demand, "free_bytes", lambda device: needed)
    with pytest.raises(HarnessError, match=r"mu_mae's pre-training needs about .* GB.*pretraining\.batch"):
        demand.require([each for each in demanded if each.what == "mu_mae's pre-training"], run)


def test_a_method_without_a_state_for_its_modalities_is_not_applicable() -> None:
    from harness.training.initialisation import Start, require_modality

    require_modality(Start(), ("sensors",))
    with pytest.raises(NotApplicable):
        require_modality(Start("videomae", {}, ("video",)), ("sensors",))


PLUGIN = """
from harness.api import Clips, Features, FewShotMethod, Needs
from torch import Tensor, nn
import torch

class Looks(FewShotMethod):
    needs = Needs(outputs=(), modalities=("sensors",))
    def __init__(self, setup) -> None:
        super().__init__(setup)
        self.scale = nn.Parameter(torch.ones(()))
    def encode(self, clips: Clips) -> Features:
        assert clips.video is None, "nobody declared it"
        assert bool(clips.present["sensors"].any()), "values are looked at"
        return {"vector": torch.stack(list(clips.sensors.values()), dim=1).flatten(1) * self.scale}
    def score(self, support: Features, query: Features) -> Tensor:
        return -torch.cdist(query["vector"], support["vector"].mean(dim=2))
"""


def test_a_plugin_that_looks_at_values_is_not_stopped_by_the_check_of_memory(store: Store, tmp_path: Path) -> None:
    plugin = tmp_path / "looks.py"
    plugin.write_text(PLUGIN)
    run = benchmark(store, tmp_path / "out", rows=[{"method": str(plugin), "modalities": SENSORS}])
    demanded = demand.demands(run)
    assert [each.needed for each in demanded] == [0], "unknown: nothing is refused"
    demand.require(demanded, run)
    run.run()
    assert len(trainings(tmp_path / "out")) == 1


@pytest.mark.parametrize("initialisation", ["scratch", "mu_mae"])
def test_the_size_of_a_transformer_is_part_of_every_row_that_has_one(
    store: Store, tmp_path: Path, initialisation: str
) -> None:
    found = {
        benchmark(
            store, tmp_path, rows=[given], transformer={"size": size, "patch": 6, "tubelet": 1, "sensor_tokens": 4}
        )
        .jobs[0]
        .id
        for size in ("micro", "tiny")
        for given in (
            row("mu_mae", VIDEO, initialisation),
            row("mu_mae", VIDEO, initialisation, encoder="transformer"),
            row("videomae", VIDEO, initialisation, regime="tuned"),
        )
    }
    assert len(found) == 6


def test_nothing_is_trained_longer_where_nothing_shared_is_trained(store: Store, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"recipe": "published", "initialisation": "fresh"}
    with pytest.raises(HarnessError, match="no training of shared encoders to prolong"):
        benchmark(store, tmp_path, rows=[transformer(VIDEO, "longer") | {"regime": "tuned"}], **changes)
    with pytest.raises(HarnessError, match="no shared encoder to train longer"):
        benchmark(store, tmp_path, rows=[row("videomae", VIDEO, "longer", regime="tuned")])
