"""`make gpu` at small sizes on the CPU: what it compares, what it leaves, and that it ends in time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, TrainingRecord
from mmact_oneshot.harness.runtime.device import Device
from tests.gpu import installed
from tests.gpu.agreement import TOLERANCES, agreements, beyond, differences
from tests.gpu.cases import SMALL, Case
from tests.gpu.page import noted
from tests.gpu.timed import Outcome, timed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def filled(recordings: Path, split_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, with its archive beside it."""
    folder = tmp_path_factory.mktemp("gpu")
    command = [
        *(sys.executable, "-m", "tests.gpu", "--device", "cpu", "--small", "--minutes", "8", "--out", folder / "out"),
        *("--work", folder / "work", "--data", recordings, "--split", split_file),
    ]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    log = folder / "out" / "log.txt"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.is_file() else "")
    return folder / "out"


@pytest.mark.slow
def test_the_cpu_agrees_with_itself_to_the_bit(filled: Path) -> None:
    found = json.loads((filled / "agreement.json").read_text())["cases"]
    methods = {row.method for row in load_settings(SMALL[0]).studies["methods"].rows}
    assert {case["case"] for case in found} == methods | {"mu_mae pre-training", "videomae pre-training"}
    assert [case for case in found if case["failure"]] == []
    exact = [value for case in found if case["precision"] == "float32" for value in case["differences"].values()]
    assert exact
    assert set(exact) == {0.0}
    rounded = {case["case"]: case["differences"] for case in found if case["precision"] == "bfloat16"}
    assert rounded["protonet"]["gradients"] > 0


@pytest.mark.slow
def test_rates_stand_beside_bounds_and_every_switch_has_a_ratio(filled: Path) -> None:
    stages = json.loads((filled / "roofline.json").read_text())["stages"]
    timed = {stage["stage"] for stage in stages if stage.get("measured_per_second", 0) > 0 and stage["bounds"]}
    assert {"video encoder, forward and backward", "videomae pre-training, forward and backward"} <= timed
    assert "augmentation" not in timed
    switches = json.loads((filled / "switches.json").read_text())
    assert {each["switch"] for each in switches} == {"channels_last", "tf32", "compile"}
    assert [each for each in switches if each["failure"] or not each["off"] > 0 or not each["on"] > 0] == []


@pytest.mark.slow
def test_the_folder_is_read_and_carried_home(filled: Path) -> None:
    page = (filled / "README.md").read_text()
    for part in ("agreement", "roofline", "switches", "table"):
        assert f"| {part} | done |" in page
    assert f"torch | {torch.__version__}" in page
    assert "0 of 32 beyond the tolerance or failed" in page
    records = RecordFolder(filled / "table" / "records")
    assert {record.provenance["hardware"]["type"] for record in records.all(TrainingRecord)} == {"cpu"}
    assert list(records.all(EvaluationRecord))
    with tarfile.open(filled.with_name("out.tar.gz")) as packed:
        names = packed.getnames()
    assert {"out/README.md", "out/agreement.json", "out/table/report.html"} <= set(names)
    assert not [name for name in names if name.endswith((".safetensors", ".state"))]


def test_a_difference_beyond_the_tolerance_and_a_case_that_raises_are_told() -> None:
    wanted = {
        "scores": torch.tensor([[0.0, 4.0, 1.0]]),
        "loss": torch.tensor(2.0),
        "gradients": torch.tensor([3.0, 4.0]),
    }
    other = {
        "scores": torch.tensor([[4.0, 3.0, 1.0]]),
        "loss": torch.tensor(2.0),
        "gradients": torch.tensor([3.0, 4.5]),
    }
    found = differences(wanted, other)
    assert found == {"scores": 1.0, "answers": 1.0, "loss": 0.0, "gradients": pytest.approx(0.1)}
    assert beyond(found, "float32") == "scores 1 > 0.0001, gradients 0.1 > 0.01"
    assert beyond(found, "bfloat16") == "scores 1 > 0.1"
    assert beyond({"loss": float("nan")}, "bfloat16") == "loss not finite"

    def fails(device: Device) -> dict[str, Tensor]:
        raise RuntimeError("no kernel")

    same = Case("same", lambda device: wanted)
    told = list(agreements("cpu", [Case("fails", fails), same]))
    assert [each.case for each in told] == ["fails"] * len(TOLERANCES) + ["same"] * len(TOLERANCES)
    assert ["no kernel" in each.failure for each in told] == [True, True, False, False]


def test_a_checkout_that_is_not_installed_has_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed, "version", missing)
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "packages")
    installed.declare_version()
    first, added = os.environ["PYTHONPATH"].split(os.pathsep)
    assert first == "packages"
    assert sys.path[-1] == added
    (found,) = distributions(name="mmact-oneshot", path=[added])
    assert found.version == version("mmact-oneshot")
    assert any(line.startswith("torch") for line in installed.lacking())


def test_parts_of_several_calls_are_on_one_page(tmp_path: Path) -> None:
    about = {"GPU": "H100", "commit": "1"}
    noted(tmp_path, about, {"agreement": Outcome("done", 40.0), "table": Outcome("out of time", 9.0)})
    both = noted(tmp_path, about, {"table": Outcome("done", 90.0)})
    assert both == {"agreement": Outcome("done", 40.0), "table": Outcome("done", 90.0)}
    other = noted(tmp_path, {**about, "commit": "2"}, {"table": Outcome("done", 80.0)})
    assert other == {"table": Outcome("done", 80.0)}, "what other code has left is not of this page"


@pytest.mark.slow
def test_a_part_that_is_out_of_time_ends_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    code = "import time; print('found', flush=True); time.sleep(600)"
    outcome = timed([sys.executable, "-c", code], tmp_path / "log", limit=2.0, output=tmp_path / "found")
    assert outcome.status == "out of time"
    assert (tmp_path / "found").read_text() == "found\n"
    assert timed([sys.executable, "-c", ""], tmp_path / "log", limit=0.0).status == "out of time"
    assert timed([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log", limit=60.0).status == "failed (3)"
