from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from mmact_oneshot.harness.data.video import container
from mmact_oneshot.harness.data.video.info import VideoInfo
from mmact_oneshot.harness.data.video.reader import check, probe, read_clip, resized, spread
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.planted_defects import grey_ramp, shared, write_video


def test_frames_are_the_middles_of_equal_segments() -> None:
    assert spread(10, 5).tolist() == [1, 3, 5, 7, 9]
    assert spread(9, 3).tolist() == [1, 4, 7]
    assert spread(100, 1).tolist() == [50]
    assert spread(4, 4).tolist() == [0, 1, 2, 3]
    assert spread(3, 8).tolist() == [0, 1, 2]


def test_sizes_keep_the_aspect_and_are_never_enlarged() -> None:
    assert resized(1080, 1920, 72) == (72, 128)
    assert resized(1920, 1080, 72) == (128, 72)
    assert resized(47, 63, 32) == (32, 43)
    assert resized(47, 63, 47) == (47, 63)
    assert resized(47, 63, 500) == (47, 63)


def test_a_video_gives_the_right_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "walking.mp4", grey_ramp(40))
    assert probe(path) == check(path) == VideoInfo(40, 32, 48, 30.0)
    frames, total = read_clip(path, frames=8, short_side=16)
    assert total == 40
    assert (frames.shape, frames.dtype) == ((8, 16, 24, 3), np.uint8)
    assert_allclose(frames.mean(axis=(1, 2, 3)), 20 + 4 * spread(40, 8), atol=2)


