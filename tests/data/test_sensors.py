"""Files of sensors: what is read, what is left out and counted, and the clock of a performance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.layouts import index, load_layout
from mmact_oneshot.harness.data.sensors.reader import read_csv, read_performance, to_grid
from mmact_oneshot.harness.data.sensors.recording import SensorRecording
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.planted_defects import ACC, SENSORS, csv_lines, official, shared, stamp

GYRO = SensorSpec("gyro", "rad/s", 50.0, "pocket")
ANGLES = SensorSpec("orientation", "rad", 25.0, "pocket", angular=True)


def read(path: Path, lines: list[str] | bytes, sensor: SensorSpec = ACC, scale: float = 1.0) -> SensorRecording:
    path = path / "walking.csv"
    path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
    return read_csv(path, sensor, scale)


def found(recording: SensorRecording) -> dict[str, int | None]:
    """Kind -> line of each defect, without the constant columns of made-up values."""
    return {each.kind: each.row for each in recording.defects if each.kind != "constant-column"}


def counting(n: int) -> list[list[float]]:
    """Rows 0, 1, 2, ... in three unlike columns."""
    return [[k, 10 + k, -k] for k in range(n)]


# --- CSV files


def test_a_clean_file_is_read_exactly(tmp_path: Path) -> None:
    recording = read(tmp_path, csv_lines([1.5, 1.51, 1.52], counting(3)), scale=2.0)
    assert_allclose(recording.seconds, [0, 0.01, 0.02], atol=1e-9)
    assert_array_equal(recording.values, 2 * np.array(counting(3), np.float32))
    assert recording.start == 1531137601.5  # 2018-07-09 12:00:01.5
    assert (recording.seconds.dtype, recording.values.dtype) == (np.float64, np.float32)
    assert recording.defects == ()


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: "time,x,y,z\n" + text,
        lambda text: '"Time","x","y","z"\n' + text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n") + "\r\n\r\n\r\n",
        lambda text: text.replace("\n", "\r"),
        lambda text: "\n\n" + text.replace("\n", "\n\n"),
        lambda text: text.replace(",", " , ").replace("\n", "  \n  "),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", ";").replace(".", ","),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", ",\n"),
    ],
    ids=[
        "header",
        "quoted",
        "bom",
        "crlf",
        "cr",
        "blank",
        "spaces",
        "semicolons",
        "decimal-commas",
        "tabs",
        "trailing",
    ],
)
def test_dress_of_the_file_changes_nothing(tmp_path: Path, dress) -> None:  # type: ignore[no-untyped-def]
    lines = csv_lines([1.5, 1.51, 1.52], counting(3))
    plain = read(tmp_path, lines)
    dressed = read(tmp_path, dress("\n".join(lines)).encode())
    assert_array_equal(dressed.seconds, plain.seconds)
    assert_array_equal(dressed.values, plain.values)
    assert dressed.start == plain.start
    assert dressed.defects == ()


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"time,x,y,z\n", b"\xef\xbb\xbf"])
def test_a_file_without_rows_is_absent(tmp_path: Path, content: bytes) -> None:
    recording = read(tmp_path, content)
    assert not recording.present
    assert found(recording) == {"sensor-file-empty": None}


@pytest.mark.parametrize(
    "content",
    [
        b"\nDear reader,\nthis is no sensor file.\n",
        b"20180709_12:00:00.1,a,b,c",
        b"1,2,3,4",
        b"20180709_12:00:00.1,1,2",
        bytes(range(128, 256)) * 20,
    ],
)
def test_a_csv_of_text_is_absent_and_names_its_first_bad_row(tmp_path: Path, content: bytes) -> None:
    recording = read(tmp_path, content)
    assert not recording.present
    assert found(recording) == {"sensor-file-not-csv": 2 if content.startswith(b"\n") else 1}


def test_unreadable_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = csv_lines(np.arange(8) / 100, counting(8))
    lines[1] = lines[1].replace("1.0", "nan", 1)
    lines[3] = "cut off"
    lines[4] += ",5"
    lines[6] = lines[6].replace("6.0", "inf", 1)
    recording = read(tmp_path, lines)
    assert recording.values[:, 0].tolist() == [0, 2, 5, 7]
    assert found(recording) == {"row-unreadable": 2}
    assert recording.defects[0].detail == "4 of 8 rows: lines 2, 4, 5, 7"


def test_a_lone_stamp_without_fraction_is_the_full_second_where_that_fits(tmp_path: Path) -> None:
    lines = csv_lines([0.98, 0.99, 1.0, 1.01], counting(4))
    lines[2] = lines[2].replace("01.000000", "01")
    recording = read(tmp_path, lines)
    assert_allclose(recording.seconds, [0, 0.01, 0.02, 0.03], atol=1e-6)
    assert found(recording) == {"time-fraction-missing": 3}


def test_a_stamp_without_fraction_is_interpolated_where_the_full_second_does_not_fit(tmp_path: Path) -> None:
    lines = csv_lines([1.50, 1.51, 1.52, 1.53, 1.54], counting(5))
    for row in (1, 3):
        lines[row] = f"20180709_12:00:01,{lines[row].split(',', 1)[1]}"
    recording = read(tmp_path, lines)
    assert_allclose(recording.seconds, [0, 0.01, 0.02, 0.03, 0.04], atol=1e-6)
    assert recording.values[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_runs_and_ends_without_fractions_follow_rows_and_rate_within_their_second(tmp_path: Path) -> None:
    times = [1.48, 1.49, 1.50, 1.51, 1.52, 1.53, 1.54]
    lines = csv_lines(times, counting(7))
    for row in (0, 1, 3, 4, 6):
        lines[row] = f"20180709_12:00:01,{lines[row].split(',', 1)[1]}"
    recording = read(tmp_path, lines)
    assert_allclose(recording.seconds, np.array(times) - times[0], atol=1e-6)
    # 1.505 lies between 0.99 and 2.02 by row, but the stamp says second 2.
    lines = [
        f"{stamp(0.99)},0,0,1",
        "20180709_12:00:02,1,1,2",
        "20180709_12:00:02,2,2,3",
        f"{stamp(2.02)},3,3,4",
    ]
    assert_allclose(read(tmp_path, lines).seconds + 0.99, [0.99, 2.0, 2.02], atol=1e-6)


def test_a_file_without_fractions_spreads_the_rows_of_a_second(tmp_path: Path) -> None:
    lines = [f"20180709_12:00:0{second},{k},{k},{-k}" for k, second in enumerate([1, 1, 1, 1, 2, 2])]
    recording = read(tmp_path, lines, SensorSpec("slow", "", 2.0, ""))
    assert_allclose(recording.seconds, [0, 0.25, 0.5, 0.75, 1.0, 1.5], atol=1e-6)
    assert found(recording) == {"time-fraction-missing": 1}


def test_unordered_rows_are_sorted_by_time(tmp_path: Path) -> None:
    lines = csv_lines([0.00, 0.02, 0.01, 0.03], counting(4))
    recording = read(tmp_path, lines)
    assert_allclose(recording.seconds, [0, 0.01, 0.02, 0.03], atol=1e-9)
    assert recording.values[:, 0].tolist() == [0, 2, 1, 3]
    assert found(recording) == {"time-unordered": 3}


def test_rows_of_one_time_become_their_mean(tmp_path: Path) -> None:
    recording = read(tmp_path, csv_lines([0.0, 0.01, 0.01, 0.02], [[0, 0, 0], [1, 5, 9], [2, 7, 9], [3, 3, 3]]))
    assert_allclose(recording.seconds, [0, 0.01, 0.02], atol=1e-9)
    assert_allclose(recording.values, np.array([[0, 0, 0], [1.5, 6, 9], [3, 3, 3]]))
    assert found(recording) == {"time-duplicated": 3}


def test_angles_of_one_time_become_their_mean_direction(tmp_path: Path) -> None:
    lines = csv_lines([0.0, 0.01, 0.01], [[0, 0, 1], [350, 80, 2], [30, 100, 2]])
    recording = read(tmp_path, lines, ANGLES, scale=np.pi / 180)
    assert_allclose(np.degrees(recording.values[1]), [10, 90, 2], atol=1e-4)


def test_gaps_are_counted_by_the_nominal_period(tmp_path: Path) -> None:
    lines = csv_lines([0.0, 0.01, 0.12, 0.13, 0.23], counting(5))
    assert found(read(tmp_path, lines)) == {"time-gap": 3}
    slow = SensorSpec("slow", "", 10.0, "")
    assert found(read(tmp_path, lines, slow)) == {}


def test_constant_columns_are_counted_and_kept(tmp_path: Path) -> None:
    recording = read(tmp_path, csv_lines([0.0, 0.01], [[9.8, 1, 0], [9.8, 2, 0]]))
    assert [d.detail for d in recording.defects] == ["x is 9.8 in all 2 rows", "z is 0 in all 2 rows"]
    values, measured = to_grid(recording, 0, 0.01, 7)
    assert_array_equal(values[:, 0], np.float32(9.8))
    assert_array_equal(values[:, 2], 0)
    assert measured.all()


def test_a_stray_stamp_does_not_stretch_the_recording(tmp_path: Path) -> None:
    lines = csv_lines([0.0, 0.01, 0.02], counting(3))
    lines.insert(1, "19700101_00:00:00.000000,1,2,3")
    recording = read(tmp_path, lines)
    assert_allclose(recording.seconds, [0, 0.01, 0.02], atol=1e-9)
    assert found(recording) == {"time-far-off": 2}


def test_of_a_file_in_two_distant_halves_the_earlier_is_kept(tmp_path: Path) -> None:
    """A clock that was set while it ran: no row is near the middle of both."""
    lines = csv_lines([0.0, 0.01, 1800.0, 1800.01], counting(4))
    recording = read(tmp_path, lines)
    assert_allclose(recording.seconds, [0, 0.01], atol=1e-9)
    assert found(recording) == {"time-far-off": 3}


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"nothing\.csv.*cannot be opened"):
        read_csv(tmp_path / "nothing.csv", ACC)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)), st.sets(st.integers(1, 11), max_size=4))
def test_the_order_of_rows_in_the_file_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], merged: set[int]
) -> None:
    times = np.cumsum([0.0 if k in merged else 0.01 for k in range(12)])
    lines = csv_lines(times, np.random.default_rng(0).normal(size=(12, 3)))
    folder = tmp_path_factory.mktemp("rows")
    straight, shuffled = read(folder, lines), read(folder, [lines[k] for k in order])
    assert_array_equal(straight.seconds, shuffled.seconds)
    assert_allclose(straight.values, shuffled.values, rtol=1e-6)
    assert straight.start == shuffled.start
    assert (np.diff(shuffled.seconds) > 0).all()


# --- performances


def write_performance(root: Path, offsets: dict[str, float], duration: float = 1.0) -> None:
    official(root, "walking")
    for name, offset in offsets.items():
        seconds = offset + np.arange(0, duration, 0.02)
        rows = np.stack([seconds, -seconds, 180 * np.sin(seconds)], axis=1)
        path = root / f"{name}_clip/subject1/scene1/session1/walking.csv"
        path.write_text("\n".join(csv_lines(seconds, rows)))


def test_the_sensors_of_a_performance_share_a_clock(tmp_path: Path) -> None:
    write_performance(tmp_path, {"acc_phone": 5.0, "acc_watch": 5.3, "gyro": 4.9})
    table = index(tmp_path)
    sensors = read_performance(table, load_layout("mmact"), table.frame.iloc[0])
    starts = {name: each.seconds[0] if each else None for name, each in sensors.recordings.items()}
    assert starts == {
        "acc_phone": pytest.approx(0.1),
        "acc_watch": pytest.approx(0.4),
        "gyro": 0.0,
        "orientation": None,
    }
    assert list(sensors.recordings) == list(SENSORS)
    assert (sensors.start, sensors.end) == (0.0, pytest.approx(0.4 + 0.98))
    assert [(d.kind, d.path) for d in sensors.defects] == [
        ("sensor-file-empty", "orientation_clip/subject1/scene1/session1/walking.csv")
    ]


def test_a_sensor_on_another_clock_is_aligned_by_its_first_row(tmp_path: Path) -> None:
    write_performance(tmp_path, dict.fromkeys(SENSORS, 5.0) | {"acc_watch": 2000.0})
    table = index(tmp_path)
    sensors = read_performance(table, load_layout("mmact"), table.frame.to_dict("records")[0])
    assert all(each is not None and each.seconds[0] == 0 for each in sensors.recordings.values())
    assert sensors.end == pytest.approx(0.98)
    assert [(d.kind, d.path.split("/")[0]) for d in sensors.defects] == [("clock-apart", "acc_watch_clip")]
    assert "+1995 s" in sensors.defects[0].detail


def test_orientation_is_in_radians_and_acceleration_as_in_the_file(tmp_path: Path) -> None:
    write_performance(tmp_path, dict.fromkeys(SENSORS, 5.0))
    table = index(tmp_path)
    recordings = read_performance(table, load_layout("mmact"), table.frame.iloc[0]).recordings
    orientation, acceleration = recordings["orientation"], recordings["acc_phone"]
    assert orientation is not None
    assert acceleration is not None
    assert_allclose(np.degrees(orientation.values), acceleration.values, rtol=1e-4, atol=1e-4)


def test_the_real_inertial_files_are_read_in_si_units() -> None:
    from scipy.io import loadmat

    table = index(shared("utd_mhad"))
    frame = table.frame
    row = frame[frame["clip"] == "swipe_left/subject1_cam1_scene1_session1"].to_dict("records")[0]
    sensors = read_performance(table, load_layout("utd-mhad"), row)
    raw = loadmat(table.root / row["acc"])["d_iner"]
    acceleration, rotation = sensors.recordings["acc"], sensors.recordings["gyro"]
    assert acceleration is not None
    assert rotation is not None
    assert_allclose(acceleration.values, raw[:, :3] * 9.80665, rtol=1e-6)
    assert_allclose(rotation.values, np.radians(raw[:, 3:]), rtol=1e-6)
    assert_allclose(acceleration.seconds, np.arange(len(raw)) / 50)
    assert (sensors.end, sensors.defects) == ((len(raw) - 1) / 50, ())
    assert 7 < np.median(np.linalg.norm(acceleration.values, axis=1)) < 13  # about one g


def write_inertial(root: Path, matrix: np.ndarray | None) -> Path:
    from scipy.io import savemat

    path = root / "a1_s1_t1_inertial.mat"
    savemat(path, {"other": np.zeros(3)} if matrix is None else {"d_iner": matrix})
    return path


def test_damaged_inertial_files_are_defects(tmp_path: Path) -> None:
    layout = load_layout("utd-mhad")
    acc, _ = layout.sensors
    matrix = np.arange(60.0).reshape(10, 6)
    matrix[0, 0], matrix[4, 2] = np.nan, 1e300  # finite, but infinite as float32
    recording = layout.read_sensor(write_inertial(tmp_path, matrix), acc)
    assert_allclose(recording.seconds, np.array([0, 1, 2, 4, 5, 6, 7, 8]) / 50)
    assert found(recording) == {"row-unreadable": 1}
    assert found(layout.read_sensor(write_inertial(tmp_path, np.zeros((5, 4))), acc)) == {
        "sensor-file-unreadable": None
    }
    assert found(layout.read_sensor(write_inertial(tmp_path, None), acc)) == {"sensor-file-unreadable": None}
    assert found(layout.read_sensor(write_inertial(tmp_path, np.zeros((0, 6))), acc)) == {"sensor-file-empty": None}
    path = write_inertial(tmp_path, matrix)
    path.write_bytes(path.read_bytes()[:100])
    assert found(layout.read_sensor(path, acc)) == {"sensor-file-unreadable": None}


def test_a_defect_of_a_file_that_two_sensors_share_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "a1_s1_t1_depth.mp4").touch()
    write_inertial(tmp_path, None)
    table = index(tmp_path)
    sensors = read_performance(table, load_layout("utd-mhad"), table.frame.iloc[0])
    assert sensors.recordings == {"acc": None, "gyro": None}
    assert [(d.kind, d.path) for d in sensors.defects] == [("sensor-file-unreadable", "a1_s1_t1_inertial.mat")]
