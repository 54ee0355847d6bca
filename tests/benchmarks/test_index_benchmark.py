"""The clip table of empty files with the names of full MMAct: 33,970 videos, 8,668 x 4 sensor files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.layouts.mmact_sensors import SENSORS
from mmact_oneshot.harness.data.splits import load_split


@pytest.fixture(scope="module")
def empty_mmact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mmact")
    clips = load_split("mmact").clips
    assert clips is not None
    names = [
        f"Video_trimmed/subject{row.subject}/cam{row.camera}/scene{row.scene}/session{row.session}/{row.class_name}.mp4"
        for row in clips.itertuples()
    ]
    names += [
        f"Sensor_trimmed/{sensor.name}_clip/subject{row.subject}/scene{row.scene}/session{row.session}/{row.class_name}.csv"
        for row in clips.drop_duplicates("performance").itertuples()
        for sensor in SENSORS
    ]
    for folder in {name.rpartition("/")[0] for name in names}:
        (root / folder).mkdir(parents=True)
    for name in names:
        (root / name).touch()
    return root


def test_index_of_full_mmact(benchmark: BenchmarkFixture, empty_mmact: Path) -> None:
    table = benchmark.pedantic(index, args=(empty_mmact,), rounds=3)
    assert len(table.frame) == 33_970
    assert table.frame["performance"].nunique() == 8_668
    assert (table.frame[list(table.sensor_names)] != "").all(axis=None)


def test_digest_of_full_mmact(benchmark: BenchmarkFixture, empty_mmact: Path) -> None:
    table = index(empty_mmact)
    assert len(benchmark.pedantic(table.digest, rounds=3)) == 64