@pytest.mark.parametrize("width", [4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 144, 150])
def test_widths_that_decord_cannot_copy_are_avoided(tmp_path: Path, width: int) -> None:
    frames = grey_ramp(4, 100, 150)
    frames[:, :, 75:] += 100
    path = write_video(tmp_path / "walking.mp4", frames)
    assert width == resized(100, 150, round(width * 2 / 3))[1]
    read, _ = read_clip(path, frames=4, short_side=round(width * 2 / 3))
    assert read.shape[2] == width
    columns = read.mean(axis=(1, 3))
    assert_allclose(columns[:, : width // 3], np.tile(frames[:, :1, 0, 0], width // 3), atol=3)
    assert_allclose(columns[:, -(width // 3) :], np.tile(frames[:, :1, -1, 0], width // 3), atol=3)


def test_colours_come_as_red_green_blue(tmp_path: Path) -> None:
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    for axis in range(3):
        frames[axis, :, :, axis] = 200
    path = write_video(tmp_path / "colours.mkv", frames, codec="ffv1", pixels="bgr0")
    read, _ = read_clip(path, frames=3, short_side=32)
    assert_allclose(read.mean(axis=(1, 2)), 200 * np.eye(3), atol=6)


def test_a_short_clip_gives_what_it_has(tmp_path: Path) -> None:
    frames, total = read_clip(write_video(tmp_path / "short.mp4", grey_ramp(3)), frames=16, short_side=8)
    assert (frames.shape, total) == ((3, 8, 12, 3), 3)
    assert_allclose(frames.mean(axis=(1, 2, 3)), [20, 24, 28], atol=2)


def test_grey_videos_of_odd_size_without_a_frame_count(tmp_path: Path) -> None:
    path = write_video(tmp_path / "odd.mkv", grey_ramp(10, 47, 63), codec="ffv1", pixels="gray")
    assert probe(path) == check(path) == VideoInfo(10, 47, 63, 30.0)
    native, _ = read_clip(path, frames=5, short_side=200)
    small, _ = read_clip(path, frames=5, short_side=32)
    assert (native.shape, small.shape) == ((5, 47, 63, 3), (5, 32, 43, 3))
    assert_array_equal(native[..., 0], native[..., 2])
    assert_allclose(small.mean(axis=(1, 2, 3)), 20 + 4 * spread(10, 5), atol=2)


def test_avi_videos(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a1_s1_t1_color.avi", grey_ramp(20), codec="mpeg4")
    frames, total = read_clip(path, frames=4, short_side=16)
    assert total == check(path).frames == 20
    assert_allclose(frames.mean(axis=(1, 2, 3)), 20 + 4 * spread(20, 4), atol=4)


def test_folders_of_frames_in_natural_order(tmp_path: Path) -> None:
    for number, frame in enumerate(grey_ramp(12, 40, 60, step=10), start=1):
        Image.fromarray(frame).save(tmp_path / f"frame_{number}.{'png' if number % 2 else 'jpg'}", quality=95)
    Image.fromarray(np.full((10, 10), 99, np.uint8)).save(tmp_path / "frame_13.png")  # grey, another size
    (tmp_path / "notes.txt").write_text("no frame")
    assert probe(tmp_path) == check(tmp_path) == VideoInfo(13, 40, 60, None)
    frames, total = read_clip(tmp_path, frames=13, short_side=20)
    assert (frames.shape, total) == ((13, 20, 30, 3), 13)
    assert_allclose(frames.mean(axis=(1, 2, 3)), [*(20 + 10 * np.arange(12)), 99], atol=2)


def test_depth_in_millimetres_becomes_grey(tmp_path: Path) -> None:
    from scipy.io import savemat

    depth = np.zeros((8, 10, 3), np.uint16)
    depth[..., 0], depth[..., 1], depth[4:, :, 2] = 1750, 3300, 1000
    path = tmp_path / "a1_s1_t1_depth.mat"
    savemat(path, {"d_depth": depth})
    assert probe(path) == check(path) == VideoInfo(3, 8, 10, 30.0)
    frames, total = read_clip(path, frames=3, short_side=8)
    assert total == 3
    assert frames[:2].reshape(2, -1).tolist() == [[255] * 240, [40] * 240]
    assert np.unique(frames[2, :4]).tolist() == [0]
    assert np.unique(frames[2, 4:]).tolist() == [255]


def test_the_real_depth_files_and_depth_videos_agree() -> None:
    folder = shared("utd_mhad")
    mat, mat_total = read_clip(folder / "Depth/a22_s3_t2_depth.mat", frames=6, short_side=120)
    video, video_total = read_clip(folder / "Depth_mp4/a22_s3_t2_depth.mp4", frames=6, short_side=120)
    assert mat.shape == video.shape == (6, 120, 160, 3)
    assert mat_total == video_total
    assert np.abs(mat.astype(float) - video).mean() < 2
    assert video.std() > 10  # somebody is there


def damaged(tmp_path: Path, how: str) -> Path:
    path = tmp_path / "walking.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (20, 32, 48, 3), dtype=np.uint8)
    content = write_video(path, noise, faststart=how != "truncated").read_bytes()
    if how in ("truncated", "truncated-after-header"):
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("this is no video\n" * 100)
    elif how == "overwritten":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + b"\xff" * 4000 + content[middle + 4000 :])
    return path


@pytest.mark.parametrize("how", ["truncated", "truncated-after-header", "empty", "text", "overwritten"])
def test_a_damaged_video_is_named_with_a_remedy(tmp_path: Path, how: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = damaged(tmp_path, how)
    messages = set()
    for read in (check, lambda path: read_clip(path, frames=4, short_side=16)):
        for _ in range(2):
            with pytest.raises(HarnessError, match=r"cannot be read .*Copy or download it again") as caught:
                read(path)
            assert caught.value.where == path
            assert "github" not in caught.value.problem  # decord's own sources
            messages.add((read, caught.value.problem))
    assert len(messages) == 2, "the same damage reads the same each time"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_of_an_avi_that_is_cut_short_no_frame_is_taken(tmp_path: Path, share: float) -> None:
    """What is left of it decodes: only the header tells that there was more."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a1_s1_t1_color.avi", noise, codec="mjpeg", pixels="yuvj420p")
    assert read_clip(path, frames=8, short_side=16)[1] == 60
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for read in (check, lambda path: read_clip(path, frames=8, short_side=16)):
        with pytest.raises(HarnessError, match=r"cut short: \d+ of 60 frames are there"):
            read(path)


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    from scipy.io import savemat

    with pytest.raises(HarnessError, match="no such video"):
        probe(tmp_path / "nowhere.mp4")
    (tmp_path / "frames").mkdir()
    with pytest.raises(HarnessError, match="holds no image"):
        read_clip(tmp_path / "frames", 4, 16)
    savemat(tmp_path / "flat.mat", {"d_depth": np.zeros((4, 4))})
    with pytest.raises(HarnessError, match="no array of height x width x frames"):
        read_clip(tmp_path / "flat.mat", 4, 16)
    savemat(tmp_path / "none.mat", {"d_depth": np.zeros((4, 4, 0))})
    with pytest.raises(HarnessError, match="cannot be read"):
        probe(tmp_path / "none.mat")
    content = (tmp_path / "flat.mat").read_bytes()
    (tmp_path / "cut.mat").write_bytes(content[:150])
    with pytest.raises(HarnessError, match="cannot be read"):
        check(tmp_path / "cut.mat")


def test_an_image_that_is_cut_short_is_found(tmp_path: Path) -> None:
    for number, frame in enumerate(grey_ramp(4)):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"")
    with pytest.raises(HarnessError, match=r"cut short: 3 of 4"):
        check(tmp_path)
    with pytest.raises(HarnessError, match="cannot be read"):
        read_clip(tmp_path, 4, 16)


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
def test_without_decord_pyav_gives_the_same_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    """Decord has no wheels for some machines. Resizing differs by a little, the frames that are taken do not."""
    pixels = "bgr0" if codec == "ffv1" else "yuv420p"
    path = write_video(tmp_path / "walking.mkv", grey_ramp(40), codec=codec, pixels=pixels)
    assert container.decoder().startswith(("decord ", "eva-decord "))
    frames, total = read_clip(path, frames=8, short_side=16)
    monkeypatch.setattr(container, "has_decord", lambda: False)
    assert container.decoder().startswith("av ")
    others, same = read_clip(path, frames=8, short_side=16)
    assert (others.shape, same) == (frames.shape, total)
    assert_allclose(others.astype(int), frames.astype(int), atol=4)


def test_without_decord_a_video_that_is_cut_short_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_video(tmp_path / "walking.mp4", grey_ramp(40))
    monkeypatch.setattr(container, "has_decord", lambda: False)
    monkeypatch.setattr(container.VideoFile, "info", lambda self: VideoInfo(60, 32, 48, 30.0))
    with pytest.raises(HarnessError, match="cut short: 40 of 60 frames are there"):
        read_clip(whole, frames=8, short_side=16)


@pytest.mark.parametrize("with_decord", [True, False])
def test_frames_that_were_lost_in_recording_are_not_taken_for_a_file_that_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_decord: bool
) -> None:
    """An AVI announces them, and holds nothing in their place."""
    import av

    path, ramp = tmp_path / "a1_s1_t1_color.avi", grey_ramp(16)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = ramp.shape[2], ramp.shape[1], "yuvj420p"
        for place in (0, 1, 2, 3, 7, 8, 9, 10, 11, 13, 14, 15):
            frame = av.VideoFrame.from_ndarray(ramp[place], format="rgb24").reformat(format="yuvj420p")
            frame.pts = place
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    if not with_decord:
        monkeypatch.setattr(container, "has_decord", lambda: False)
    assert probe(path).frames == 16
    frames, total = read_clip(path, frames=4, short_side=16)
    assert (len(frames), total) == (4, 12)
    check(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(HarnessError, match="cut short"):
        read_clip(path, frames=4, short_side=16)
