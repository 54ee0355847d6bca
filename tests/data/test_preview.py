"""The contact sheet: any layout, the clips that were asked for, missing sensors named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmact_oneshot.harness.data.layouts import find_layout, index
from mmact_oneshot.harness.data.preview import preview
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize
from mmact_oneshot.harness.runtime.errors import HarnessError

SETTINGS = SyntheticSettings(classes=("kicking", "talking"), subjects=1, sessions=((1, 1), (2, 1)), fps=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preview") / "data"
    synthesize(folder, SETTINGS)
    return folder


@pytest.mark.slow
def test_a_picture_of_the_classes_asked_for_in_their_order(root: Path, tmp_path: Path) -> None:
    shown = preview(index(root), find_layout(root), tmp_path / "made" / "sheet.png", ("talking", "kicking"), frames=3)
    assert [clip.split("/")[0] for clip in shown] == ["talking", "kicking"]
    picture = np.asarray(Image.open(tmp_path / "made" / "sheet.png").convert("RGB"))
    assert picture.shape[1] > picture.shape[0] > 200
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200  # frames and traces, not an empty figure


def test_without_names_every_class_of_a_small_set_is_shown(root: Path, tmp_path: Path) -> None:
    shown = preview(index(root), find_layout(root), tmp_path / "sheet.png", frames=2)
    assert [clip.split("/")[0] for clip in shown] == ["kicking", "talking"]


@pytest.mark.slow
def test_a_clip_with_every_sensor_is_preferred(root: Path, tmp_path: Path) -> None:
    table = index(root)
    table.frame.loc[table.frame["scene"] == 1, "gyro"] = ""
    shown = preview(table, find_layout(root), tmp_path / "sheet.png", ("kicking",), frames=2)
    assert "scene2" in shown[0]


def test_a_missing_sensor_leaves_its_place_empty(root: Path, tmp_path: Path) -> None:
    table = index(root)
    table.frame["gyro"] = ""
    assert preview(table, find_layout(root), tmp_path / "sheet.svg", ("kicking",), frames=2)
    assert (tmp_path / "sheet.svg").read_text().count("missing") == 1


def test_unknown_classes_and_formats_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="'kicking'"):
        preview(index(root), find_layout(root), tmp_path / "sheet.png", ("kickin",))
    with pytest.raises(HarnessError, match="cannot be written"):
        preview(index(root), find_layout(root), tmp_path / "sheet.nonsense", ("kicking",), frames=2)
