from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmact_oneshot.harness.data.clips import COLUMNS, ClipTable, SensorSpec
from mmact_oneshot.harness.data.defects import RULES
from mmact_oneshot.harness.data.layouts import find_layout, index
from mmact_oneshot.harness.data.layouts.assemble import Found, SensorFile, VideoFile, assemble
from mmact_oneshot.harness.data.layouts.utd_mhad import CLASSES, UTDMHAD
from mmact_oneshot.harness.data.splits import clip_list, parse_split
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.planted_defects import SENSORS, kinds, official, shared, touch


def test_official_names_give_one_row_per_camera_with_shared_sensors(tmp_path: Path) -> None:
    official(tmp_path, "walking", subject=3)
    table = index(tmp_path)
    assert table.layout == "mmact"
    assert list(table.frame.columns) == [*COLUMNS, *SENSORS]
    assert table.frame["clip"].tolist() == [
        "walking/subject3_cam1_scene1_session1",
        "walking/subject3_cam2_scene1_session1",
    ]
    assert table.frame["video"].tolist() == [f"subject3/cam{c}/scene1/session1/walking.mp4" for c in (1, 2)]
    assert table.frame["gyro"].tolist() == ["gyro_clip/subject3/scene1/session1/walking.csv"] * 2
    assert table.frame["performance"].unique().tolist() == ["walking/subject3_scene1_session1"]
    assert table.frame["frames"].isna().all()
    assert table.defects == ()
    assert table.generated is None


@pytest.mark.parametrize(
    ("videos", "sensors"),
    [
        ("Video_trimmed", "Sensor_trimmed"),
        ("trimmed/video", "trimmed/sensors"),
        ("a/b/c", "a/b/acc_phone_clip"),
    ],
)
def test_extra_folders_above_the_official_layout_are_looked_through(tmp_path: Path, videos: str, sensors: str) -> None:
    touch(tmp_path, f"{videos}/subject1/cam1/scene1/session1/walking.mp4")
    touch(tmp_path, *(f"{sensors}/{each}_clip/subject1/scene1/session1/walking.csv" for each in SENSORS))
    table = index(tmp_path)
    assert table.defects == ()
    assert (table.frame[list(SENSORS)] != "").all(axis=None)


def test_flat_names_of_videos_frame_folders_and_sensors(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "carrying/subject1_cam1_scene2_session3_carrying.mp4",
        "carrying/subject1_cam2_scene2_session3_carrying/frame_1.jpg",
        *(f"sensors/{each}_clip/carrying/subject1_scene2_session3_carrying.csv" for each in SENSORS),
    )
    table = index(tmp_path)
    assert table.layout == "mmact-flat"
    assert table.frame["video"].tolist() == [
        "carrying/subject1_cam1_scene2_session3_carrying.mp4",
        "carrying/subject1_cam2_scene2_session3_carrying",
    ]
    assert table.frame[["subject", "camera", "scene", "session"]].values.tolist() == [
        [1, 1, 2, 3],
        [1, 2, 2, 3],
    ]
    assert table.frame["orientation"].nunique() == 1
    assert table.defects == ()


def test_utd_names_prefer_colour_then_depth_video(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "RGB/a27_s8_t4_color.avi",
        "Depth/a27_s8_t4_depth.mat",
        "Depth/a1_s1_t2_depth.mat",
        "Depth_mp4/a1_s1_t2_depth.mp4",
        "Depth/a2_s1_t1_depth.mat",
        "Skeleton/a27_s8_t4_skeleton.mat",
        *(f"Inertial/{each}_inertial.mat" for each in ("a27_s8_t4", "a1_s1_t2", "a2_s1_t1")),
    )
    table = index(tmp_path)
    assert table.layout == "utd-mhad"
    assert table.sensor_names == ("acc", "gyro")
    rows = table.frame.set_index("class_name")
    assert rows["video"].to_dict() == {
        "squat": "RGB/a27_s8_t4_color.avi",
        "swipe_left": "Depth_mp4/a1_s1_t2_depth.mp4",
        "swipe_right": "Depth/a2_s1_t1_depth.mat",
    }
    assert list(rows.loc["squat", ["subject", "camera", "scene", "session"]]) == [8, 1, 1, 4]
    assert set(rows.loc["squat", ["acc", "gyro"]]) == {"Inertial/a27_s8_t4_inertial.mat"}
    assert kinds(table) == {"other-video-not-used": 1, "file-not-used": 1}
    assert next(d for d in table.defects if d.kind == "other-video-not-used").detail.startswith("2 recordings")


def test_the_real_utd_mhad_is_complete() -> None:
    folder = shared("utd_mhad")
    table = index(folder)
    published = [line.split()[1] for line in (folder / "classes.txt").read_text().splitlines()]
    assert list(CLASSES) == published
    assert len(table.frame) == 861
    assert set(table.frame["class_name"]) == set(published)
    assert (table.frame[["video", "acc", "gyro"]] != "").all(axis=None)
    assert len(table.digest()) == 64


