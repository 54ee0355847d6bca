"""The contract of a method plugin. This file imports nothing of ours: it is the whole contract.

A method says how clips become features (``encode``, ``embed``: each clip alone) and how features become scores
(``score``: many episodes at once). The harness does everything else: sampling, decoding, device, precision,
optimisation, selection, checkpoints, evaluation and records.

Axes: B clips, T frames, L sensor samples, E episodes, Q queries, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Features = dict[str, Tensor]
"""Named tensors with the clip axis first. The shared encoders write ``"video.vector"`` and the like; the presence of
a modality travels as the boolean leaf ``"video.present"``."""


class NotApplicable(Exception):
    """Raised by a method's constructor when it cannot run in a setup; the message is the reason shown in the table."""


@dataclass(frozen=True)
class Clips:
    """One batch of clips, as the encoders see them.

    Attributes:
        video: (B, T, 3, H, W) in 0..1, or None; the encoder normalises. Zero where the video is absent.
        sensors: name -> (B, L, 3), SI units after the input's normalisation. Zero where the sensor is absent.
        sensor_mask: name -> (B, L) bool: measured, not filled in.
        present: "video", "sensors" or a sensor's name -> (B,) bool.
    """

    video: Tensor | None
    sensors: dict[str, Tensor]
    sensor_mask: dict[str, Tensor]
    present: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.present.values())))

    def to(self, device: torch.device | str) -> Clips:
        """The same clips on another device."""
        return Clips(
            None if self.video is None else self.video.to(device, non_blocking=True),
            *({name: value.to(device, non_blocking=True) for name, value in part.items()} for part in self._parts()),
        )

    def __getitem__(self, rows: slice | Tensor) -> Clips:
        """Some of the clips."""
        return Clips(
            None if self.video is None else self.video[rows],
            *({name: value[rows] for name, value in part.items()} for part in self._parts()),
        )

    def _parts(self) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        return self.sensors, self.sensor_mask, self.present


@dataclass(frozen=True)
class Targets:
    """Labels, for ``loss`` only: they never reach ``encode``, ``embed`` or ``score``.

    Attributes:
        label: (E, Q) in 0..way-1.
        support_class: (E, way) index among the base classes.
        query_class: (E, Q) index among the base classes.
    """

    label: Tensor
    support_class: Tensor
    query_class: Tensor


LossTerms = dict[str, Tensor]
"""Scalars to be summed; each gets a curve of its own."""


@dataclass(frozen=True)
class ClipShape:
    """What every clip is brought to: T frames of size x size pixels, and L samples of each sensor."""

    frames: int = 8
    size: int = 48
    samples: int = 64


@dataclass(frozen=True)
class TransformerSpec:
    """The transformer that masked autoencoders train and that heads may start from, and what it makes tokens of.

    Attributes:
        size: a name of ``mmact_oneshot.harness.encoders.sizes.SIZES``.
        patch, tubelet: side and frames of a video token.
        sensor_tokens: tokens of each sensor.
        pixel_norm, background: how pixels are normalised before they are embedded, in pre-training and after it.
    """

    size: str = "tiny"
    patch: int = 8
    tubelet: int = 2
    sensor_tokens: int = 16
    pixel_norm: str = "imagenet"
    background: str = "keep"


class Reconstruction(NamedTuple):
    """One modality of B clips: as it is, with NaN where it is masked, and with what was predicted there. Video
    (B, T, 3, H, W) in 0..1, a sensor (B, L, 3)."""

    original: Tensor
    masked: Tensor
    reconstructed: Tensor


