"""The networks that clips pass in a run: what of a step takes time and memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, NotApplicable
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder, clips_like
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.training.conditions import encoder_conditions
from mmact_oneshot.harness.training.initialisation import Pretrained
from mmact_oneshot.harness.training.job import TrainingJob, build_untrained
from mmact_oneshot.harness.training.warm_start import EncoderKey


@dataclass(frozen=True)
class Network:
    """A network, and what runs it.

    Attributes:
        key: equal for networks that are equally fast.
        label: for a reader.
        build: makes it, with values.
        loss: from the network and clips to something to differentiate.
        modalities, settings: of its clips.
    """

    key: str
    label: str
    build: Callable[[], nn.Module]
    loss: Callable[[Any, Clips], Tensor]
    modalities: tuple[str, ...]
    settings: Settings

    def build_shapes(self) -> nn.Module:
        """It without values, which takes no time; with values where a plugin cannot be built otherwise."""
        try:
            with torch.device("meta"):
                return self.build()
        except NotApplicable:
            raise
        except Exception:
            return self.build()

    def clips(self, sensors: tuple[str, ...], count: int, make: Callable[..., Tensor] = torch.zeros) -> Clips:
        """Clips as the network gets them; see :func:`mmact_oneshot.harness.encoders.build.clips_like`."""
        return clips_like(self.settings, self.modalities, sensors, count, make)


def encoder_network(task: Task, key: EncoderKey) -> Network:
    """A shared encoder."""
    return encoder_of(key.settings, key.modality, tuple(task.store.sensors), key.title)


def encoder_of(settings: Settings, modality: str, sensors: tuple[str, ...], label: str) -> Network:
    """The encoder of a modality."""

    def loss(encoder: Any, clips: Clips) -> Tensor:
        vector: Tensor = encoder(clips, ("vector",))["vector"]
        return vector.float().square().mean()

    return Network(
        key=f"encoder {_encoders(settings, (modality,))}",
        label=label,
        build=lambda: build_encoder(modality, settings, sensors, 0),
        loss=loss,
        modalities=(modality,),
        settings=settings,
    )


def pretraining_network(pretraining: Pretrained) -> Network:
    """A network that is pre-trained."""
    key = f"pretraining {digest(pretraining.conditions)}"
    return pretraining_of(
        pretraining.settings, pretraining.modalities, pretraining.build, f"{pretraining.name} pre-training", key
    )


def pretraining_of(
    settings: Settings, modalities: tuple[str, ...], build: Callable[[], nn.Module], label: str, key: str
) -> Network:
    """What ``build`` makes, a :class:`mmact_oneshot.harness.api.Pretraining`."""

    def loss(network: Any, clips: Clips) -> Tensor:
        device = next(iter(clips.present.values())).device
        terms = network(clips, torch.rand(len(clips), network.draws, device=device))
        return torch.stack([term.float() for term in terms.values()]).sum()

    return Network(key, label, build, loss, modalities, settings)


def row_network(task: Task, job: TrainingJob, *, own: bool = False) -> Network:
    """All that clips pass in a row, or only the networks that are the method's own.

    Heads cost little beside the encoders, so rows on the same encoders count as one network, but for methods with
    networks of their own.
    """
    special = has_own_networks(job)
    which = f"{job.label} {job.method_settings}" if special else "shared encoders"
    return Network(
        key=f"{'own' * own}row {which} {_encoders(job.settings, job.row.modalities)}",
        label=f"{job.label} on {job.row.modality_label}" if special else f"encoders of {job.row.modality_label}",
        build=lambda: build_untrained(task, job),
        loss=own_feature_sum if own else feature_sum,
        modalities=job.row.modalities,
        settings=job.settings,
    )


def feature_sum(method: Any, clips: Clips) -> Tensor:
    """Something to differentiate through all that clips pass in a row."""
    return _sum(method.encode(clips))


def own_feature_sum(method: Any, clips: Clips) -> Tensor:
    """The same, through the networks that are the method's own."""
    return _sum(method.encode_own(clips))


def has_own_networks(job: TrainingJob) -> bool:
    """Whether a method reads clips beside the shared encoders."""
    method = job.method
    plain = method.encode is FewShotMethod.encode and method.encode_own is FewShotMethod.encode_own
    return not (job.shared and plain)


def _sum(features: Features) -> Tensor:
    return torch.stack([leaf.float().sum() for leaf in features.values() if leaf.is_floating_point()]).sum()


def _encoders(settings: Settings, modalities: tuple[str, ...]) -> str:
    kinds = {name: encoder_conditions(settings, name) for name in modalities}
    return digest([kinds, settings.encoder, settings.transformer.model_dump(), settings.input.model_dump()])