def test_capitalised_names_are_folded_and_counted(tmp_path: Path) -> None:
    official(tmp_path, "carrying_light")
    official(tmp_path, "Carrying_heavy")
    touch(tmp_path, "Subject2/cam1/scene1/session1/walking.mp4", "Subject2/cam2/scene1/session1/walking.MP4")
    table = index(tmp_path)
    assert set(table.frame["class_name"]) == {"carrying_light", "carrying_heavy", "walking"}
    folded = table.frame.set_index("clip").loc["carrying_heavy/subject1_cam1_scene1_session1"]
    assert folded["video"].endswith("/Carrying_heavy.mp4")
    assert folded["gyro"].endswith("/Carrying_heavy.csv")
    # Two videos, four sensor files, and the two folders of Subject2.
    assert kinds(table)["capitalised-name"] == 2 + 4 + 2


def test_of_copies_the_first_path_is_kept(tmp_path: Path) -> None:
    official(tmp_path, "Carrying_light")
    official(tmp_path, "carrying_light")
    official(tmp_path / "copy", "carrying_light", cameras=[1])
    table = index(tmp_path)
    assert table.frame["video"].tolist() == [
        "copy/subject1/cam1/scene1/session1/carrying_light.mp4",
        "subject1/cam2/scene1/session1/Carrying_light.mp4",
    ]
    assert kinds(table)["duplicate-clip"] == 3
    assert kinds(table)["duplicate-sensor-file"] == 4 + 4
    again = next(d for d in table.defects if d.kind == "duplicate-clip")
    assert again.path == "subject1/cam1/scene1/session1/Carrying_light.mp4"
    assert "copy/subject1/cam1" in again.detail


def test_names_that_make_no_sense_are_listed(tmp_path: Path) -> None:
    official(tmp_path, "walking")
    strange = [
        "subject1/cam1/scene1/walking.mp4",
        "subject1/cam1/scene1/session1/walking copy.mp4",
        "acc_phone_clip/subject1/scene1/walking.csv",
        "thermometer_clip/subject1/scene1/session1/walking.csv",
        "subject1/cam1/scene1/session1/walking.csv",
    ]
    touch(tmp_path, *strange, "README.txt", "notes", ".DS_Store", "__MACOSX/subject1/._walking.mp4")
    table = index(tmp_path)
    assert {d.path for d in table.defects if d.kind == "name-not-understood"} == set(strange)
    assert [d.detail for d in table.defects if d.kind == "file-not-used"] == [
        "1 with the suffix (none)",
        "1 with the suffix .txt",
    ]
    assert len(table.frame) == 2


def test_utd_names_outside_the_27_actions_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a1_s1_t1_depth.mp4", "a28_s1_t1_depth.mp4", "a3_s1_t1_depth.mp5", "A2_s1_t1_Color.AVI")
    table = index(tmp_path)
    assert {d.path for d in table.defects if d.kind == "name-not-understood"} == {
        "a28_s1_t1_depth.mp4",
        "a3_s1_t1_depth.mp5",
    }
    assert set(table.frame["class_name"]) == {"swipe_left", "swipe_right"}
    assert kinds(table)["capitalised-name"] == 1


def test_missing_cameras_sensors_and_videos_are_counted(tmp_path: Path) -> None:
    official(tmp_path, "walking", cameras=(1, 2, 3, 4))
    official(tmp_path, "waving_hand", cameras=(2,))
    (tmp_path / "gyro_clip/subject1/scene1/session1/waving_hand.csv").unlink()
    touch(tmp_path, *(f"{each}_clip/subject9/scene1/session1/walking.csv" for each in SENSORS))
    table = index(tmp_path)
    assert kinds(table) == {"camera-missing": 1, "sensor-missing": 1, "performance-without-video": 1}
    by_kind = {d.kind: d for d in table.defects}
    assert by_kind["camera-missing"].detail == "waving_hand/subject1_scene1_session1: no camera 1, 3, 4"
    assert by_kind["sensor-missing"].detail == "waving_hand/subject1_scene1_session1: no gyro"
    assert by_kind["performance-without-video"].detail.startswith("walking/subject9_scene1_session1: 4 sensor")
    assert table.frame.set_index("class_name").loc["waving_hand", "gyro"] == ""
    assert 9 not in set(table.frame["subject"])


def test_a_sensor_without_any_file_is_one_defect(tmp_path: Path) -> None:
    touch(tmp_path, *(f"subject{s}/cam1/scene1/session1/walking.mp4" for s in (1, 2, 3)))
    table = index(tmp_path)
    assert kinds(table) == {"sensor-missing-everywhere": 4}
    assert (table.frame[list(SENSORS)] == "").all(axis=None)