class Pretraining(nn.Module):
    """A network that learns from single clips without labels, before any episode is drawn.

    The harness optimises the sum of what ``forward`` returns over augmented clips of the training classes, and hands
    ``states()`` to the methods and encoders that start from it.

    Attributes:
        modalities: those it learns from, a subset of ("video", "sensors").
        draws: uniform numbers that each clip needs at each step, for its masks.
    """

    modalities: tuple[str, ...]
    draws: int

    def describe(self) -> dict[str, Any]:
        """All that decides what is learnt, but for data, budget and seed, as JSON values: part of the digest by which
        a finished pre-training is found again."""
        raise NotImplementedError

    def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
        """Losses of B clips: ``draws`` is (B, self.draws), uniform in 0..1. Reads nothing back from the device."""
        raise NotImplementedError

    def states(self) -> dict[str, dict[str, Tensor]]:
        """Modality -> state of the transformer that saw it, in the names of
        ``mmact_oneshot.harness.encoders.multimodal.MultimodalEncoder``: ``patch_embed.*`` or ``sensor_embed.*``, and
        the ``blocks.*`` and ``norm.*`` that all modalities share."""
        raise NotImplementedError

    def reconstruct(self, clips: Clips, draws: Tensor) -> dict[str, Reconstruction]:
        """ "video" or a sensor's name -> what is masked and what the network predicts there, for a picture."""
        raise NotImplementedError


Film = Sequence[tuple[Tensor, Tensor]]
"""Feature-wise modulation: for each normalisation layer of an encoder's tail, in the order in which they run, a pair
(gamma, beta) of (B, C) tensors; the layer's output becomes ``gamma * output + beta``."""


class Encoder(nn.Module):
    """Turns one modality of a batch of clips into features.

    ``widths`` names the outputs it can give and their width D:

    * ``"vector"`` (B, D), the clip as a whole;
    * ``"sequence"`` (B, T', D), in the order of time;
    * ``"map"`` (B, D, t, h, w), at most 49 positions t * h * w; sensors have h = w = 1;
    * ``"stage:k"`` (B, D, t, h, w), what the k-th stage of the network leaves. Stages count as Python indices do, so
      ``"stage:-2"`` is what the last stage works on, whatever the network. :meth:`tail` does the rest.

    An encoder of your own is built as ``Encoder(shape, sensors, **settings)``: what clips are brought to, the names of
    the sensors, and its settings, keyword arguments with types and defaults. It names its ``modality`` as a class
    attribute, sets ``widths`` in its constructor and computes each clip alone, with no statistics over the batch. An
    absent clip is all zero. "vector" is needed; heads that need an output that it does not give are skipped.

    The harness fills in ``grid``, (t, h, w) of the map, ``steps``, the T' of the sequence, and ``stage_steps``, the t
    of the last stage; 0 where there is none.
    """

    modality: str
    widths: dict[str, int]
    grid: tuple[int, int, int] = (0, 0, 0)
    steps: int = 0
    stage_steps: int = 0

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, Tensor]:
        raise NotImplementedError

    def gives(self, output: str) -> bool:
        """Whether ``widths`` names an output."""
        return output in self.widths

    def tail(self, stage: str, value: Tensor, film: Film | None = None) -> Tensor:
        """What the rest of the network makes of a stage's output: its vector.

        Args:
            stage: name of the output, such as "stage:-2".
            value: (B, widths[stage], t, h, w).
            film: modulation of the normalisation layers that follow; None for none.

        Returns:
            (B, widths["vector"]); without ``film`` the encoder's own vector, unless the stage's map had to be pooled.
        """
        raise NotImplementedError

    def film_widths(self, stage: str) -> tuple[int, ...]:
        """Channels of each normalisation layer on the residual branches that follow a stage, in the order in which
        they run; empty where there is none to modulate."""
        raise NotImplementedError


@dataclass(frozen=True)
class Needs:
    """What a method takes from the shared encoders.

    ``outputs`` is empty for a method that reads clips itself. ``modalities`` are those it can use.
    """

    outputs: tuple[str, ...] = ("vector",)
    modalities: tuple[str, ...] = ("video", "sensors")


@dataclass(frozen=True)
class Setup:
    """What a method is built from.

    Attributes:
        modalities: a subset of ("video", "sensors"), in that order.
        sensors: names of the sensors of the data set.
        encoders: modality -> shared encoder; empty for a method whose ``needs.outputs`` is empty.
        base_classes: number of training classes.
        way, shot: of the training episodes.
        shape: of the clips.
        transformer: of masked autoencoders.
        pretrained: what this row starts from, as :meth:`Pretraining.states` gave it; empty: from scratch.
    """

    modalities: tuple[str, ...]
    sensors: tuple[str, ...]
    base_classes: int
    way: int
    shot: int
    encoders: Mapping[str, Encoder] = field(default_factory=dict)
    shape: ClipShape = ClipShape()
    transformer: TransformerSpec = TransformerSpec()
    pretrained: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    def width(self, output: str) -> int:
        """Summed width of an output over the modalities in use."""
        return sum(encoder.widths[output] for encoder in self.encoders.values())


