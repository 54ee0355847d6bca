from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from mmact_oneshot.harness.cli import data_index, data_verify
from mmact_oneshot.harness.data.clips import with_ids
from mmact_oneshot.harness.data.defects import RULES
from mmact_oneshot.harness.data.layouts import index, load_layout
from mmact_oneshot.harness.data.verify import VerifyReport, verify
from tests.helpers.planted_defects import SENSORS, csv_lines, grey_ramp, official, shared, touch, write_video

LAYOUT = load_layout("mmact")


def sound(root: Path, action: str, subject: int = 1, cameras: tuple[int, ...] = (1, 2)) -> None:
    """A performance in which nothing is wrong."""
    official(root, action, subject, cameras)
    for camera in cameras:
        write_video(root / f"subject{subject}/cam{camera}/scene1/session1/{action}.mp4", grey_ramp(6))
    seconds = np.arange(0, 0.5, 0.02)
    rows = np.stack([np.sin(seconds), np.cos(seconds), seconds], axis=1)
    for sensor in SENSORS:
        path = root / f"{sensor}_clip/subject{subject}/scene1/session1/{action}.csv"
        path.write_text("\n".join(csv_lines(seconds, rows)))


def plant(root: Path) -> dict[str, int]:
    """Every defect that MMAct is known to have; returns how often each kind stands there."""
    for action in ("walking", "waving_hand", "pulling", "carrying_heavy"):
        sound(root, action)
    place = "subject1/scene1/session1"
    phone, watch, gyro = (root / f"{sensor}_clip/{place}" for sensor in SENSORS[:3])
    seconds = np.arange(50) / 50
    rows = np.stack([np.sin(seconds), np.cos(seconds), seconds], axis=1)
    lines = csv_lines(seconds, rows)

    (phone / "walking.csv").write_text("")
    (watch / "walking.csv").write_text("time,x,y,z\n" + "\n".join([*lines[:20], *lines[35:]]))  # a gap
    (gyro / "walking.csv").unlink()
    swapped = [lines[1], lines[0], *lines[2:]]
    (phone / "waving_hand.csv").write_text("\n".join(swapped))
    (watch / "waving_hand.csv").write_text("\n".join([lines[0], *lines]))
    second, rest = lines[10].split(".", 1)
    lines[10] = f"{second},{rest.split(',', 1)[1]}"
    (gyro / "waving_hand.csv").write_text("\n".join(lines))
    rows[:, 1] = 9.81
    constant = csv_lines(seconds, rows)
    constant[5] = "20180709_12:00:00.1,nan,0,0"
    (phone / "pulling.csv").write_text("\n".join(constant))
    (watch / "pulling.csv").write_text("this is\nno sensor file")
    video = root / "subject1/cam1/scene1/session1"
    (video / "pulling.mp4").write_bytes((video / "pulling.mp4").read_bytes()[:400])
    (video / "waving_hand.mp4").unlink()
    touch(root, "gyro_clip/subject7/scene1/session1/walking.csv", "subject1/cam1/readme.mp4")
    for name in (*SENSORS, "cam1", "cam2"):
        folder = root / (f"{name}_clip/{place}" if name in SENSORS else f"subject1/{name}/scene1/session1")
        suffix = "csv" if name in SENSORS else "mp4"
        (folder / f"carrying_heavy.{suffix}").rename(folder / f"Carrying_heavy.{suffix}")
    return {
        "capitalised-name": 6,
        "name-not-understood": 1,
        "camera-missing": 1,
        "sensor-missing": 1,
        "performance-without-video": 1,
        "sensor-file-empty": 1,
        "sensor-file-not-csv": 1,
        "time-gap": 1,
        "time-unordered": 1,
        "time-duplicated": 1,
        "time-fraction-missing": 1,
        "row-unreadable": 1,
        "constant-column": 1,
        "video-unreadable": 1,
        "class-in-no-split": 1,
    }


def report_of(root: Path, workers: int = 1, deep: bool = True) -> VerifyReport:
    return verify(
        index(root),
        expected=None,
        known_classes={"walking", "waving_hand", "pulling"},
        deep=deep,
        workers=workers,
    )


def test_sound_data_have_no_defect(tmp_path: Path) -> None:
    sound(tmp_path, "walking")
    report = verify(index(tmp_path), expected=None, known_classes=None, deep=True, workers=1)
    assert report.defects.empty
    assert report.kinds.empty
    assert report.usable


def test_every_known_defect_is_found_with_rule_and_remedy(tmp_path: Path) -> None:
    planted = plant(tmp_path)
    report = report_of(tmp_path)
    assert report.kinds.set_index("kind")["count"].to_dict() == planted
    assert list(report.defects.columns) == ["kind", "path", "row", "detail", "rule", "remedy"]
    assert (report.defects["rule"].str.len() > 0).all()
    assert (report.defects["remedy"].str.len() > 0).all()
    by_kind = report.defects.drop_duplicates("kind").set_index("kind")
    assert list(by_kind.loc["sensor-file-not-csv", ["path", "row"]]) == [
        "acc_watch_clip/subject1/scene1/session1/pulling.csv",
        1,
    ]
    assert by_kind.loc["time-fraction-missing", "row"] == 11
    assert by_kind.loc["video-unreadable", "path"] == "subject1/cam1/scene1/session1/pulling.mp4"
    assert by_kind.loc["class-in-no-split", "detail"] == "carrying_heavy: 2 clips"
    unusable = report.kinds.loc[report.kinds["unusable"], "kind"]
    assert set(unusable) == {"video-unreadable", "sensor-file-not-csv"}
    assert report.kinds["unusable"].is_monotonic_decreasing
    assert not report.usable