def test_every_defect_states_its_rule_and_remedy(tmp_path: Path) -> None:
    official(tmp_path, "Walking", cameras=(1,))
    for each in index(tmp_path).defects:
        assert (each.rule, each.remedy) == (RULES[each.kind].rule, RULES[each.kind].remedy)
    assert all(rule.rule and rule.remedy for rule in RULES.values())


def test_links_are_followed_once(tmp_path: Path) -> None:
    official(tmp_path / "real", "walking")
    (tmp_path / "real/loop").symlink_to(tmp_path / "real")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/data").symlink_to(tmp_path / "real")
    table = index(tmp_path / "root")
    assert table.frame["video"].str.startswith("data/subject1").all()
    assert table.defects == ()


def test_the_digest_follows_paths_and_sizes(tmp_path: Path) -> None:
    official(tmp_path, "walking")
    before = index(tmp_path).digest()
    assert index(tmp_path).digest() == before
    (tmp_path / "gyro_clip/subject1/scene1/session1/walking.csv").write_text("x")
    after = index(tmp_path).digest()
    assert after != before
    official(tmp_path, "waving_hand")
    assert index(tmp_path).digest() != after


def test_generated_data_say_so(tmp_path: Path) -> None:
    official(tmp_path, "walking")
    (tmp_path / "synthetic.json").write_text(json.dumps({"seed": 3}))
    table = index(tmp_path)
    assert table.generated == {"seed": 3}
    assert table.defects == ()
    (tmp_path / "synthetic.json").write_text("{")
    with pytest.raises(HarnessError, match="no JSON"):
        index(tmp_path)


def test_folders_that_are_no_data_set_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such folder"):
        find_layout(tmp_path / "nowhere")
    with pytest.raises(HarnessError, match=r"is empty.*oneshot data synthesize"):
        find_layout(tmp_path)
    touch(tmp_path, "holiday/beach.mp4")
    with pytest.raises(HarnessError, match=r"no data set.*subjectN/camN.*aA_sS_tT.*holiday/beach.mp4"):
        find_layout(tmp_path)
    with pytest.raises(HarnessError, match="This is a file"):
        find_layout(tmp_path / "holiday/beach.mp4")
    with pytest.raises(HarnessError, match="Did you mean 'mmact'"):
        find_layout(tmp_path, "mmactt")


def test_two_layouts_in_one_folder_need_a_name(tmp_path: Path) -> None:
    official(tmp_path, "walking")
    touch(tmp_path, "utd/a1_s1_t1_color.avi")
    with pytest.raises(HarnessError, match=r"several layouts.*mmact.*utd-mhad.*--layout"):
        find_layout(tmp_path)
    assert find_layout(tmp_path, "utd-mhad").name == "utd-mhad"
    table = index(tmp_path, "mmact")
    assert len(table.frame) == 2
    assert kinds(table)["name-not-understood"] == 1


def test_sensor_files_without_any_video_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "gyro_clip/subject1/scene1/session1/walking.csv")
    with pytest.raises(HarnessError, match=r"no video.*1 sensor files"):
        index(tmp_path)


def test_a_layout_says_what_its_videos_show() -> None:
    layout = UTDMHAD()
    assert layout.stream("RGB/a1_s1_t1_color.avi") == "colour"
    assert layout.stream("Depth/a1_s1_t1_depth.mat") == layout.stream("a1_s1_t1_depth.mp4") == "depth"


def assembled(root: Path, names: list[str], unit: str = "m/s^2") -> ClipTable:
    sensor = SensorSpec("mag", unit, 50.0, "wrist")
    found: list[Found] = [VideoFile(name, 1, 1, 1, place, f"{name}-{place}.mp4") for place, name in enumerate(names)]
    found += [SensorFile("mag", name, 1, 1, place, f"{name}-{place}.csv") for place, name in enumerate(names)]
    return assemble(root, "mine", (sensor,), found)


def test_classes_with_capitals_are_found_by_a_split_that_has_them(tmp_path: Path) -> None:
    table = assembled(tmp_path, ["Jump", "Run", "Walk"])
    split = parse_split({"name": "mine", "base": ["Jump"], "validation": ["run"], "novel": ["WALK"]}, "mine.toml")
    assert clip_list(split, None, table.frame, "mine")["class_name"].tolist() == ["jump", "run", "walk"]
    assert (table.frame["mag"] != "").all()


def test_classes_that_differ_in_capitals_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="capital letters alone: Run, run"):
        assembled(tmp_path, ["Run", "jump", "run"])


def test_a_sensor_in_an_unknown_unit_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="'mag' of layout 'mine' is in 'uT'") as refusal:
        assembled(tmp_path, ["jump"], unit="uT")
    assert "T, 1" in refusal.value.remedy
    assembled(tmp_path, ["jump"], unit="T")
