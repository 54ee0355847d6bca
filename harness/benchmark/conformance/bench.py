"""What the conformance checks are made on: random clips, a tiny encoder of every output kind, episodes of both."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import (
    Clips,
    ClipShape,
    Encoder,
    Features,
    FewShotMethod,
    Film,
    Setup,
    Targets,
    TransformerSpec,
)
from mmact_oneshot.harness.runtime.seeding import seeded

SENSORS = ("acc", "gyro")
WAY, SHOT, QUERIES, EPISODES, BASE_CLASSES = 5, 2, 7, 3, 11  # all different, so that no two axes can be confused
MANY = 300  # clips at once, as in a run

STEPS = (4, 8, 16)
"""Frames of a clip, and four times as many samples: the fewest that a method applies to."""
TRANSFORMER = TransformerSpec("micro", patch=8, tubelet=2, sensor_tokens=4)


class _AnyWidth(dict[str, int]):
    """Widths of an encoder that has every output."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> int:
        return TinyEncoder.width


class TinyEncoder(Encoder):
    """A shared encoder of every output kind from two linear layers; refuses outputs that ``needs`` does not declare.

    The second layer and its norm are the last stage: they make the vector from any ``"stage:k"`` before it.

    Args:
        declared: outputs that may be asked for; None for all.
    """

    width = 16

    def __init__(self, modality: str, declared: tuple[str, ...] | None, steps: int = STEPS[0]) -> None:
        super().__init__()
        self.modality, self.declared = modality, declared
        known = dict.fromkeys({"vector", "sequence", "map", *(declared or ())}, self.width)
        self.widths = _AnyWidth(known) if declared is None else known
        self.grid = (steps, 2, 2) if modality == "video" else (steps, 1, 1)
        self.steps = self.stage_steps = steps
        self.linear = nn.Linear(3 if modality == "video" else 4 * len(SENSORS), self.width)
        self.last = nn.Conv3d(self.width, self.width, 1)
        self.norm = nn.GroupNorm(1, self.width)

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, Tensor]:
        undeclared = [name for name in outputs if self.declared is not None and name not in self.declared]
        if undeclared:
            raise ValueError(f"asks the encoder for {undeclared[0]!r}, which needs.outputs does not declare")
        stage: Tensor = torch.tanh(self.linear(self._places(clips))).movedim(-1, 1)  # (B, D, t, h, w)
        places = self._last_stage(stage)
        sequence = places.mean(dim=(3, 4)).transpose(1, 2)
        known = {"sequence": sequence, "vector": sequence.mean(dim=1), "map": places, "stage:-1": places}
        return {name: known.get(name, stage) for name in outputs}

    def tail(self, stage: str, value: Tensor, film: Film | None = None) -> Tensor:
        return self._last_stage(value, film).mean(dim=(2, 3, 4))

    def film_widths(self, stage: str) -> tuple[int, ...]:
        return (self.width,)

    def _last_stage(self, value: Tensor, film: Film | None = None) -> Tensor:
        normed: Tensor = self.norm(self.last(value))
        for gamma, beta in film or ():
            normed = gamma[:, :, None, None, None] * normed + beta[:, :, None, None, None]
        return value + normed

    def _places(self, clips: Clips) -> Tensor:
        if self.modality == "video":
            assert clips.video is not None
            quarters: Tensor = clips.video.unfold(3, 8, 8).unfold(4, 8, 8).mean(dim=(5, 6))
            return (quarters.movedim(2, -1) - 0.5) * 8
        parts = [torch.cat([clips.sensors[n], clips.sensor_mask[n].unsqueeze(-1).float()], dim=-1) for n in SENSORS]
        means: Tensor = torch.cat(parts, dim=-1).unflatten(1, (self.steps, -1)).mean(dim=2)
        return means[:, :, None, None]


