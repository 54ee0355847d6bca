"""A picture of what a pre-trained network reconstructs: some clips as recorded, masked and reconstructed."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Pretraining, Reconstruction
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.training.pretraining_draws import mask_draws

_INK, _PALE, _SHADE, _AXES = "#222222", "#888888", "#e4e4e4", ("#c0392b", "#2471a3", "#7f8c2d")  # the last: x, y, z
_MASKED = 0.78  # grey of masked pixels
_CLIPS, _CANDIDATES, _FRAMES = 3, 4, 4
_COLUMN, _GAP, _LEFT, _TOP, _BOTTOM, _TRACE, _SPACE = 3.7, 0.2, 1.15, 0.95, 0.3, 0.72, 0.06  # inches
_STRIPS = ("as recorded", "masked", "reconstructed")


def draw_reconstruction(
    network: Pretraining,
    source: ClipSource,
    rows: np.ndarray,
    out: Path,
    *,
    device: Device,
    seed: int,
    title: str,
    note: str = "",
) -> None:
    """Draw up to three clips, unaugmented: frames and sensors as recorded, masked, and reconstructed.

    Args:
        network: is moved to the device.
        source: of the clips.
        rows: store rows to choose from. The clips are spread over them; of neighbours, the one that lacks least.
        out: the PNG to write.
        seed: decides the masks.
        title: what the network is, such as "mu_mae, seed 0".
        note: a line under it, such as what of a masked part is known and not predicted.
    """
    shown = _choose(source, rows)
    clips = source.load(shown).to(device.torch)
    draws = mask_draws((len(shown), network.draws), seed, "picture").to(device.torch)
    network.to(device.torch)
    training = network.training
    network.eval()
    with torch.inference_mode(), device.autocast():
        found = network.reconstruct(clips, draws)
    network.train(training)
    reconstructed = {name: Reconstruction(*(part.float().cpu() for part in parts)) for name, parts in found.items()}
    present = {name: clips.present[name].cpu() for name in reconstructed}
    names = [str(source.store.clips["clip"].iloc[row]) for row in shown]
    figure = _figure(
        reconstructed, present, names, f"{title}: masked and reconstructed ({_shares(reconstructed, present)})", note
    )
    _write(figure, out)


def _choose(source: ClipSource, rows: np.ndarray) -> np.ndarray:
    chosen = []
    for part in np.array_split(rows, min(_CLIPS, len(rows))):
        candidates = part[:: -(-len(part) // _CANDIDATES)]
        present = torch.stack(list(source.load(candidates).present.values()))
        chosen.append(candidates[int(present.sum(dim=0).argmax())])
    return np.asarray(chosen)


def _shares(reconstructed: Mapping[str, Reconstruction], present: Mapping[str, Tensor]) -> str:
    """How much was masked, of what there is."""
    parts: dict[str, list[Tensor]] = {}
    for name, (_, masked, _) in reconstructed.items():
        of = parts.setdefault("video" if name == "video" else "sensors", [])
        of.append(masked[present[name]].isnan().flatten().float())
    found = {of: torch.cat(each) for of, each in parts.items()}
    return ", ".join(f"{float(part.mean()) * 100:.3g} % of the {of}" for of, part in found.items() if len(part))


def _figure(
    reconstructed: Mapping[str, Reconstruction], present: Mapping[str, Tensor], names: list[str], title: str, note: str
) -> Any:
    """A column for each clip; the video has three lines, a sensor one."""
    from matplotlib.figure import Figure

    lines = [(label, "video", part) for part, label in enumerate(_STRIPS) if "video" in reconstructed]
    lines += [(name, name, 0) for name in reconstructed if name != "video"]
    heights = [_COLUMN / _FRAMES + _SPACE if modality == "video" else _TRACE for _, modality, _ in lines]
    top = _TOP + 0.2 * bool(note)
    width, height = max(7.5, _LEFT + len(names) * (_COLUMN + _GAP)), top + sum(heights) + _BOTTOM
    figure = Figure(figsize=(width, height), dpi=90)
    figure.text(0.12 / width, 1 - 0.24 / height, title, size=11, color=_INK, va="center", weight="bold")
    figure.text(0.12 / width, 1 - 0.75 / height, note, size=8, color=_INK, va="center")
    _draw_key(figure, any(modality != "video" for _, modality, _ in lines))
    for column, name in enumerate(names):
        left = (_LEFT + column * (_COLUMN + _GAP)) / width
        figure.text(left, 1 - (top - 0.06) / height, name, size=8, color=_INK, va="bottom")
        figure.text(left, 0.08 / height, "start", size=7, color=_PALE)
        figure.text(left + _COLUMN / width, 0.08 / height, "end", size=7, color=_PALE, ha="right")
        for row, (label, modality, part) in enumerate(lines):
            bottom = (height - top - sum(heights[: row + 1]) + _SPACE / 2) / height
            box = (left, bottom, _COLUMN / width, (heights[row] - _SPACE) / height)
            axes = figure.add_axes(box, xticks=[], yticks=[])
            values = [value[column].numpy() for value in reconstructed[modality]]
            if not present[modality][column]:
                axes.text(0.5, 0.5, "not recorded", size=8, color=_PALE, ha="center", va="center")
                axes.set_frame_on(False)
            elif modality == "video":
                _draw_strip(axes, values[part])
            else:
                _draw_trace(axes, *values)
            if column == 0:
                axes.set_ylabel(label, size=8, color=_INK, rotation=0, ha="right", va="center", labelpad=6)
    return figure


def _draw_strip(axes: Any, video: np.ndarray) -> None:
    """Up to four frames of (T, 3, H, W), side by side; what is not a number is masked."""
    places = np.linspace(0, len(video) - 1, min(_FRAMES, len(video))).round().astype(int)
    frames = np.where(np.isnan(video[places]), _MASKED, video[places].clip(0, 1)).transpose(0, 2, 3, 1)
    for k, frame in enumerate(frames):
        box = (k + 0.01, k + 0.99, 0.01, 0.99)
        axes.imshow(frame, extent=box, interpolation="antialiased", aspect="auto")
    axes.set(xlim=(0, _FRAMES), ylim=(0, 1))
    axes.set_frame_on(False)


def _draw_trace(axes: Any, original: np.ndarray, masked: np.ndarray, reconstructed: np.ndarray) -> None:
    """One sensor, (L, 3): where it was masked, a thick line from the last visible sample to the next."""
    masked = np.isnan(masked).any(axis=1)
    padded = np.pad(masked, 1)
    near = (padded[:-2] | masked | padded[2:])[:, None]
    for start, end in np.flatnonzero(np.diff(padded.astype(int))).reshape(-1, 2):
        axes.axvspan(start, end, color=_SHADE, linewidth=0)
    places = np.arange(len(masked)) + 0.5
    for k, colour in enumerate(_AXES):
        axes.plot(places, np.where(near, reconstructed, np.nan)[:, k], color=colour, linewidth=2.2, alpha=0.55)
        axes.plot(places, original[:, k], color=colour, linewidth=0.7)
    axes.set(xlim=(0, len(masked)))
    axes.margins(y=0.1)
    for spine in axes.spines.values():
        spine.set(color=_PALE, linewidth=0.5)


def _draw_key(figure: Any, sensors: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: list[Any] = [Patch(color=str(_MASKED), label="masked")]
    if sensors:
        keys += [Line2D([], [], color=_INK, linewidth=0.7, label="as recorded")]
        keys += [Line2D([], [], color=_INK, linewidth=2.2, alpha=0.55, label="reconstructed")]
        keys += [Line2D([], [], color=colour, label=axis) for axis, colour in zip("xyz", _AXES, strict=True)]
    width, height = figure.get_size_inches()
    figure.legend(
        handles=keys, loc="center left", bbox_to_anchor=(0.12 / width, 1 - 0.52 / height), ncols=len(keys), fontsize=8,
        frameon=False, borderpad=0, borderaxespad=0, labelcolor=_INK, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip


def _write(figure: Any, out: Path) -> None:
    """A PNG of 256 colours, a third of the size, atomically."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    with written(out) as temporary:
        Image.open(drawn).convert("RGB").quantize(256).save(temporary, format="png", optimize=True)
