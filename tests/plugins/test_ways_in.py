"""Plugins of every kind at work: a layout, an encoder, a metric and a figure, without an edit of ours."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmact_oneshot.harness.cli.scaffold import write_new
from mmact_oneshot.harness.data.layouts import find_layout, index, layout_of
from mmact_oneshot.harness.data.prepare import prepare
from mmact_oneshot.harness.data.verify import verify
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import FIGURE, METRIC
from mmact_oneshot.harness.records import TrainingRecord
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.conftest import STORE
from tests.helpers.planted_defects import grey_ramp, write_video
from tests.helpers.scored_runs import oneshot, said
from tests.helpers.small_runs import HALF, add_seeds
from tests.helpers.toy_runs import run, study, workspace
from tests.helpers.toys import toy_store, toy_task

SENSOR_ENCODER = '''
import torch
from torch import nn
from mmact_oneshot import Encoder

class Means(Encoder):
    """Means of every sensor through one layer."""
    modality = "sensors"
    def __init__(self, shape, sensors, *, width: int = 8) -> None:
        super().__init__()
        self.sensors, self.linear = sensors, nn.Linear(3 * len(sensors), width)
        self.widths = {"vector": width}
    def forward(self, clips, outputs):
        means = torch.cat([clips.sensors[name].mean(dim=1) for name in self.sensors], dim=-1)
        return {"vector": self.linear(means)}
'''
FIGURE_FILE = '''
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure

@SuiteFigure
def dots(results):
    """A dot."""
    panel = Panel("", "one dot", 10, 10, '<circle cx="5" cy="5" r="2"/>')
    return Figure("dots", "Dots of mine", ("A dot.",), (panel,), ("row",), tuple((row.name,) for row in results.rows))
'''


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Recordings in the layout of the template."""
    root = tmp_path / "data"
    root.mkdir()
    for action, subject in (("waving", 1), ("waving", 2), ("kicking", 1)):
        write_video(root / f"{action}-{subject}-1.mp4", grey_ramp(12))
        rows = [f"{100 + 0.02 * i},{0.1 * i},0,9.8" for i in range(20)]
        (root / f"{action}-{subject}-1.csv").write_text("\n".join(rows) + "\n")
    (root / "kicking-1-1.csv").write_text("what?\n")
    return root


def test_recordings_in_a_layout_of_somebody_else_are_indexed_verified_and_prepared(
    recorded: Path, tmp_path: Path
) -> None:
    (layout, *_) = write_new("layout", "named_files", tmp_path, package=False)
    table = index(recorded, str(layout))
    assert table.layout == "named-files"
    assert layout_of(table).looks_for.startswith("class-subject-take")
    report = verify(table, expected=None, known_classes=None, deep=True, workers=2)  # in processes of their own
    assert "sensor-file-unreadable" in set(report.defects["kind"])
    store = prepare(table, STORE, tmp_path / "store", workers=1)
    assert store.clips["class_name"].tolist() == ["kicking", "waving", "waving"]
    assert store.measured["acc"].any(axis=1).tolist() == [False, True, True]
    assert store.manifest["layout"] == "named-files"
    with pytest.raises(HarnessError, match=r"no data set in a known layout.*--layout FILE\.py"):
        find_layout(recorded)
    layout.write_text(layout.read_text() + "\n# read in another way\n")
    assert index(recorded, str(layout)).digest() != table.digest(), "a changed layout may give other content"


