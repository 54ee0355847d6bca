"""What a run does again: records of an older version are scored again, and under ``--force`` all that it names."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.benchmark.run import Benchmark
from harness.cli.forced import what_is_replaced
from harness.data.store import Store
from harness.records import EvaluationRecord, PretrainingRecord, RecordFolder, SkippedRecord, TrainingRecord
from harness.report import read_report
from harness.runtime.errors import HarnessError
from harness.runtime.progress import Silent
from tests.benchmark.test_run import Stop, lasting
from tests.cli.test_cli import SMALL, oneshot, split_file
from tests.helpers.toys import CPU, toy_settings, toy_store, toy_task
from tests.training.test_rate_search import Listener

__all__ = ["split_file"]  # a fixture

ROWS = [
    {"method": "protonet", "modalities": ["sensors"]},
    {"method": "sensor_nn", "modalities": ["video"]},
    {"method": "random", "modalities": ["video"]},
    {"method": "videomae", "modalities": ["video"], "initialisation": "videomae"},
]
SUITES = ["test", "test-cross-subject"]


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def benchmark(
    store: Store, out: Path, watcher: Silent | None = None, *, force: bool = False, **changes: Any
) -> Benchmark:
    budget = toy_settings().training.model_dump() | {"search": [0.003, 0.02]}
    settings: dict[str, Any] = {"rows": ROWS, "suites": SUITES, "training": budget}
    return Benchmark(toy_task(store, **settings | changes), out, CPU, watcher, force)


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("again")
    benchmark(store, out).run()
    return out


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    """A copy of the complete run."""
    return Path(shutil.copytree(done, tmp_path / "run"))


def looks(out: Path) -> list[dict[str, Any]]:
    return RecordFolder(out / "records").looks.read() or []


def written(out: Path) -> dict[str, int]:
    """When each record and shared encoder was last written, by kind and name."""
    paths = [*out.glob("records/*/*.json"), *out.glob("encoders/*.safetensors")]
    return {f"{path.parent.name}/{path.stem}": path.stat().st_mtime_ns for path in paths}


def make_older(path: Path) -> None:
    """An evaluation as the version before wrote it."""
    content = json.loads(path.read_text()) | {"schema_version": 2}
    for name in ("calibration", "robustness", "cost", "external"):
        del content[name]
    path.write_text(json.dumps(content))


def test_an_evaluation_of_an_older_version_is_scored_again_and_not_trained(done: Path, out: Path, store: Store) -> None:
    for path in out.glob("records/evaluation/*.json"):
        make_older(path)
    shutil.rmtree(out / "records" / "suite")
    assert all(row.metrics.cost is None for table in read_report(out).suites for row in table.rows), "read as it is"
    listener, before = Listener(), written(out)
    benchmark(store, out, listener).run()
    assert not [title for title in listener.titles if "features" not in title], "nothing was trained"
    assert lasting(out) == lasting(done)
    assert len(looks(out)) == 2 * len(looks(done))
    again = {name for name, when in written(out).items() if before.get(name) != when}
    assert {name.split("/")[0] for name in again} == {"evaluation", "suite"}
    assert all(row.metrics.cost is not None for table in read_report(out).suites for row in table.rows)


def test_only_what_is_older_is_scored_again(out: Path, store: Store) -> None:
    first = sorted(out.glob("records/evaluation/*.json"))[0]
    make_older(first)
    before = written(out)
    run = benchmark(store, out)
    assert [suite for job in run.jobs for suite in run.todo(job)] == [first.stem.rsplit(".")[-1]]
    run.run()
    assert {name for name, when in written(out).items() if before[name] != when} == {f"evaluation/{first.stem}"}


def test_force_names_exactly_what_it_replaces(out: Path, store: Store) -> None:
    run = benchmark(store, out, force=True)
    told = what_is_replaced(run)
    counts = {kind: int(count) for kind, count in re.findall(r"^  ([a-z -]+) \((\d+)\):$", told, re.MULTILINE)}
    assert counts == {
        "trainings": 3, "evaluations": 6, "rows without figures": 1, "searches of learning rates": 2,
        "pre-trainings": 1, "shared encoders": 1,
    }  # fmt: skip
    assert str(out) in told
    assert f"The log of test accesses is kept: {len(looks(out))} so far, up to 8 to come." in told
    names, before, first = set(re.findall(r"^    (\S+)$", told, re.MULTILINE)), written(out), looks(out)
    run.run()
    after = written(out)
    assert after.keys() == before.keys()
    assert {name.split("/")[1] for name in after if after[name] != before[name]} == names
    assert looks(out)[: len(first)] == first
    assert len(looks(out)) == 2 * len(first)


def test_force_on_a_part_names_and_replaces_that_part(done: Path, out: Path, store: Store) -> None:
    run = benchmark(store, out, force=True, rows=ROWS[2:3], suites=["test"])
    told, before = what_is_replaced(run), written(out)
    assert re.findall(r"^  ([a-z -]+) \(\d+\):$", told, re.MULTILINE) == ["trainings", "evaluations"]
    run.run()
    again = {name for name, when in written(out).items() if before[name] != when}
    (job,) = run.jobs
    assert again == {f"training/{job.id}", f"evaluation/{job.id}.test"}
    assert lasting(out) == lasting(done)


def test_force_where_nothing_is_recorded_says_so(tmp_path: Path, store: Store) -> None:
    told = what_is_replaced(benchmark(store, tmp_path, force=True))
    assert "nothing of this run" in told
    assert "0 so far" in told


@pytest.mark.parametrize("title", ["protonet, sensors, frozen", "videomae pre-training"])
def test_a_forced_run_that_is_cut_off_leaves_nothing_of_before_in_place_of_what_it_was_doing(
    done: Path, out: Path, store: Store, title: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        benchmark(store, out, Stop(title, 5), force=True).run()
    records, method = RecordFolder(out / "records"), title.split(",")[0].split(" ")[0]
    assert not [record for record in records.all(EvaluationRecord) if record.training.startswith(method)]
    read_report(out)
    before = len(looks(out))
    listener = Listener()
    benchmark(store, out, listener).run()
    assert any(title in each for each in listener.titles), "it is done again although nobody forces it now"
    assert len(looks(out)) == before + 2
    assert lasting(out) == lasting(done)


def test_force_does_away_with_a_reason_that_holds_no_more(out: Path, store: Store) -> None:
    """Such as a method that diverged where its library was an older one."""
    records = RecordFolder(out / "records")
    (record,) = [record for record in records.all(TrainingRecord) if record.method == "random"]
    common = {"volatile": {}, "method": "random", "modalities": ("video",), "regime": "frozen"}
    records.write(SkippedRecord.model_validate({"id": record.id, "reason": "diverged", **common}))
    benchmark(store, out, force=True, rows=ROWS[2:3]).run()
    assert not records.has(SkippedRecord, record.id)
    assert records.has(TrainingRecord, record.id)
    assert records.has(PretrainingRecord, records.all(PretrainingRecord)[0].id)


def test_a_broken_record_stops_a_run_before_it_begins(out: Path, store: Store) -> None:
    path = sorted(out.glob("records/evaluation/*.json"))[0]
    path.write_text("{}")
    with pytest.raises(HarnessError, match="Field required") as refusal:
        benchmark(store, out)
    assert str(path) in str(refusal.value)


def test_the_command_says_it_even_in_a_dry_run(recordings: Path, split_file: Path, tmp_path: Path) -> None:
    common = [
        "run",
        "--data",
        recordings,
        "--split",
        split_file,
        "--store",
        tmp_path / "store",
        "--out",
        tmp_path / "out",
    ]
    part = [*common, "--method", "random", "--modalities", "both", *(p for each in SMALL for p in ("--set", each))]
    assert oneshot(*part).exit_code == 0
    before = written(tmp_path / "out")
    plan = oneshot(*part, "--force", "--dry-run")
    assert plan.exit_code == 0, plan.output
    assert "evaluations (2):" in plan.output
    assert "2 so far, up to 2 to come" in plan.output
    assert written(tmp_path / "out") == before
    assert "--force: these are done again" in oneshot(*part, "--force").output
    assert written(tmp_path / "out") != before
