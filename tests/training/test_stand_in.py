"""Every method and recipe trains a step on the stand-in accelerator without reading a value back.

At the sizes of ``standard``; at those of ``full``: ``python -m tests.helpers.stand_in_steps full float32``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mmact_oneshot.harness.config.presets import load_settings

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_step_of_every_method_and_recipe_stays_on_the_device() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.stand_in_steps", "standard", "float32"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["row"]: line["failure"] for line in found if line["failure"]} == {}
    trained = {line["row"] for line in found if "clips" in line["detail"]}
    methods = {row.method for row in load_settings("standard").studies["methods"].rows}
    untrained = {"video_nn", "sensor_nn", "random"}
    assert {row.split()[0] for row in trained} == methods - untrained
    assert {"mu_mae pre-training", "videomae pre-training", "trx frozen", "trx end_to_end"} <= trained
