"""From the store to what encoders see: frames drawn and cut to squares, sensors cut and scaled.

At test time everything follows a fixed rule. In training the draws come from a counter (seed, step, clip), so every
method gets the same augmented clips in the same step, whatever the batch order or the number of workers. Reading runs
ahead on the CPU; the squares become views (:mod:`mmact_oneshot.harness.data.task.augmentation`) on the device.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.specs import InputSpec
from mmact_oneshot.harness.data.clips import SCALE_OF_UNIT
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.augmentation import Views, augmented
from mmact_oneshot.harness.runtime.device import cores

_DRAWS = {
    "window_share": 1.0,
    "window_start": 0.0,
    "frame_offset": 0.5,
    "crop_share": 1.0,
    "crop_x": 0.5,
    "crop_y": 0.5,
    "flip": 0.0,
    "rotation": 0.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "saturation": 1.0,
    "hue": 0.0,
}  # what is drawn for a clip -> the fixed rule: the whole performance, the middle of each part, the central square


@dataclass(frozen=True)
class LoadedClips:
    """Clips as read: all that the CPU has to do. In main memory, or copied from there (``task.transfer``).

    Attributes:
        squares: (B, 3, T, S, S) uint8, S the store's short side, or None. Zero where the video is absent.
        views: the view of each square.
        size: side of a view, pixels.
        sensors, sensor_mask, present: as in :class:`mmact_oneshot.harness.api.Clips`.
    """

    squares: Tensor | None
    views: Views
    size: int
    sensors: dict[str, Tensor]
    sensor_mask: dict[str, Tensor]
    present: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.present.values())))

    def __getitem__(self, rows: slice) -> LoadedClips:
        """Some of the clips."""
        some = Clips(self.squares, self.sensors, self.sensor_mask, self.present)[rows]
        views = Views(**{each.name: getattr(self.views, each.name)[rows] for each in fields(Views)})
        return LoadedClips(some.video, views, self.size, some.sensors, some.sensor_mask, some.present)

    def to(self, device: torch.device | str) -> Clips:
        """The clips on a device, which computes their views."""
        clips = Clips(self.squares, self.sensors, self.sensor_mask, self.present).to(device)
        return clips if clips.video is None else replace(clips, video=augmented(clips.video, self.views, self.size))


class ClipSource:
    """Batches of clips from a store.

    Args:
        store: the prepared store.
        spec: what the encoders see.
        modalities: what to load; the other modality is neither read nor passed on.
        without: "video", "sensors" or a sensor that no clip has, as if it had not been recorded; empty for none.
    """

    def __init__(self, store: Store, spec: InputSpec, modalities: tuple[str, ...], without: str = "") -> None:
        self.store, self.spec, self.modalities, self.without = store, spec, modalities, without
        self._side = store.spec.short_side
        self._units = {sensor["name"]: sensor["unit"] for sensor in store.manifest["sensors"]}
        self._angular = {sensor["name"] for sensor in store.manifest["sensors"] if sensor["angular"]}

    def load(self, rows: np.ndarray, step: tuple[int, int] | None = None) -> LoadedClips:
        """Clips of the store's ``rows``.

        Args:
            rows: (B,) integers.
            step: (training seed, step number) for augmented clips; None for the fixed rule of evaluation.
        """
        draws = self._draws(rows, step)
        share = draws["window_share"]
        start = draws["window_start"] * (1 - share)
        present: dict[str, Tensor] = {}
        squares, sensors, masks = None, {}, {}
        if "video" in self.modalities:
            instants = (np.arange(self.spec.frames) + draws["frame_offset"][:, None]) / self.spec.frames
            places = start[:, None] + instants * share[:, None]
            tasks = zip(rows, places, draws["crop_x"], draws["crop_y"], strict=True)
            reading = [_decoders().submit(self._square, *task) for task in tasks]
            squares = torch.stack([task.result() for task in reading])
            present["video"] = torch.from_numpy(self.store.clips["video"].to_numpy(bool)[rows])
            if self.without == "video":
                squares, present["video"] = torch.zeros_like(squares), torch.zeros_like(present["video"])
        if "sensors" in self.modalities:
            performance = self.store.performance[rows]
            for name in self.store.sensors:
                values, measured = self._sensor(name, performance, start, share)
                if self.without in ("sensors", name):
                    values, measured = np.zeros_like(values), np.zeros_like(measured)
                sensors[name], masks[name] = torch.from_numpy(values), torch.from_numpy(measured)
                present[name] = masks[name].any(dim=1)
            present["sensors"] = torch.stack([present[name] for name in self.store.sensors]).any(dim=0)
        views = Views(
            share=draws["crop_share"],
            x=draws["crop_x"],
            y=draws["crop_y"],
            mirror=draws["flip"] > 0,
            **{name: draws[name] for name in ("rotation", "brightness", "contrast", "saturation", "hue")},
        )
        return LoadedClips(squares, views, self.spec.size, sensors, masks, present)

    def _draws(self, rows: np.ndarray, step: tuple[int, int] | None) -> dict[str, np.ndarray]:
        """What is drawn for the clips in one step, (B,) each; a clip's draws are the same whatever the other rows."""
        if step is None:
            return {name: np.full(len(rows), value) for name, value in _DRAWS.items()}
        key = int.from_bytes(hashlib.sha256(f"augment:{step}".encode()).digest()[:16], "little")
        words = np.random.Philox(key=key).random_raw(len(self.store.clips) * len(_DRAWS))
        uniform = (words.reshape(-1, len(_DRAWS))[rows] >> np.uint64(11)).astype(np.float64) * 2.0**-53
        draws: dict[str, np.ndarray] = dict(zip(_DRAWS, uniform.T, strict=True))
        for name, smallest in (("window_share", self.spec.window), ("crop_share", self.spec.crop)):
            draws[name] = smallest + (1 - smallest) * draws[name]
        for name in ("rotation", "brightness", "contrast", "saturation", "hue"):  # evenly about the fixed rule
            draws[name] = _DRAWS[name] + getattr(self.spec, name) * (2 * draws[name] - 1)
        flip = self.spec.flip and "sensors" not in self.modalities  # a mirrored video is not what they measured
        draws["flip"] = np.where(flip & (draws["flip"] < 0.5), 1.0, 0.0)
        return draws

    def _square(self, row: int, places: np.ndarray, x: float, y: float) -> Tensor:
        """(3, T, S, S) uint8; zeros where the video is absent. A short clip repeats frames.

        Args:
            places: (T,) of the frames, shares of the performance.
            x, y: 0..1, place in the frame of a square that has its short side.
        """
        count, height, width = self.store.frame_shape(int(row))
        if count == 0:
            return torch.zeros(3, self.spec.frames, self._side, self._side, dtype=torch.uint8)
        frames = self.store.frames(int(row), np.minimum((places * count).astype(int), count - 1))
        side = min(height, width)
        top, left = round(y * (height - side)), round(x * (width - side))
        square = torch.from_numpy(frames[:, top : top + side, left : left + side]).permute(0, 3, 1, 2)
        if side != self._side:  # recorded with fewer pixels than the store keeps
            square = F.interpolate(square, (self._side, self._side), mode="bilinear", antialias=True)
        return square.transpose(0, 1)

    def _sensor(
        self, name: str, performance: np.ndarray, start: np.ndarray, share: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(B, L, 3) float32 and (B, L) bool: means over L equal parts of the window, of measured instants where any."""
        values, measured = self.store.sensors[name][performance], self.store.measured[name][performance]
        grid, length = values.shape[1], self.spec.sensor_length
        # rounded: 300 / 100 * 29 / 100 must not reach into the part before
        edges = np.round((start[:, None] + np.arange(length + 1) / length * share[:, None]) * grid, 9)
        low = np.minimum(edges[:, :-1].astype(int), grid - 1)
        high = np.maximum(np.ceil(edges[:, 1:]).astype(int), low + 1).clip(max=grid)
        count = _sums(measured[..., None].astype(np.float32), low, high)

        def means(part: np.ndarray) -> np.ndarray:
            total, held = _sums(part, low, high), _sums(part * measured[..., None], low, high)
            mean: np.ndarray = np.where(count > 0, held / np.maximum(count, 1), total / (high - low)[..., None])
            return mean

        if name in self._angular:  # the mean direction: 179 and -179 degrees are two degrees apart
            pooled = np.arctan2(means(np.sin(values)), means(np.cos(values)))
        else:
            pooled = means(values)
        absent = (count == 0).all(axis=(1, 2))  # nothing was measured in the window
        pooled[absent] = 0
        return self._scaled(pooled, name, absent).astype(np.float32), count[..., 0] > 0

    def _scaled(self, values: np.ndarray, name: str, absent: np.ndarray) -> np.ndarray:
        if self.spec.sensor_scale == "physical":
            return values * SCALE_OF_UNIT[self._units[name]]
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        spread = np.where(high > low, high - low, 1.0)  # a constant column becomes 0, not NaN
        scaled: np.ndarray = np.where(absent[:, None, None], 0.0, (values - low) / spread)
        return scaled


@cache
def _decoders() -> ThreadPoolExecutor:
    """Threads that decode packed frames, one a core, for all sources of the process: a run makes hundreds of these."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="decode")


def _sums(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Sums of values[b, low[b, i] : high[b, i]] for all i: (B, G, C) -> (B, L, C)."""
    running = np.concatenate(
        [np.zeros_like(values[:, :1], np.float64), np.cumsum(values, axis=1, dtype=np.float64)], axis=1
    )
    rows = np.arange(len(values))[:, None]
    difference: np.ndarray = running[rows, high] - running[rows, low]
    return difference