def random_clips(count: int, modalities: tuple[str, ...], shape: ClipShape, seed: int = 0) -> Clips:
    """Complete clips of some modalities: four parts that differ, in time and in each frame, with noise on them."""
    random = torch.Generator().manual_seed(seed)
    half = shape.size // 2
    level = torch.rand(count, shape.frames, 3, 2, 2, generator=random).repeat_interleave(half, 3)
    noise = torch.rand(count, shape.frames, 3, 2 * half, 2 * half, generator=random)
    video = (0.8 * level.repeat_interleave(half, 4) + 0.2 * noise).clamp(0, 1)
    mask = {name: torch.rand(count, shape.samples, generator=random) < 0.9 for name in SENSORS}
    sensors = {
        name: torch.randn(count, 4, 3, generator=random).repeat_interleave(shape.samples // 4, 1)
        + 0.3 * torch.randn(count, shape.samples, 3, generator=random)
        for name in SENSORS
    }
    present = {name: torch.ones(count, dtype=torch.bool) for name in ("video", "sensors", *SENSORS)}
    if "video" not in modalities:
        return Clips(None, sensors, mask, {name: present[name] for name in ("sensors", *SENSORS)})
    return (
        Clips(video, sensors, mask, present)
        if "sensors" in modalities
        else Clips(video, {}, {}, {"video": present["video"]})
    )


class Bench:
    """Builds a method, random clips and episodes of them; everything from fixed seeds."""

    def __init__(
        self,
        method: type[FewShotMethod],
        modalities: tuple[str, ...],
        settings: dict[str, Any],
        steps: int = STEPS[0],
    ) -> None:
        self.method, self.modalities, self.settings = method, modalities, settings
        self.shape = ClipShape(frames=steps, size=16, samples=4 * steps)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """What the method declares, which may depend on its settings."""
        return tuple(self._built(None).needs.outputs) if self.method.needs.outputs else ()

    def build(self, seed: int = 0, tuned: bool = True, way: int = WAY) -> FewShotMethod:
        """A new instance, in evaluation mode, on new encoders."""
        return self._built(self.outputs, seed, tuned, way)

    def trained(self, seed: int = 0, way: int = WAY) -> FewShotMethod:
        """A new instance with every parameter off its first value, and those that begin at zero far off: what they
        close would be seen after training alone."""
        method, random = self.build(seed, way=way), torch.Generator().manual_seed(9)
        with torch.no_grad():
            for parameter in method.parameters():
                size = (0.1 if parameter.any() else 1.0) * (0.5 + torch.rand(parameter.shape, generator=random))
                parameter.add_(size * torch.randn(parameter.shape, generator=random).sign())
        return method

    def next_draw(self, seed: int) -> float:
        """The random number that follows when a method is built and trained for a step from a global seed."""
        with seeded("conformance", seed):
            method = self._constructed(self.outputs).train()
            features = method.embed(method.encode(self.clips(EPISODES * (WAY + QUERIES))))
            method.loss(*self.episodes(features, shot=1), self.targets())
            return torch.rand(1).item()

    def _built(
        self, outputs: tuple[str, ...] | None, seed: int = 0, tuned: bool = True, way: int = WAY
    ) -> FewShotMethod:
        with seeded("conformance", seed):
            return self._constructed(outputs, tuned, way)

    def _constructed(self, outputs: tuple[str, ...] | None, tuned: bool = True, way: int = WAY) -> FewShotMethod:
        modalities = self.modalities if outputs is None or outputs else ()
        encoders: dict[str, Encoder] = {
            name: TinyEncoder(name, outputs, self.shape.frames).requires_grad_(tuned) for name in modalities
        }
        setup = Setup(self.modalities, SENSORS, BASE_CLASSES, way, 1, encoders, self.shape, TRANSFORMER)
        method = self.method(setup, **self.settings)
        for network in method.own_encoders():
            network.requires_grad_(tuned)
        return method.eval()

    def clips(self, count: int, seed: int = 0) -> Clips:
        """Random clips with the modalities in use and nothing else, as the harness loads them."""
        return random_clips(count, self.modalities, self.shape, seed)

    def features(self, method: FewShotMethod, clips: Clips) -> Features:
        """Through ``encode`` and ``embed``, as evaluation does it."""
        with torch.no_grad():
            return method.embed(method.encode(clips))

    def episodes(
        self, features: Features, shot: int = SHOT, queries: int = QUERIES, way: int = WAY
    ) -> tuple[Features, Features]:
        """The first clips as support (E, way, shot, ...), the next as queries (E, Q, ...)."""
        supports = EPISODES * way * shot
        support = {k: v[:supports].unflatten(0, (EPISODES, way, shot)) for k, v in features.items()}
        query = {k: v[supports:][: EPISODES * queries].unflatten(0, (EPISODES, queries)) for k, v in features.items()}
        return support, query

    def targets(self) -> Targets:
        """Labels of the episodes: queries of all classes, base classes that differ from episode to episode."""
        label = torch.arange(EPISODES * QUERIES).reshape(EPISODES, QUERIES) % WAY
        classes = torch.arange(WAY).repeat(EPISODES, 1) + torch.arange(EPISODES)[:, None]
        return Targets(label, classes, classes.gather(1, label))

    def task(self, seed: int = 0) -> tuple[FewShotMethod, Features, Features]:
        """A method, as if trained, with support and query features."""
        method = self.trained()
        clips = self.clips(EPISODES * (WAY * SHOT + QUERIES), seed)
        return method, *self.episodes(self.features(method, clips))


def score(method: FewShotMethod, support: Features, query: Features) -> Tensor:
    """Scores, as evaluation computes them."""
    with torch.set_grad_enabled(method.grad_at_test):
        return method.score(support, query).detach()


def without(clips: Clips, name: str) -> Clips:
    """The same clips, in every second of which (the first included) a sensor or a modality is missing."""
    gone = torch.arange(len(clips)) % 2 == 0
    names = SENSORS if name == "sensors" else (name,)
    video = clips.video
    if video is not None and name == "video":
        video = torch.where(gone[:, None, None, None, None], 0.0, video)
    sensors = {k: torch.where(gone[:, None, None], 0.0, v) if k in names else v for k, v in clips.sensors.items()}
    mask = {k: v & ~gone[:, None] if k in names else v for k, v in clips.sensor_mask.items()}
    present = {k: v & ~gone if k in {*names, name} else v for k, v in clips.present.items()}
    return Clips(video, sensors, mask, present)
