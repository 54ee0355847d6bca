"""From the store to what encoders see: frames drawn, cropped and resized, sensors cut and scaled.

At test time everything follows a fixed rule. In training the draws come from a counter (seed, step, clip), so every
method sees the same augmented clips in the same step, whatever the batch order or the number of workers.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.api import Clips
from harness.data.store import Store
from harness.protocol import InputSpec

GRAVITY = 9.80665
SCALE_OF_UNIT = {
    "m/s^2": 1 / GRAVITY,
    "rad/s": 1 / 3.0,
    "rad": 1 / np.pi,
}  # typical human motion comes out near 1
_DRAWS = ("window_share", "window_start", "frame_offset", "crop_share", "crop_x", "crop_y", "flip")


class ClipSource:
    """Batches of clips from a store.

    Args:
        store: the prepared store.
        spec: what the encoders see.
        modalities: what to load; the other modality is neither read nor passed on.
        threads: for decoding packed frames.
    """

    def __init__(self, store: Store, spec: InputSpec, modalities: tuple[str, ...], threads: int = 4) -> None:
        self.store, self.spec, self.modalities = store, spec, modalities
        self._units = {sensor["name"]: sensor["unit"] for sensor in store.manifest["sensors"]}
        self._angular = {sensor["name"] for sensor in store.manifest["sensors"] if sensor["angular"]}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def load(self, rows: np.ndarray, step: tuple[int, int] | None = None) -> Clips:
        """Clips of the store's ``rows``.

        Args:
            rows: (B,) integers.
            step: (training seed, step number) for augmented clips; None for the fixed rule of evaluation.
        """
        draws = self._draws(step)[rows] if step is not None else np.tile(self._fixed(), (len(rows), 1))
        named = dict(zip(_DRAWS, draws.T, strict=True))
        start, share = named["window_start"] * (1 - named["window_share"]), named["window_share"]
        present: dict[str, Tensor] = {}
        video, sensors, masks = None, {}, {}
        if "video" in self.modalities:
            tasks = [self._threads.submit(self._video, *task) for task in zip(rows, draws, start, share, strict=True)]
            video = torch.stack([task.result() for task in tasks]).float().div_(255)
            present["video"] = torch.from_numpy(self.store.clips["video"].to_numpy(bool)[rows])
        if "sensors" in self.modalities:
            performance = self.store.performance[rows]
            for name in self.store.sensors:
                values, measured = self._sensor(name, performance, start, share)
                sensors[name], masks[name] = torch.from_numpy(values), torch.from_numpy(measured)
                present[name] = masks[name].any(dim=1)
            present["sensors"] = torch.stack([present[name] for name in self.store.sensors]).any(dim=0)
        return Clips(video, sensors, masks, present)

    def _draws(self, step: tuple[int, int] | None) -> np.ndarray:
        """(clips, draws) uniform numbers of one step, the same for every subset of clips."""
        key = int.from_bytes(hashlib.sha256(f"augment:{step}".encode()).digest()[:16], "little")
        words = np.random.Philox(key=key).random_raw(len(self.store.clips) * len(_DRAWS))
        uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        draws: np.ndarray = uniform.reshape(-1, len(_DRAWS))
        for name, smallest in (("window_share", self.spec.window), ("crop_share", self.spec.crop)):
            column = _DRAWS.index(name)
            draws[:, column] = smallest + (1 - smallest) * draws[:, column]
        draws[:, _DRAWS.index("flip")] = self.spec.flip & (draws[:, _DRAWS.index("flip")] < 0.5)
        return draws

    @staticmethod
    def _fixed() -> np.ndarray:
        """The whole performance, the middle of every part, the central square, no mirror image."""
        return np.asarray([1.0, 0.0, 0.5, 1.0, 0.5, 0.5, 0.0])

    def _video(self, row: int, draws: np.ndarray, start: float, share: float) -> Tensor:
        """(T, 3, S, S) uint8; zeros where the video is absent. A short clip repeats frames."""
        size, wanted = self.spec.size, self.spec.frames
        count, height, width = self.store.frame_shape(int(row))
        if count == 0:
            return torch.zeros(wanted, 3, size, size, dtype=torch.uint8)
        _, _, offset, crop, x, y, flip = draws
        places = (start + (np.arange(wanted) + offset) / wanted * share) * count
        frames = self.store.frames(int(row), np.minimum(places.astype(int), count - 1))
        side = max(1, round(crop * min(height, width)))
        top, left = round(y * (height - side)), round(x * (width - side))
        square = torch.from_numpy(frames[:, top : top + side, left : left + side]).permute(0, 3, 1, 2)
        if side != size:
            square = F.interpolate(square, (size, size), mode="bilinear", antialias=True)
        return square.flip(-1) if flip else square

    def _sensor(
        self, name: str, performance: np.ndarray, start: np.ndarray, share: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(B, L, 3) float32 and (B, L) bool: means over L equal parts of the window, of measured instants where any."""
        values, measured = self.store.sensors[name][performance], self.store.measured[name][performance]
        grid, length = values.shape[1], self.spec.sensor_length
        edges = (start[:, None] + np.arange(length + 1) / length * share[:, None]) * grid
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


def _sums(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Sums of values[b, low[b, i] : high[b, i]] for all i: (B, G, C) -> (B, L, C)."""
    running = np.concatenate(
        [np.zeros_like(values[:, :1], np.float64), np.cumsum(values, axis=1, dtype=np.float64)], axis=1
    )
    rows = np.arange(len(values))[:, None]
    difference: np.ndarray = running[rows, high] - running[rows, low]
    return difference
