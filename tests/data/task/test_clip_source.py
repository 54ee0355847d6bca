"""What the encoders get of a stored clip: a fixed rule at test time, counted draws in training, absence as zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.specs import InputSpec
from mmact_oneshot.harness.data.clips import GRAVITY
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from tests.helpers.toys import FRAMES, GRID, HEIGHT, WIDTH

STILL: dict[str, Any] = {"rotation": 0, "brightness": 0, "contrast": 0, "saturation": 0}
SPEC = InputSpec(frames=3, size=HEIGHT, sensor_length=8, crop=1.0, window=1.0, **STILL)
LIVELY = SPEC.model_copy(
    update={"crop": 0.6, "window": 0.5, "flip": True, "rotation": 20, "brightness": 0.4, "contrast": 0.4}
    | {"saturation": 0.4, "hue": 0.2}
)
BOTH = ("video", "sensors")
ROWS = np.asarray([5, 0, 17, 5])


def leaves(clips: Clips) -> dict[str, Tensor]:
    assert clips.video is not None
    return {
        "video": clips.video,
        **{f"sensors {k}": v for k, v in clips.sensors.items()},
        **{f"mask {k}": v for k, v in clips.sensor_mask.items()},
        **{f"present {k}": v for k, v in clips.present.items()},
    }


def assert_same(a: Clips, b: Clips) -> None:
    assert leaves(a).keys() == leaves(b).keys()
    for name, value in leaves(a).items():
        assert torch.equal(value, leaves(b)[name]), name


def load(source: ClipSource, rows: np.ndarray, step: tuple[int, int] | None = None) -> Clips:
    return source.load(rows, step).to("cpu")


def video(store: Store, spec: InputSpec, rows: np.ndarray, step: tuple[int, int] | None = None) -> Tensor:
    shown = load(ClipSource(store, spec, ("video",)), rows, step).video
    assert shown is not None
    return shown


def with_frames(store: Store, **changes: Any) -> Store:
    """A store whose index of frames is changed."""
    return replace(store, _frames={**store._frames, **changes})


def test_shapes_types_and_ranges(toy: Store) -> None:
    clips = load(ClipSource(toy, SPEC, BOTH), ROWS)
    assert clips.video is not None
    assert (clips.video.shape, clips.video.dtype) == ((4, 3, 3, HEIGHT, HEIGHT), torch.float32)
    assert 0 <= float(clips.video.min()) < float(clips.video.max()) <= 1
    for name in ("acc", "gyro"):
        assert (clips.sensors[name].shape, clips.sensors[name].dtype) == ((4, 8, 3), torch.float32)
        assert (clips.sensor_mask[name].shape, clips.sensor_mask[name].dtype) == ((4, 8), torch.bool)
    assert set(clips.present) == {"video", "sensors", "acc", "gyro"}
    assert all(bool(value.all()) for value in clips.present.values())


def test_the_fixed_rule_takes_the_middle_frames_and_the_central_square(toy: Store) -> None:
    clips = load(ClipSource(toy, SPEC, BOTH), np.asarray([9]))
    left = (WIDTH - HEIGHT) // 2
    stored = toy.frames(9, np.asarray([1, 3, 5]))[:, :, left : left + HEIGHT]  # middles of thirds of six frames
    assert clips.video is not None
    np.testing.assert_allclose(clips.video[0].permute(0, 2, 3, 1).numpy(), stored / np.float32(255), atol=1e-5)


def test_the_fixed_rule_averages_what_was_measured_in_each_part(toy: Store) -> None:
    clips = load(ClipSource(toy, SPEC, BOTH), np.asarray([9]))
    place = toy.performance[9]
    values, measured = toy.sensors["acc"][place], toy.measured["acc"][place]
    parts = GRID // 8
    for number in range(8):
        window = slice(number * parts, (number + 1) * parts)
        expected = values[window][measured[window]].mean(axis=0) / GRAVITY
        np.testing.assert_allclose(clips.sensors["acc"][0, number].numpy(), expected, atol=1e-5)
    assert bool(clips.sensor_mask["acc"].all())


@pytest.mark.parametrize(("grid", "length"), [(300, 100), (200, 40), (256, 64), (49, 7)])
def test_equal_parts_have_equally_many_instants(toy: Store, grid: int, length: int) -> None:
    """300 / 100 instants are three in each part, whatever the rounding of 0.29 x 300."""
    count = len(toy.sensors["acc"])
    toy.sensors["acc"] = np.broadcast_to(np.arange(grid, dtype=np.float32)[None, :, None], (count, grid, 3))
    toy.measured["acc"] = np.ones((count, grid), bool)
    spec = SPEC.model_copy(update={"sensor_length": length})
    values = load(ClipSource(toy, spec, ("sensors",)), np.asarray([9])).sensors["acc"][0, :, 0]
    expected = np.arange(grid).reshape(length, -1).mean(axis=1) / GRAVITY
    np.testing.assert_allclose(values.numpy(), expected, atol=1e-4)


def test_values_that_were_not_measured_do_not_count(toy: Store) -> None:
    place = toy.performance[9]
    before = load(ClipSource(toy, SPEC, BOTH), np.asarray([9]))
    toy.sensors["acc"][place][~toy.measured["acc"][place]] = 1e6
    assert_same(load(ClipSource(toy, SPEC, BOTH), np.asarray([9])), before)


def test_a_part_without_any_measured_instant_is_masked_and_finite(toy: Store) -> None:
    place = toy.performance[9]
    toy.measured["acc"][place][:4] = False
    clips = load(ClipSource(toy, SPEC, BOTH), np.asarray([9]))
    assert clips.sensor_mask["acc"][0].tolist() == [False] + [True] * 7
    assert bool(clips.sensors["acc"].isfinite().all())
    assert bool(clips.present["acc"].all())


def test_more_instants_wanted_than_stored_repeats_them(toy: Store) -> None:
    clips = load(ClipSource(toy, SPEC.model_copy(update={"sensor_length": 3 * GRID}), BOTH), np.asarray([9]))
    values = toy.sensors["gyro"][toy.performance[9]] / 3.0
    np.testing.assert_allclose(clips.sensors["gyro"][0].numpy(), np.repeat(values, 3, axis=0), atol=1e-5)


def test_angles_are_averaged_by_direction(toy: Store) -> None:
    """179 and -179 degrees point the same way: their mean is 180, not 0."""
    toy.manifest["sensors"][0] |= {"unit": "rad", "angular": True}
    place = toy.performance[9]
    toy.sensors["acc"][place] = np.where(np.arange(GRID)[:, None] % 2, np.pi - 0.02, 0.02 - np.pi)
    toy.measured["acc"][place] = True
    values = load(ClipSource(toy, SPEC, BOTH), np.asarray([9])).sensors["acc"][0]
    assert bool((values.abs() > 0.98).all())


@pytest.mark.parametrize("modalities", [BOTH, ("video",)])
def test_a_clip_is_loaded_the_same_alone_and_in_any_batch(toy: Store, modalities: tuple[str, ...]) -> None:
    for step in (None, (3, 11)):
        source = ClipSource(toy, LIVELY, modalities)
        whole = load(source, ROWS, step)
        for place, row in enumerate(ROWS):
            assert_same(load(source, np.asarray([row]), step), whole[place : place + 1])
        assert_same(load(source, ROWS[::-1].copy(), step), whole[torch.arange(3, -1, -1)])


def test_draws_depend_on_seed_step_and_clip(toy: Store) -> None:
    source, rows = ClipSource(toy, LIVELY, ("video",)), np.arange(len(toy.clips))
    drawn = [source._draws(rows, step) for step in ((0, 0), (0, 1), (1, 0))]
    again, some = source._draws(rows, (0, 0)), source._draws(ROWS, (0, 0))
    for name in drawn[0].keys() - {"flip"}:
        for i in range(3):
            for j in range(i):
                assert (drawn[i][name] != drawn[j][name]).all()
        assert len(np.unique(drawn[0][name])) == len(toy.clips)
    for name, values in drawn[0].items():
        np.testing.assert_array_equal(values, again[name])
        np.testing.assert_array_equal(values[ROWS], some[name])


def test_draws_are_independent_of_each_other(toy: Store) -> None:
    source, rows = ClipSource(toy, LIVELY, ("video",)), np.arange(len(toy.clips))
    steps = [np.stack(list(source._draws(rows, (0, step)).values())) for step in range(20)]
    correlation = np.corrcoef(np.concatenate(steps, axis=1))
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.08


def test_draws_stay_in_their_ranges(toy: Store) -> None:
    rows = np.arange(len(toy.clips))
    draws = ClipSource(toy, LIVELY, ("video",))._draws(rows, (0, 0))
    ranges = {"window_share": (0.5, 1), "crop_share": (0.6, 1), "rotation": (-20, 20), "hue": (-0.2, 0.2)}
    ranges |= dict.fromkeys(("window_start", "frame_offset", "crop_x", "crop_y"), (0, 1))
    ranges |= dict.fromkeys(("brightness", "contrast", "saturation"), (0.6, 1.4))
    assert draws.keys() == {*ranges, "flip"}
    for name, (low, high) in ranges.items():
        margin = 0.05 * (high - low)
        assert low <= draws[name].min() < low + margin < high - margin < draws[name].max() < high
    assert set(draws["flip"]) == {0.0, 1.0}


def test_no_mirror_image_unless_asked_for_nor_where_sensors_are_used(toy: Store) -> None:
    """A mirrored video shows another side than the one on which the sensors were worn."""
    rows = np.arange(len(toy.clips))
    flips = {
        (spec.flip, modalities): ClipSource(toy, spec, modalities)._draws(rows, (0, 0))["flip"].mean()
        for spec in (SPEC, LIVELY)
        for modalities in (("video",), BOTH)
    }
    assert 0.4 < flips.pop((True, ("video",))) < 0.6
    assert set(flips.values()) == {0}


def test_settings_of_zero_leave_only_crop_and_window(toy: Store) -> None:
    draws = ClipSource(toy, SPEC, ("video",))._draws(ROWS, (0, 0))
    fixed = ClipSource(toy, SPEC, ("video",))._draws(ROWS, None)
    for name in ("window_share", "crop_share", "flip", "rotation", "brightness", "contrast", "saturation", "hue"):
        np.testing.assert_array_equal(draws[name], fixed[name])


def test_each_setting_changes_the_clips_and_the_fixed_rule_ignores_all(toy: Store) -> None:
    rows = np.arange(20)
    plain = video(toy, SPEC, rows, (0, 0))
    assert torch.equal(video(toy, LIVELY, rows), video(toy, SPEC, rows))
    for name in ("crop", "window", "flip", "rotation", "brightness", "contrast", "saturation", "hue"):
        changed = video(toy, SPEC.model_copy(update={name: getattr(LIVELY, name)}), rows, (0, 0))
        assert not torch.equal(changed, plain), name


def test_torchs_own_random_numbers_are_not_used(toy: Store) -> None:
    source = ClipSource(toy, LIVELY, ("video",))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = load(source, ROWS, (0, 0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert_same(load(source, ROWS, (0, 0)), first)


def test_every_frame_of_a_clip_is_augmented_alike(toy: Store) -> None:
    """A clip in which nothing moves stays still, though every clip gets a view of its own."""
    frames = toy._maps[0].reshape(len(toy.clips), FRAMES, HEIGHT, WIDTH, 3)
    frames[:] = frames[:1, :1]
    shown = video(toy, LIVELY, ROWS[:3], (0, 0))
    assert torch.equal(shown, shown[:, :1].expand_as(shown))
    assert not torch.allclose(shown[0], shown[1], atol=0.05)


def test_a_crop_may_lie_anywhere_in_a_wide_frame(toy: Store) -> None:
    """The square follows the draw along the frame, and the crop follows it in the square."""
    source, rows = ClipSource(toy, SPEC.model_copy(update={"crop": 0.5}), ("video",)), np.arange(len(toy.clips))
    frames = toy._maps[0].reshape(len(toy.clips), FRAMES, HEIGHT, WIDTH, 3)
    frames[:] = (10 * np.arange(WIDTH, dtype=np.uint8))[:, None]
    draws, shown = source._draws(rows, (0, 0)), load(source, rows, (0, 0)).video
    assert shown is not None
    side = draws["crop_share"] * HEIGHT
    square = np.round(draws["crop_x"] * (WIDTH - HEIGHT))
    middle = square + draws["crop_x"] * (HEIGHT - side) + (side - 1) / 2
    np.testing.assert_allclose(255 * shown.mean(dim=(1, 2, 3, 4)).numpy(), 10 * middle, atol=3)
    assert np.ptp(middle) > 0.6 * (WIDTH - HEIGHT / 2)


def test_a_clip_with_fewer_pixels_than_the_store_keeps_is_brought_to_its_size(toy: Store) -> None:
    toy.manifest["spec"] |= {"short_side": 2 * HEIGHT}
    shown = video(toy, SPEC, np.asarray([9]))
    left = (WIDTH - HEIGHT) // 2
    stored = torch.from_numpy(toy.frames(9, np.asarray([1, 3, 5]))[:, :, left : left + HEIGHT] / np.float32(255))
    assert shown.shape == (1, 3, 3, HEIGHT, HEIGHT)
    assert float((shown[0] - stored.permute(0, 3, 1, 2)).abs().mean()) < 0.1


def test_training_clips_differ_from_step_to_step_and_from_the_fixed_rule(toy: Store) -> None:
    source = ClipSource(toy, SPEC.model_copy(update={"crop": 0.6, "window": 0.6}), BOTH)
    loaded = [load(source, ROWS, step) for step in (None, (0, 0), (0, 1))]
    for i in range(3):
        for j in range(i):
            for name in ("video", "sensors acc"):
                assert not torch.equal(leaves(loaded[i])[name], leaves(loaded[j])[name])


def test_a_mirror_image_is_the_same_for_all_frames(toy: Store) -> None:
    source = ClipSource(toy, SPEC.model_copy(update={"flip": True}), ("video",))
    rows = np.arange(len(toy.clips))
    flipped = np.flatnonzero(source._draws(rows, (0, 0))["flip"])[:3]
    mirrored = load(source, flipped, (0, 0)).video
    assert mirrored is not None
    torch.testing.assert_close(mirrored, video(toy, SPEC, flipped, (0, 0)).flip(-1), rtol=0, atol=1e-5)


def test_a_clip_shorter_than_wanted_repeats_its_frames(toy: Store) -> None:
    count = np.full(len(toy.clips), FRAMES)
    count[9] = 2
    source = ClipSource(with_frames(toy, count=count), SPEC.model_copy(update={"frames": 5}), ("video",))
    video = load(source, np.asarray([9])).video
    assert video is not None
    frames = [int((video[0, i] - video[0, 0]).abs().sum() > 0) for i in range(5)]
    assert frames == [0, 0, 1, 1, 1], "the middle of five parts of two frames"


def test_an_absent_video_is_zero_and_said_to_be_absent(toy: Store) -> None:
    count = np.full(len(toy.clips), FRAMES)
    count[9] = 0
    lacking = with_frames(replace(toy, clips=toy.clips.assign(video=count > 0)), count=count)
    for step in (None, (0, 0), (0, 1)):
        clips = load(ClipSource(lacking, LIVELY, BOTH), np.asarray([9, 10]), step)
        assert clips.video is not None
        assert not clips.video[0].any()
        assert clips.video[1].any()
        assert clips.present["video"].tolist() == [False, True]


def test_an_absent_sensor_is_zero_and_said_to_be_absent(toy: Store) -> None:
    place = toy.performance[9]
    toy.measured["acc"][place] = False
    for scale in ("physical", "minmax"):
        source = ClipSource(toy, SPEC.model_copy(update={"sensor_scale": scale}), ("sensors",))
        clips = load(source, np.asarray([9]))
        assert not clips.sensors["acc"].any()
        assert not clips.sensor_mask["acc"].any()
        assert {name: bool(value) for name, value in clips.present.items()} == {
            "acc": False, "gyro": True, "sensors": True,
        }  # fmt: skip
    toy.measured["gyro"][place] = False
    assert not bool(load(source, np.asarray([9])).present["sensors"])


def test_a_window_in_which_nothing_was_measured_is_absent_and_zero(toy: Store) -> None:
    """A training window may miss the only part of a recording that was measured."""
    place = toy.performance[9]
    toy.measured["acc"][place] = False
    toy.measured["acc"][place, 0] = True
    source = ClipSource(toy, SPEC.model_copy(update={"window": 0.3}), ("sensors",))
    clips = next(
        clips for step in range(50) if not (clips := load(source, np.asarray([9]), (0, step))).present["acc"].item()
    )
    assert not clips.sensors["acc"].any()


def test_minmax_spans_0_to_1_and_a_constant_column_is_zero(toy: Store) -> None:
    place = toy.performance[9]
    toy.sensors["acc"][place][:, 1] = 9.81
    toy.measured["acc"][place] = True
    source = ClipSource(toy, SPEC.model_copy(update={"sensor_scale": "minmax"}), ("sensors",))
    values = load(source, np.asarray([9])).sensors["acc"][0]
    assert not values[:, 1].any()
    for axis in (0, 2):
        assert (float(values[:, axis].min()), float(values[:, axis].max())) == (0, 1)


@pytest.mark.parametrize(("modality", "other"), [("video", "sensors"), ("sensors", "video")])
def test_a_modality_that_is_not_asked_for_is_not_there(toy: Store, modality: str, other: str) -> None:
    clips = load(ClipSource(toy, SPEC, (modality,)), ROWS)
    assert (clips.video is None) == (other == "video")
    assert (clips.sensors == {}) == (other == "sensors")
    assert other not in clips.present
    assert len(clips) == 4