class FewShotMethod(nn.Module):
    """Base class of all methods. Settings are keyword arguments of ``__init__`` with types and defaults.

    Class attributes:
        needs: outputs of the shared encoders, and modalities that the method can use.
        transductive: scores of a query may depend on the other queries; such rows are shown but not ranked.
        grad_at_test: ``score`` runs optimisation steps of its own.
        bibtex: the BibTeX entry of the method's paper, for the reports; empty where there is none.

    A method whose settings decide ``needs.outputs`` or ``transductive`` sets them on the instance as well.
    """

    needs: Needs = Needs()
    transductive: bool = False
    grad_at_test: ClassVar[bool] = False
    bibtex: ClassVar[str] = ""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        unusable = [name for name in setup.modalities if name not in self.needs.modalities]
        if unusable:
            raise NotApplicable(f"does not use {' and '.join(unusable)}")
        for modality, encoder in setup.encoders.items():
            lacking = [output for output in self.needs.outputs if not encoder.gives(output)]
            if lacking:
                raise NotApplicable(f"needs the {lacking[0]} of the encoder of {modality}, which gives none")
        self.setup = setup
        self.encoders = nn.ModuleDict(dict(setup.encoders))

    def train(self, mode: bool = True) -> Self:
        """Frozen encoders stay in evaluation mode, in which their features were computed."""
        super().train(mode)
        for encoder in (*self.encoders.values(), *self.own_encoders()):
            if not any(parameter.requires_grad for parameter in encoder.parameters()):
                encoder.eval()
        return self

    @classmethod
    def pretraining(cls, setup: Setup, **settings: Any) -> Pretraining | None:
        """The network that is pre-trained for this method on the training classes; None (default) for none.

        Args:
            setup: without encoders; ``modalities`` are all those of the data that the method can use.
            settings: of the method.
        """
        return None

    def own_encoders(self) -> Sequence[nn.Module]:
        """Networks of the method's own that are frozen or trained as the shared encoders are. Default: none."""
        return ()

    def encode(self, clips: Clips) -> Features:
        """Clips to features, each clip alone. Where encoders are frozen, they are computed once and kept."""
        features: Features = {}
        for modality in self.encoders:
            features |= encode_modality(self.setup.encoders[modality], clips, self.needs.outputs)
        return features | self.encode_own(clips)

    def encode_own(self, clips: Clips) -> Features:
        """What the method reads off the clips beside the shared encoders' outputs. Default: nothing.

        Where encoders are frozen it is computed once and without gradients, so it may use ``own_encoders()`` and
        nothing else that is trained.
        """
        return {}

    def embed(self, encoded: Features) -> Features:
        """The trainable per-clip part of the head, (B, ...) -> (B, ...). Default: identity."""
        return encoded

    def score(self, support: Features, query: Features) -> Tensor:
        """Scores of every query for every class, higher is better.

        Args:
            support: leaves (E, way, shot, ...).
            query: leaves (E, Q, ...).

        Returns:
            (E, Q, way), float32.
        """
        raise NotImplementedError

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        """Training loss, mean over episodes and queries. Default: cross-entropy of ``score``."""
        scores = self.score(support, query)
        return {"cross_entropy": F.cross_entropy(scores.flatten(0, 1), targets.label.flatten())}


def encode_modality(encoder: Encoder, clips: Clips, outputs: tuple[str, ...]) -> Features:
    """Outputs of one shared encoder, named ``"<modality>.<output>"``, and the presence of its modality."""
    features = {f"{encoder.modality}.{name}": value for name, value in encoder(clips, outputs).items()}
    return features | {f"{encoder.modality}.present": clips.present[encoder.modality]}
