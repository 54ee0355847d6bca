"""`oneshot roofline` as tables and as JSON."""

from __future__ import annotations

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from mmact_oneshot.harness.cli import main as cli


def roofline(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["roofline", "--preset", "quick", *arguments])


@pytest.mark.slow
def test_tables_and_json_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmact_oneshot.harness.cli.console.console", Console(width=200, highlight=False))
    shown = roofline("--gpu", "H100", "--gpu", "A100", "--share", "0.5")
    assert shown.exit_code == 0, shown.output
    assert "preset quick in bfloat16: how many a second at the peak, and at 50% of it" in shown.output
    assert "measured on" not in shown.output
    found = json.loads(roofline("--json", "--gpu", "A100", "--set", "precision=float32").output)
    assert (found["preset"], found["precision"], found["tf32"]) == ("quick", "float32", False)
    for stage in found["stages"]:
        assert stage["stage"] in shown.output
        (bound,) = stage["bounds"].values()
        of_memory = stage["memory_bytes"] / 2.039e12
        of_compute = (stage["flops"] + stage["flops_float32"]) / 19.5e12
        assert bound["seconds"] == pytest.approx(max(of_compute, of_memory, stage["link_bytes"] / 32e9))
        assert "measured_per_second" not in stage


def test_a_gpu_that_is_not_known_is_one_message() -> None:
    result = roofline("--gpu", "H10")
    assert result.exit_code == 2
    assert "Did you mean 'H100'" in " ".join(result.output.split())
