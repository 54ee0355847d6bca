"""Planted defects: each is there, listed, and nothing else is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, plan, synthesize
from mmact_oneshot.harness.data.synthetic.defects import KINDS, PLANTED_FILE, planted_in
from mmact_oneshot.harness.data.synthetic.plan import performances
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.generated_files import digests, rows

SMALL = SyntheticSettings(
    classes=("kicking", "sitting_down", "talking"), subjects=2, sessions=((1, 1), (2, 1)), desk_sessions=((3, 1),)
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("broken") / "data"
    synthesize(root, DEFECTIVE)
    return root


DEFECTIVE = SyntheticSettings(
    classes=("checking_time", "kicking", "standing", "talking"), subjects=2, cameras=2, defects=True, fps=5
)


def test_every_kind_of_defect_is_planted_and_listed(broken: Path) -> None:
    planted = planted_in(broken)
    assert planted is not None
    assert {item.kind for item in planted} == set(KINDS)
    where = {item.kind: broken / item.path for item in planted}
    assert where["sensor-file-empty"].read_bytes() == b""
    assert where["sensor-header"].read_text().startswith("time,x,y,z\n")
    for kind in ("sensor-missing", "camera-missing", "session-videos-missing"):
        assert not where[kind].exists()
    assert where["name-capitalised"].exists()
    assert where["name-capitalised"].name[0].isupper()
    assert "carrying" in where["class-outside-split"].name
    assert any("." not in line.split(",")[0] for line in where["time-no-fraction"].read_text().splitlines())
    for kind, spoiled in (("time-unordered", lambda steps: (steps < 0).any()),
                          ("time-duplicated", lambda steps: (steps == 0).any()),
                          ("sensor-gap", lambda steps: steps.max() > 0.1)):  # fmt: skip
        assert spoiled(np.diff(rows(where[kind])[0])), kind
    assert np.ptp(rows(where["sensor-constant"])[1], axis=0)[1] == 0
    with pytest.raises(ValueError, match="does not match"):
        rows(where["sensor-text"])
    import av

    with pytest.raises(av.error.FFmpegError):
        av.open(str(where["video-truncated"]))


def test_everything_but_the_defects_is_as_planned(broken: Path) -> None:
    planted = {item.path for item in planted_in(broken) or ()}
    clean = plan(DEFECTIVE)
    listed = index(broken).frame
    missing = set(clean["clip"]) - set(listed["clip"])
    gone = [path for path in planted if path.endswith(".mp4") and not (broken / path).exists()]
    assert len(missing) == len(gone)
    assert {"carrying_heavy", "carrying_light"} <= set(listed["class_name"])
    assert (clean["class_name"].isin(DEFECTIVE.classes)).all()


def test_planting_is_repeatable_and_resumes(broken: Path) -> None:
    before = digests(broken)
    assert synthesize(broken, DEFECTIVE).performances == 0
    (broken / PLANTED_FILE).unlink()  # as if it had been cut off while planting
    assert synthesize(broken, DEFECTIVE).performances > 0
    assert digests(broken) == before


def test_defects_need_room(tmp_path: Path) -> None:
    tiny = replace(SMALL, subjects=1, defects=True)
    assert len(performances(tiny)) < len(KINDS)
    with pytest.raises(HarnessError, match="as many performances"):
        synthesize(tmp_path / "data", tiny)
    assert not (tmp_path / "data").exists()
