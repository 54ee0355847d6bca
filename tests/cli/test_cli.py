"""The command line as a user meets it: one message for each fault, exit codes, and the main job from end to end."""

from __future__ import annotations

import errno
import io
import json
import os
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from mmact_oneshot.harness.cli import main as cli
from mmact_oneshot.harness.cli.plan_view import show_set_aside
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import METHOD
from tests.helpers.toy_runs import workspace
from tests.helpers.toys import toy_task

SMALL = [
    "store.frames=4", "store.short_side=24", "store.sensor_grid=32", "input.frames=4", "input.size=16",
    "input.sensor_length=32", "sensor_encoder.width=8", "video_encoder.arguments={channels=[8,8,8,8], stem_width=8}",
    "warm_start.steps=2", "warm_start.episodes_per_step=1", "warm_start.validations=1", "warm_start.queries=1",
    "frozen.steps=2", "frozen.episodes_per_step=1", "frozen.validations=1", "frozen.queries=1",
    "frozen.search=[]", "episodes=40", "ablation_episodes=10", "seeds=[0]",
    "transformer.patch=4", "pretraining.epochs=1", "pretraining.checkpoints=1",
]  # fmt: skip


def oneshot(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def refused(result: Result) -> str:
    """The one message of bad input."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "Did you mean 'run'"),
        (["run"], "Missing option '--data'"),
        (["run", "--data", "nowhere"], "no such folder"),
        (["run", "--data", "x", "--preset", "quik"], "Did you mean 'quick'"),
        (["run", "--data", "x", "--method", "protonett"], "Did you mean 'protonet'"),
        (["run", "--data", "x", "--suite", "tset"], "Did you mean 'test'"),
        (["run", "--data", "x", "--modalities", "vido"], "Did you mean 'video'"),
        (["run", "--data", "x", "--set", "frozen.stepz=4"], "Did you mean 'steps'"),
        (["run", "--data", "x", "--study", "method"], "Did you mean 'methods'"),
        (["run", "--data", "x", "--set", "frozen.steps=0"], "greater than or equal to 1"),
        (["report", "nowhere"], "nowhere"),
        (["check", "nothing.py"], "no such file"),
    ],
)
def test_each_fault_is_one_message(arguments: list[str], message: str) -> None:
    assert message in refused(oneshot(*arguments))


def test_an_empty_folder_and_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    assert "The folder is empty" in refused(oneshot("run", "--data", tmp_path))
    (tmp_path / "notes.txt").write_text("nothing")
    assert "no data set in a known layout" in refused(oneshot("run", "--data", tmp_path))


@pytest.mark.slow
def test_the_main_job_from_recordings_to_report(recordings: Path, split_file: Path, tmp_path: Path) -> None:
    settings = [part for setting in SMALL for part in ("--set", setting)]
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
        *(part for name in ("protonet", "mu_mae", "sensor_nn", "random") for part in ("--method", name)),
    ]
    plan = oneshot(*common, *settings, "--dry-run")
    assert plan.exit_code == 0, plan.output
    assert "test accesses: 20" in plan.output
    assert not (tmp_path / "out").exists(), "a dry run writes nothing"
    assert not (tmp_path / "store").exists()

    done = oneshot(*common, *settings)
    assert done.exit_code == 0, done.output
    report = (tmp_path / "out" / "report.md").read_bytes()
    assert b"Generated data" in report
    accesses = (tmp_path / "out" / "records" / "test_access.jsonl").read_text()
    assert len(accesses.splitlines()) == 20

    again = oneshot(*common, *settings)
    assert again.exit_code == 0
    assert (tmp_path / "out" / "records" / "test_access.jsonl").read_text() == accesses, "no more test accesses"
    assert oneshot("report", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "report.md").read_bytes() == report

    (store,) = (tmp_path / "store").iterdir()
    travelled = oneshot(*["run", "--data", store, *common[3:]], *settings)
    assert travelled.exit_code == 0, "a store is enough where the recordings are not"
    other = oneshot("run", "--data", store, *common[3:], *settings, "--set", "store.frames=5")
    assert "the store was prepared as" in refused(other)


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content of every file, and when it was written."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_force_where_nothing_is_recorded_says_so(tmp_path: Path) -> None:
    stream = io.StringIO()
    show_set_aside(workspace(tmp_path, toy_task()), tmp_path / "replaced" / "1", [], Console(file=stream, width=40))
    assert stream.getvalue().splitlines() == [
        "--force: nothing of this run is recorded yet.",
        "The log of test accesses is kept: 0 so far.",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_force_moves_what_is_recorded_aside_and_does_it_again(
    recordings: Path, split_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    where = ("--data", recordings, "--split", split_file, "--store", tmp_path / "store", "--out", out)
    settings = [part for setting in SMALL for part in ("--set", setting)]
    command = ["run", *where, "--method", "random", "--modalities", "both", *settings]
    first = oneshot(*command, "--force")
    assert first.exit_code == 0, first.output
    assert "--force: nothing of this run is recorded yet." in first.output
    assert "The log of test accesses is kept: 0 so far." in first.output
    before = files_of(tmp_path)

    planned = oneshot(*command, "--force", "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert "--force:" not in planned.output
    assert files_of(tmp_path) == before, "a dry run writes and moves nothing"

    again = oneshot(*command, "--force")
    assert again.exit_code == 0, again.output
    aside = files_of(out / "replaced" / "1")
    assert {name.split("/")[1] for name in aside} == {"training", "evaluation", "predictions"}
    assert f"--force: {len(aside)} files moved to {out / 'replaced' / '1'}:" in again.output
    printed = [line.removeprefix("  ") for line in again.output.splitlines() if line.startswith("  records/")]
    assert sorted(printed) == sorted(aside)
    assert "The log of test accesses is kept: 2 so far." in again.output
    after = files_of(out)
    for name, moved in aside.items():
        assert moved == before[f"out/{name}"], "as it was"
        assert after[name][1] > moved[1], "written again"
    log = "records/test_access.jsonl"
    assert after[log][0].startswith(before[f"out/{log}"][0])
    assert len(after[log][0].splitlines()) == 4


@pytest.mark.slow
def test_a_search_on_validation_alone_scores_no_test_suite_and_is_kept_for_the_run(
    recordings: Path, split_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    where = ("--data", recordings, "--split", split_file, "--store", tmp_path / "store", "--out", out)
    settings = [part for setting in (*SMALL, "frozen.search=[0.01, 0.001]") for part in ("--set", setting)]
    rows = ("--method", "protonet", "--method", "random", "--modalities", "sensors")
    found = oneshot("run", *where, *rows, *settings, "--validation-only")
    assert found.exit_code == 0, found.output
    assert "No test suite was accessed." in found.output
    assert "Rows that are not searched" not in found.output, "random has nothing to train"
    assert not (out / "records" / "test_access.jsonl").exists()
    (search,) = (out / "records" / "search").iterdir()
    before = search.read_bytes()
    assert oneshot("run", *where, *rows, *settings).exit_code == 0
    assert search.read_bytes() == before, "it is not searched again"


def test_prepare_says_when_there_is_nothing_to_do(recordings: Path, tmp_path: Path) -> None:
    options = ["--store", tmp_path, "--set", "store.short_side=24", "--set", "input.size=16", "--set", "store.frames=8"]
    assert "clips" in oneshot("data", "prepare", recordings, *options).output
    assert "Nothing to do" in oneshot("data", "prepare", recordings, *options).output


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, recordings: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmact_oneshot.harness.benchmark.request.open_task", interrupted)
    result = oneshot("run", "--data", recordings)
    assert result.exit_code == 130
    assert "the same command continues" in result.output


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "--out or --store"), (errno.EACCES, "--out or --store"),
     (errno.EIO, "run again"), (errno.ESTALE, "mount it again")],
)  # fmt: skip
def test_what_is_wrong_with_the_machine_is_one_message(
    number: int, remedy: str, monkeypatch: pytest.MonkeyPatch, recordings: Path
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr("mmact_oneshot.harness.benchmark.request.open_task", fails)
    told = refused(oneshot("run", "--data", recordings))
    assert f"{os.strerror(number)} (some/file). What is done is kept; " in told
    assert remedy in told


def test_methods_check_and_audit() -> None:
    listed = oneshot("methods").output
    assert all(name in listed for name in ("protonet", "sensor_nn", "random"))
    assert oneshot("check", "methods/template.py").exit_code == 0
    audited = oneshot("episodes", "audit", "--split", "utd-mhad", "--suite", "test")
    assert audited.exit_code == 0
    assert "0.00" in next(line for line in audited.output.splitlines() if "same performance" in line)


def test_a_broken_plugin_and_a_name_clash_are_listed_and_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("broken", "no_such_package:Method", METHOD.group),
        EntryPoint("trx", "mmact_oneshot.baselines.can:CAN", METHOD.group),
    ]

    def found(group: str, **match: str) -> list[EntryPoint]:
        return [point for point in points if group == METHOD.group and match.get("name", point.name) == point.name]

    monkeypatch.setattr(registry, "entry_points", found)
    listed = oneshot("methods")
    assert listed.exit_code == 0
    text = " ".join(listed.output.split())
    assert "broken cannot be used: no_such_package:Method: does not import (ModuleNotFoundError" in text
    assert "trx cannot be used: 2 methods are called 'trx': built-in; mmact_oneshot.baselines.can:CAN." in text
    assert all(f"{name} " in text for name in METHOD.built_in)
    assert text.count("origin: built-in") == len(METHOD.built_in)


def test_a_broken_method_fails_the_check(tmp_path: Path) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text(
        "from mmact_oneshot.harness.api import FewShotMethod\n"
        "class Broken(FewShotMethod):\n"
        "    def score(self, support, query):\n"
        "        x = query['video.vector' if 'video' in self.setup.modalities else 'sensors.vector']\n"
        "        return (x - x.mean(dim=1, keepdim=True))[..., :5]\n"
    )
    result = oneshot("check", plugin)
    assert result.exit_code == 1
    assert "FAILED" in result.output


def test_episodes_can_be_taken_elsewhere(tmp_path: Path) -> None:
    import pandas as pd

    out = tmp_path / "val.csv"
    assert oneshot("episodes", "build", "val", "--split", "utd-mhad", "--out", out).exit_code == 0
    table = pd.read_csv(out)
    assert table.groupby("episode").size().eq(10).all()
    first = table[table["episode"] == 0]
    queries = first[first["role"] == "query"].set_index("label")["class_name"]
    supports = first[first["role"] == "support"].set_index("label")["class_name"]
    assert queries.sort_index().equals(supports.sort_index()), "a query's label names the support of its class"
    assert json.loads(first.to_json(orient="records"))[0]["clip"].startswith(first["class_name"].iat[0])
