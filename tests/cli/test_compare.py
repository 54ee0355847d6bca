"""`oneshot compare` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.records import TrainingRecord
from tests.helpers.scored_runs import oneshot, refused, said
from tests.helpers.small_runs import GENERATED, add, add_suite, answers, rewrite

ROOT = Path(__file__).parents[2]
EPISODES = 60


def fill(run: Path, means: dict[str, float], shift: int = 0) -> Path:
    records = run / "records"
    add_suite(records, EPISODES)
    for place, (name, mean) in enumerate(means.items()):
        for seed in range(3):
            right = np.random.default_rng([place + shift, seed]).random((EPISODES, 2)) < mean
            add(records, name, seed, answers(right.mean(axis=1).tolist()))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return fill(tmp_path / "runs" / "one", {"good": 0.9, "bad": 0.3, "like": 0.3})


def test_two_rows_of_a_run(run: Path) -> None:
    text = said(oneshot("compare", "good", "bad", "--in", run))
    assert "A is significantly better than B, by " in text
    assert "new performances" in text
    assert "new subjects" in text
    assert "Sign flips by subject: p = 0.008" in text
    assert "Trained under the same conditions, but for what belongs to the method." in text
    assert "Classes in which A gains most" in text
    assert "One of 3 pairs of its ranking" in text
    assert "of the same classes" in text


def test_the_run_is_found_where_there_is_one(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent.parent)
    assert "A is significantly better than B" in said(oneshot("compare", "good", "bad"))
    fill(run.parent / "two", {"good": 0.9, "bad": 0.3})
    latest = oneshot("compare", "good", "bad")
    assert latest.exit_code == 0
    assert "runs/two: the latest of 2 runs" in latest.stderr
    assert "A is significantly better than B" in said(oneshot("compare", "runs/one:good", "runs/two:bad"))


def test_no_difference_is_no_error(run: Path) -> None:
    assert "A and B do not differ significantly" in said(oneshot("compare", "bad", "like", "--in", run))


def test_refusals(run: Path, tmp_path: Path) -> None:
    assert "Did you mean 'good'" in refused(oneshot("compare", "god", "bad", "--in", run))
    assert "no suite 'tset' was scored. Did you mean 'test'" in refused(
        oneshot("compare", "good", "bad", "--in", run, "--suite", "tset")
    )
    assert "no study 'method'. Did you mean 'methods'" in refused(
        oneshot("compare", "good", "bad", "--in", run, "--study", "method")
    )
    assert "no such folder" in refused(oneshot("compare", f"{tmp_path}/x:good", "bad", "--in", run))
    assert "no records here" in refused(oneshot("compare", "good", "bad", "--in", tmp_path / "nothing"))
    assert "the same" in refused(oneshot("compare", run, run))


def test_generated_data_is_said_first(run: Path) -> None:
    rewrite(run / "records", TrainingRecord, data=GENERATED)
    assert said(oneshot("compare", "good", "bad", "--in", run)).startswith("Generated data")


def test_json_is_all_there_is(run: Path) -> None:
    result = oneshot("compare", "good", "bad", "--in", run, "--json")
    assert result.exit_code == 0
    (content,) = json.loads(result.output)["comparisons"]
    assert content["a"]["row"] == "good, video"
    assert content["difference"]["low"] > 0
    assert content["seeds"] == [0, 1, 2]


def test_two_folders_row_by_row(run: Path, tmp_path: Path) -> None:
    other = fill(tmp_path / "two", {"good": 0.9, "bad": 0.7, "new": 0.5})
    text = said(oneshot("compare", run, other))
    assert "1 of 2 rows are right and wrong on the very same queries in A and B: good, video." in text
    assert "bad, video" in text
    assert "only A has like, video (test)." in text
    result = oneshot("compare", run, other, "--json")
    content = {each["a"]["row"]: each for each in json.loads(result.output)["comparisons"]}
    assert content["good, video"]["p_holm"] == 1
    bad = content["bad, video"]
    assert bad["p_holm"] == pytest.approx(min(1, 2 * bad["difference"]["p"]))
    same = fill(tmp_path / "three", {"good": 0.9})
    assert "All rows are right and wrong on the very same queries" in said(oneshot("compare", run, same))


def test_needs_no_torch(run: Path) -> None:
    code = """
import sys
from mmact_oneshot.harness.cli.main import app
try:
    app(["compare", "good", "bad", "--in", sys.argv[1]])
except SystemExit as done:
    assert not done.code
assert not {"torch", "pandas", "matplotlib", "timm"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(run)], cwd=ROOT, check=True, capture_output=True)