def test_an_encoder_of_somebody_else_is_trained_and_part_of_the_conditions(tmp_path: Path) -> None:
    path = tmp_path / "means.py"
    path.write_text(SENSOR_ENCODER)
    rows = [{"method": "protonet", "modalities": ["sensors"]}, {"method": "can", "modalities": ["sensors"]}]
    changes = {"sensor_encoder": {"name": str(path), "arguments": {"width": 12}}}
    place = workspace(tmp_path / "run", toy_task(toy_store(), studies=study(rows, seeds=[0]), **changes))
    plan = run(place)
    (record,) = [each for each in place.records.all(TrainingRecord) if each.method == "protonet"]
    encoder = record.conditions["encoders"]["sensors"]
    assert (encoder["name"], encoder["arguments"]) == ("means", {"width": 12})
    assert len(encoder["source"]) == 64
    skipped = {job.label for job in plan.jobs} - {each.method for each in place.records.all(TrainingRecord)}
    assert skipped == {"can"}, "it needs a map, which this encoder does not give: skipped, with the reason"
    path.write_text(SENSOR_ENCODER.replace(".mean(dim=1)", ".amax(dim=1)"))
    changed = workspace(tmp_path / "run", toy_task(toy_store(), studies=study(rows[:1], seeds=[0]), **changes))
    assert run(changed).jobs[0].id != record.id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"width": "wide"}, "setting 'width' of Means.*integer"), ({"widht": 3}, "Means has no setting 'widht'.*'width'")],
)
def test_wrong_settings_of_an_encoder_are_named(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    path = tmp_path / "means.py"
    path.write_text(SENSOR_ENCODER)
    rows = [{"method": "protonet", "modalities": ["sensors"]}]
    changes = {"sensor_encoder": {"name": str(path), "arguments": arguments}}
    with pytest.raises(HarnessError, match=message):
        run(workspace(tmp_path / "run", toy_task(toy_store(), studies=study(rows), **changes)))


def test_an_encoder_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "means.py"
    path.write_text(SENSOR_ENCODER)
    assert "All checks passed" in said(oneshot("check", path))
    path.write_text(SENSOR_ENCODER.replace("means)}", "means - means.mean(dim=0))}"))
    broken = oneshot("check", path)
    assert broken.exit_code == 1
    assert re.search(r"clip-independence.*FAILED", broken.output)


def test_a_metric_of_a_file_changes_tables_and_csv(tmp_path: Path) -> None:
    add_seeds(tmp_path / "run" / "records", "half", HALF)
    (metric, *_) = write_new("metric", "never_right", tmp_path, package=False)
    said(oneshot("report", tmp_path / "run", "--metric", metric))
    rows = pd.read_csv(tmp_path / "run" / "rows.csv")
    assert rows["never_right"].iat[0] == pytest.approx(np.mean([1 / 4, 0, 1 / 4]), abs=1e-6)
    assert "never right, %" in (tmp_path / "run" / "report.html").read_text("utf-8")
    said(oneshot("report", tmp_path / "run"))
    assert "never_right" not in pd.read_csv(tmp_path / "run" / "rows.csv")


def test_metrics_and_figures_of_a_package_are_everywhere_without_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_seeds(tmp_path / "run" / "records", "half", HALF)
    add_seeds(tmp_path / "run" / "records", "good", [[1.0, 1.0, 0.5, 1.0]] * 3)
    (metric, *_) = write_new("metric", "their_metric", tmp_path, package=False)
    (tmp_path / "their_figure.py").write_text(FIGURE_FILE)
    points = [
        EntryPoint("their_metric", f"{metric.stem}:their_metric", METRIC.group),
        EntryPoint("dots", "their_figure:dots", FIGURE.group),
        EntryPoint("broken", "their_missing:thing", METRIC.group),
    ]
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group, **match: [e for e in points if e.group == group and match.get("name", e.name) == e.name],
    )
    said(oneshot("report", tmp_path / "run"))
    assert "their_metric" in pd.read_csv(tmp_path / "run" / "rows.csv")
    assert "Dots of mine" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert (tmp_path / "run" / "figures" / "methods-test-dots.svg").is_file()
    assert "never right, %: A " in said(oneshot("compare", "good", "half", "--in", tmp_path / "run"))
    assert [each.name for each in read_report(tmp_path / "run").metrics][-1] == "their_metric"
    assert "broken cannot be used" in said(oneshot("metrics"))