def test_every_planted_file_can_still_be_read(tmp_path: Path) -> None:
    from mmact_oneshot.harness.data.sensors.reader import read_performance, to_grid

    plant(tmp_path)
    table = index(tmp_path)
    for _, row in table.frame.drop_duplicates("performance").iterrows():
        sensors = read_performance(table, LAYOUT, row)
        for recording in filter(None, sensors.recordings.values()):
            values, measured = to_grid(recording, sensors.start, sensors.end, 32)
            assert np.isfinite(values).all()
            assert measured.any()


def test_reading_names_only_opens_nothing(tmp_path: Path) -> None:
    plant(tmp_path)
    report = report_of(tmp_path, deep=False)
    assert report.usable
    assert not report.deep
    assert not {"video-unreadable", "sensor-file-empty"} & set(report.kinds["kind"])


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    plant(tmp_path)
    reports: list[tuple[int, int]] = []
    alone = report_of(tmp_path)
    together = verify(
        index(tmp_path),
        expected=None,
        known_classes={"walking", "waving_hand", "pulling"},
        deep=True,
        workers=2,
        progress=lambda done, total: reports.append((done, total)),
    )
    pd.testing.assert_frame_equal(alone.defects, together.defects)
    assert reports[-1] == (4, 4)


def test_counts_stand_beside_what_is_expected(tmp_path: Path) -> None:
    official(tmp_path, "walking")
    official(tmp_path, "pulling", subject=2, cameras=(1, 2))
    touch(tmp_path, "subject3/cam1/scene1/session1/unknown.mp4")
    expected = with_ids(
        pd.DataFrame(
            [("walking", 1, camera, 1, 1) for camera in (1, 2, 3)] + [("waving_hand", 4, 1, 2, 1)],
            columns=["class_name", "subject", "camera", "scene", "session"],
        )
    )
    known = {"walking", "waving_hand", "pulling"}
    report = verify(index(tmp_path), expected=expected, known_classes=known, deep=False, workers=1)
    counts = report.counts.set_index("what")
    assert counts["found"].to_dict() == {
        "classes": 3,
        "subjects": 3,
        "cameras": 2,
        "scenes": 1,
        "sessions": 1,
        "performances": 3,
        "clips": 5,
        **{f"{sensor} files": 2 for sensor in SENSORS},
    }
    assert counts["expected"].tolist() == [2, 2, 3, 2, 1, 2, 4, 2, 2, 2, 2]
    details = report.defects.groupby("kind")["detail"].apply(list).to_dict()
    assert details["clip-not-on-disk"] == [
        "walking/subject1_cam3_scene1_session1",
        "waving_hand/subject4_cam1_scene2_session1",
    ]
    assert details["clip-not-expected"] == [f"pulling/subject2_cam{c}_scene1_session1" for c in (1, 2)]
    assert details["class-in-no-split"] == ["unknown: 1 clips"]
    assert report.usable, "what is missing is handled, not unusable"


def test_a_few_real_recordings_are_sound(tmp_path: Path) -> None:
    folder = shared("utd_mhad")
    for name in ("a1_s1_t1", "a22_s3_t2"):
        (tmp_path / f"{name}_depth.mp4").symlink_to(folder / f"Depth_mp4/{name}_depth.mp4")
        (tmp_path / f"{name}_inertial.mat").symlink_to(folder / f"Inertial/{name}_inertial.mat")
    (tmp_path / "a27_s8_t3_depth.mat").symlink_to(folder / "Depth/a27_s8_t3_depth.mat")
    (tmp_path / "a27_s8_t3_inertial.mat").symlink_to(folder / "Inertial/a27_s8_t3_inertial.mat")
    table = index(tmp_path)
    report = verify(table, expected=None, known_classes=None, deep=True, workers=1)
    assert report.defects.empty


# --- the commands

app = typer.Typer()
app.command("index")(data_index.command)
app.command("verify")(data_verify.command)


@pytest.fixture
def split(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("split") / "own.toml"
    path.write_text('base = ["walking"]\nvalidation = ["waving_hand"]\nnovel = ["pulling"]\n')
    return str(path)


def test_index_prints_counts_and_writes_the_table(tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "tables/clips.csv"
    official(root, "walking", cameras=(1, 2, 3))
    official(root, "Pulling", cameras=(1,))
    result = CliRunner().invoke(app, ["index", str(root), "--out", str(out)])
    assert result.exit_code == 0, result.output
    for text in ("layout mmact", "performances", "1 x camera-missing", "5 x capitalised-name"):
        assert text in result.output
    assert len(pd.read_csv(out)) == 4


def test_verify_exits_with_1_for_what_is_unusable_and_lists_it(tmp_path: Path, split: str) -> None:
    root, out = tmp_path / "data", tmp_path / "defects.csv"
    planted = plant(root)
    result = CliRunner().invoke(app, ["verify", str(root), "--split", split, "--csv", str(out), "--workers", "1"])
    assert result.exit_code == 1, result.output
    assert "unusable" in result.output
    listed = pd.read_csv(out)
    assert listed["kind"].value_counts().to_dict() == planted
    assert set(listed["rule"]) <= {rule.rule for rule in RULES.values()}


def test_verify_exits_with_0_for_what_is_handled(tmp_path: Path, split: str) -> None:
    sound(tmp_path, "Walking")
    (tmp_path / "gyro_clip/subject1/scene1/session1/Walking.csv").write_text("")
    result = CliRunner().invoke(app, ["verify", str(tmp_path), "--split", split, "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "empty" in result.output
    assert "unknown" in result.output  # a split without a clip list says nothing of numbers
