"""What the encoders see of a stored clip: a fixed rule at test time, counted draws in training, absence as zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.api import Clips
from harness.data.store import Store
from harness.input import GRAVITY, ClipSource
from harness.protocol import InputSpec
from tests.toys import FRAMES, GRID, HEIGHT, WIDTH

SPEC = InputSpec(frames=3, size=HEIGHT, sensor_length=8, crop=1.0, window=1.0)
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


def with_frames(store: Store, **changes: Any) -> Store:
    """A store whose index of frames is changed."""
    return replace(store, _frames={**store._frames, **changes})


def test_shapes_types_and_ranges(toy: Store) -> None:
    clips = ClipSource(toy, SPEC, BOTH).load(ROWS)
    assert clips.video is not None
    assert (clips.video.shape, clips.video.dtype) == ((4, 3, 3, HEIGHT, HEIGHT), torch.float32)
    assert 0 <= float(clips.video.min()) < float(clips.video.max()) <= 1
    for name in ("acc", "gyro"):
        assert (clips.sensors[name].shape, clips.sensors[name].dtype) == ((4, 8, 3), torch.float32)
        assert (clips.sensor_mask[name].shape, clips.sensor_mask[name].dtype) == ((4, 8), torch.bool)
    assert set(clips.present) == {"video", "sensors", "acc", "gyro"}
    assert all(bool(value.all()) for value in clips.present.values())


def test_the_fixed_rule_takes_the_middle_frames_and_the_central_square(toy: Store) -> None:
    clips = ClipSource(toy, SPEC, BOTH).load(np.asarray([9]))
    left = (WIDTH - HEIGHT) // 2
    stored = toy.frames(9, np.asarray([1, 3, 5]))[:, :, left : left + HEIGHT]  # middles of thirds of six frames
    assert clips.video is not None
    np.testing.assert_array_equal(clips.video[0].permute(0, 2, 3, 1).numpy(), stored.astype(np.float32) / 255)


def test_the_fixed_rule_averages_what_was_measured_in_each_part(toy: Store) -> None:
    clips = ClipSource(toy, SPEC, BOTH).load(np.asarray([9]))
    place = toy.performance[9]
    values, measured = toy.sensors["acc"][place], toy.measured["acc"][place]
    parts = GRID // 8
    for number in range(8):
        window = slice(number * parts, (number + 1) * parts)
        expected = values[window][measured[window]].mean(axis=0) / GRAVITY
        np.testing.assert_allclose(clips.sensors["acc"][0, number].numpy(), expected, atol=1e-5)
    assert bool(clips.sensor_mask["acc"].all())


def test_values_that_were_not_measured_do_not_count(toy: Store) -> None:
    place = toy.performance[9]
    before = ClipSource(toy, SPEC, BOTH).load(np.asarray([9]))
    toy.sensors["acc"][place][~toy.measured["acc"][place]] = 1e6
    assert_same(ClipSource(toy, SPEC, BOTH).load(np.asarray([9])), before)


def test_a_part_without_any_measured_instant_is_masked_and_finite(toy: Store) -> None:
    place = toy.performance[9]
    toy.measured["acc"][place][:4] = False
    clips = ClipSource(toy, SPEC, BOTH).load(np.asarray([9]))
    assert clips.sensor_mask["acc"][0].tolist() == [False] + [True] * 7
    assert bool(clips.sensors["acc"].isfinite().all())
    assert bool(clips.present["acc"].all())


def test_more_instants_wanted_than_stored_repeats_them(toy: Store) -> None:
    clips = ClipSource(toy, SPEC.model_copy(update={"sensor_length": 3 * GRID}), BOTH).load(np.asarray([9]))
    values = toy.sensors["gyro"][toy.performance[9]] / 3.0
    np.testing.assert_allclose(clips.sensors["gyro"][0].numpy(), np.repeat(values, 3, axis=0), atol=1e-5)


def test_angles_are_averaged_by_direction(toy: Store) -> None:
    """179 and -179 degrees point the same way: their mean is 180, not 0."""
    toy.manifest["sensors"][0] |= {"unit": "rad", "angular": True}
    place = toy.performance[9]
    toy.sensors["acc"][place] = np.where(np.arange(GRID)[:, None] % 2, np.pi - 0.02, 0.02 - np.pi)
    toy.measured["acc"][place] = True
    values = ClipSource(toy, SPEC, BOTH).load(np.asarray([9])).sensors["acc"][0]
    assert bool((values.abs() > 0.98).all())


def test_a_clip_is_loaded_the_same_alone_and_in_any_batch(toy: Store) -> None:
    augmented = SPEC.model_copy(update={"crop": 0.6, "window": 0.5, "flip": True})
    for step in (None, (3, 11)):
        source = ClipSource(toy, augmented, BOTH)
        whole = source.load(ROWS, step)
        for place, row in enumerate(ROWS):
            assert_same(source.load(np.asarray([row]), step), whole[place : place + 1])
        assert_same(
            ClipSource(toy, augmented, BOTH, threads=1).load(ROWS[::-1].copy(), step), whole[torch.arange(3, -1, -1)]
        )


def test_draws_depend_on_seed_step_and_clip(toy: Store) -> None:
    source = ClipSource(toy, SPEC.model_copy(update={"crop": 0.5, "window": 0.5}), BOTH)
    drawn = [source._draws(step) for step in ((0, 0), (0, 1), (1, 0))]
    for i in range(3):
        for j in range(i):
            assert (drawn[i][:, 1] != drawn[j][:, 1]).all()
    assert len(np.unique(drawn[0][:, 1])) == len(drawn[0])
    np.testing.assert_array_equal(drawn[0], source._draws((0, 0)))


def test_draws_stay_in_their_ranges(toy: Store) -> None:
    draws = ClipSource(toy, SPEC.model_copy(update={"crop": 0.8, "window": 0.7, "flip": True}), BOTH)._draws((0, 0))
    share, start, offset, crop, x, y, flip = draws.T
    assert 0.7 <= share.min() < 0.72 < 0.98 < share.max() < 1
    assert 0.8 <= crop.min() < 0.82 < 0.98 < crop.max() < 1
    for uniform in (start, offset, x, y):
        assert 0 <= uniform.min() < 0.05 < 0.95 < uniform.max() < 1
    assert set(flip) == {0.0, 1.0}
    assert not ClipSource(toy, SPEC, BOTH)._draws((0, 0))[:, -1].any(), "no mirror image unless asked for"


def test_training_clips_differ_from_step_to_step_and_from_the_fixed_rule(toy: Store) -> None:
    source = ClipSource(toy, SPEC.model_copy(update={"crop": 0.6, "window": 0.6}), BOTH)
    loaded = [source.load(ROWS, step) for step in (None, (0, 0), (0, 1))]
    for i in range(3):
        for j in range(i):
            for name in ("video", "sensors acc"):
                assert not torch.equal(leaves(loaded[i])[name], leaves(loaded[j])[name])


def test_a_mirror_image_is_the_same_for_all_frames(toy: Store) -> None:
    source = ClipSource(toy, SPEC.model_copy(update={"flip": True}), ("video",))
    flipped = source._draws((0, 0))[:, -1].astype(bool)
    row = int(np.flatnonzero(flipped)[0])
    plain = ClipSource(toy, SPEC, ("video",))
    a, b = source.load(np.asarray([row]), (0, 0)).video, plain.load(np.asarray([row]), (0, 0)).video
    assert a is not None
    assert b is not None
    assert torch.equal(a, b.flip(-1))


def test_a_clip_shorter_than_wanted_repeats_its_frames(toy: Store) -> None:
    count = np.full(len(toy.clips), FRAMES)
    count[9] = 2
    source = ClipSource(with_frames(toy, count=count), SPEC.model_copy(update={"frames": 5}), ("video",))
    video = source.load(np.asarray([9])).video
    assert video is not None
    frames = [int((video[0, i] - video[0, 0]).abs().sum() > 0) for i in range(5)]
    assert frames == [0, 0, 1, 1, 1], "the middle of five parts of two frames"


def test_an_absent_video_is_zero_and_said_to_be_absent(toy: Store) -> None:
    count = np.full(len(toy.clips), FRAMES)
    count[9] = 0
    lacking = with_frames(replace(toy, clips=toy.clips.assign(video=count > 0)), count=count)
    clips = ClipSource(lacking, SPEC, BOTH).load(np.asarray([9, 10]))
    assert clips.video is not None
    assert not clips.video[0].any()
    assert clips.video[1].any()
    assert clips.present["video"].tolist() == [False, True]


def test_an_absent_sensor_is_zero_and_said_to_be_absent(toy: Store) -> None:
    place = toy.performance[9]
    toy.measured["acc"][place] = False
    for scale in ("physical", "minmax"):
        source = ClipSource(toy, SPEC.model_copy(update={"sensor_scale": scale}), ("sensors",))
        clips = source.load(np.asarray([9]))
        assert not clips.sensors["acc"].any()
        assert not clips.sensor_mask["acc"].any()
        assert {name: bool(value) for name, value in clips.present.items()} == {
            "acc": False, "gyro": True, "sensors": True,
        }  # fmt: skip
    toy.measured["gyro"][place] = False
    assert not bool(source.load(np.asarray([9])).present["sensors"])


def test_a_window_in_which_nothing_was_measured_is_absent_and_zero(toy: Store) -> None:
    """A training window may miss the only part of a recording that was measured."""
    place = toy.performance[9]
    toy.measured["acc"][place] = False
    toy.measured["acc"][place, 0] = True
    source = ClipSource(toy, SPEC.model_copy(update={"window": 0.3}), ("sensors",))
    clips = next(
        clips for step in range(50) if not (clips := source.load(np.asarray([9]), (0, step))).present["acc"].item()
    )
    assert not clips.sensors["acc"].any()


def test_minmax_spans_0_to_1_and_a_constant_column_is_zero(toy: Store) -> None:
    place = toy.performance[9]
    toy.sensors["acc"][place][:, 1] = 9.81
    toy.measured["acc"][place] = True
    source = ClipSource(toy, SPEC.model_copy(update={"sensor_scale": "minmax"}), ("sensors",))
    values = source.load(np.asarray([9])).sensors["acc"][0]
    assert not values[:, 1].any()
    for axis in (0, 2):
        assert (float(values[:, axis].min()), float(values[:, axis].max())) == (0, 1)


@pytest.mark.parametrize(("modality", "other"), [("video", "sensors"), ("sensors", "video")])
def test_a_modality_that_is_not_asked_for_is_not_there(toy: Store, modality: str, other: str) -> None:
    clips = ClipSource(toy, SPEC, (modality,)).load(ROWS)
    assert (clips.video is None) == (other == "video")
    assert (clips.sensors == {}) == (other == "sensors")
    assert other not in clips.present
    assert len(clips) == 4
