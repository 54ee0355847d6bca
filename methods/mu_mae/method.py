"""Mu-MAE: what its pre-training learnt guides the fusion of video and sensors, clip by clip of an episode.

Liu & Liu, "Mu-MAE: Multimodal Masked Autoencoders-Based One-Shot Learning" (arXiv 2408.04243): a masked autoencoder
over the tokens of the video and of all sensors, whose encoder gives the prior of a clip (``pretraining.py``); a
network for each modality; cross-attention from the prior to the modality's vectors among the clips of an episode, and
a linear fusion of all modalities (``fusion.py``); a metric classifier on the fused vector (``heads.py``).

Published recipe (the release): a TimeSformer on 8 frames of 224 px, one CNN for each sensor; SGD, learning rate 0.01,
32 episodes of 5-way 1-shot with one query a step, 256,020 episodes; loss = global + 0.5 nearest neighbour, scale 7.
Deviations that are settings, all of them undone by ``as_released``:

* a query attends together with the support only, not with the other queries (``across_queries``);
* the prior starts from the pre-training, which in the release does not fit it (``random_prior``), and gets pixels and
  frames as in pre-training (``raw_pixels``, ``half_frames``);
* a sensor's axes are the channels of its CNN (``reinterpret_axes``) and its tokens are runs of time (``interleaved``);
* the BatchNorm of the attention head always runs (``skip_norm_of_one_query``);
* the shared encoders' vectors are brought to one scale (``normalise``).

Deviations that ``as_released`` leaves: the weights of the fusion start larger than torch would have them, and its
gains at one, not at normal draws (``fusion.py``); the prior has no stochastic depth (0.1 in the release); the
release's CNNs have 16 channels (``hidden = 16``), its TimeSformer starts from a file "mu-mae-vit-base.pth" that it
does not hold, and each recording of a sensor is scaled by its own extremes (``input.sensor_scale = "minmax"``, a
setting of the run).

Original code: lxhit/mu-mae (no licence file in the repository); nothing of it is used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, LossTerms, Needs, Pretraining, Setup, Targets
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.methods.mu_mae.concatenation import ConcatenationFusion
from mmact_oneshot.methods.mu_mae.fitting import SETTINGS, fitting
from mmact_oneshot.methods.mu_mae.fusion import PriorGuidedFusion, SensorCNN
from mmact_oneshot.methods.mu_mae.heads import GRID, build_head
from mmact_oneshot.methods.mu_mae.precomputed import PrecomputedVectors
from mmact_oneshot.methods.mu_mae.pretraining import MaskedAutoencoding
from mmact_oneshot.methods.mu_mae.prior import build_prior, clip_layout

AT_ONCE, ON_ACCELERATOR = 8 << 20, 64 << 20
"""Numbers in the groups of the episodes that are scored in one piece: what caches bear, what an accelerator bears."""
OF_PRETRAINING = ("video_ratio", "sensor_ratio", "synchronised", "interleaved", "sensor_weight")

BIBTEX = """@misc{liu2024mumae,
  title = {{Mu-MAE}: Multimodal Masked Autoencoders-Based One-Shot Learning},
  author = {Liu, Rex and Liu, Xin},
  year = {2024},
  eprint = {2408.04243},
  archiveprefix = {arXiv}
}"""


class MuMAE(FewShotMethod):
    """Fusion guided by the masked autoencoder's view of a clip, and a head on the fused vectors.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        head: "attention" is the published one; see ``heads.py``.
        fusion: "cross_attention" is the published one; "concatenation" its ablation, see ``concatenation.py``.
        sensor_vectors: "cnn", as published: a network for each sensor, a modality of its own in the fusion; "shared":
            the vector of the shared sensor encoder, one modality.
        width: of the fused vector; 0: the video's, without video that of the sensors' vectors.
        sensor_width: of a SensorCNN's output.
        hidden: channels of a SensorCNN.
        heads: of each cross-attention.
        scale, alpha, metric_loss, global_loss: of the head, where it has them.
        video_ratio, sensor_ratio, synchronised, sensor_weight: of the pre-training, see :class:`MaskedAutoencoding`.
        normalise: bring the shared encoders' vectors to one scale; a SensorCNN is trained with the head and finds its
            own.
        residual: a clip's own values are added to what attention brings it; not in the release, and not in the paper.
        reinterpret_axes: a SensorCNN takes thirds of the window for axes.
        interleaved: a sensor's token has every n-th sample.
        across_queries: the queries of an episode attend to each other, so that scores depend on them.
        random_prior: the prior starts at random and there is no pre-training.
        raw_pixels: the prior gets pixels in 0..1 as they are.
        half_frames: the prior gets every second frame.
        skip_norm_of_one_query: no BatchNorm in the self-attention of a query; each is scored alone.
        as_released: all of these as in the release.

    Raises:
        NotApplicable: clips that cannot be cut into tokens, pre-trained weights that do not fit, widths that the heads
            do not share equally, or a head that needs what the fusion does not give.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("vector",))

    def __init__(
        self,
        setup: Setup,
        *,
        head: Literal["attention", "protonet", "linear_probe", "can", "mastaf", "trx", "cnaps"] = "attention",
        fusion: Literal["cross_attention", "concatenation"] = "cross_attention",
        sensor_vectors: Literal["cnn", "shared"] = "cnn",
        width: int = 0,
        sensor_width: int = 64,
        hidden: int = 64,
        heads: int = 4,
        scale: float = 7.0,
        alpha: float = 1.0,
        metric_loss: float = 0.5,
        global_loss: float = 1.0,
        video_ratio: float = 0.9,
        sensor_ratio: float = 0.9,
        synchronised: bool = True,
        sensor_weight: float = 0.5,
        normalise: bool = True,
        reinterpret_axes: bool = False,
        interleaved: bool = False,
        residual: bool = False,
        across_queries: bool = False,
        random_prior: bool = False,
        raw_pixels: bool = False,
        half_frames: bool = False,
        skip_norm_of_one_query: bool = False,
        as_released: bool = False,
    ) -> None:
        super().__init__(setup)
        if as_released:
            reinterpret_axes = interleaved = across_queries = random_prior = True
            raw_pixels = half_frames = skip_norm_of_one_query = True
            normalise = False
        self.transductive, self.every = across_queries, 2 if half_frames else 1
        self.prior = build_prior(
            replace(setup, pretrained={}) if random_prior else setup,
            self._layout(setup, interleaved=interleaved, raw_pixels=raw_pixels),
        )
        self.sensors = setup.sensors if "sensors" in setup.modalities and sensor_vectors == "cnn" else ()
        if self.sensors:
            del self.encoders["sensors"]  # it would run, and learn, for nothing
        widths = {name: setup.encoders[name].widths["vector"] for name in self.encoders}
        with fitting():
            self.networks = nn.ModuleDict(
                {
                    name: SensorCNN(setup.shape.samples, sensor_width, hidden=hidden, reinterpret=reinterpret_axes)
                    for name in self.sensors
                }
            )
            named = self.sensors or tuple(name for name in widths if name == "sensors")
            each = widths.get("sensors", sensor_width)
            self.fusion: PriorGuidedFusion | ConcatenationFusion
            if fusion == "concatenation":
                parts = {"video": widths["video"]} if "video" in widths else {}
                parts |= dict.fromkeys(named, each)
                self.fusion = ConcatenationFusion(self.prior.width, parts, width or widths.get("video", each))
            else:
                self.fusion = PriorGuidedFusion(
                    self.prior.width,
                    widths.get("video", 0),
                    each,
                    named,
                    width=width or None,
                    heads=heads,
                    across_queries=across_queries,
                    residual=residual,
                )
        if normalise:
            self.networks.update({name: nn.GroupNorm(1, channels) for name, channels in widths.items()})
        self.fused = PrecomputedVectors(self.fusion.width, GRID)
        self.head = build_head(
            head,
            setup,
            self.fused,
            scale=scale,
            alpha=alpha,
            metric_loss=metric_loss,
            global_loss=global_loss,
            normalise=normalise,
            skip_norm_of_one_query=skip_norm_of_one_query,
        )

    def _layout(self, setup: Setup, *, interleaved: bool, raw_pixels: bool) -> Layout:
        """The tokens that the prior gets."""
        layout = clip_layout(setup, interleaved=interleaved)
        with fitting(SETTINGS | {"frames": "half of input.frames,"}):
            return replace(
                layout,
                frames=layout.frames // self.every,
                pixel_norm="none" if raw_pixels else layout.pixel_norm,
            )

    @classmethod
    def pretraining(cls, setup: Setup, **settings: Any) -> Pretraining | None:
        if settings.get("as_released") or settings.get("random_prior"):
            return None
        return MaskedAutoencoding(setup, **{name: settings[name] for name in OF_PRETRAINING if name in settings})

    def own_encoders(self) -> Sequence[nn.Module]:
        return (self.prior,)

    def encode_own(self, clips: Clips) -> Features:
        """The prior (B, D), and of each sensor that has a network of its own the samples (B, L, 3)."""
        frames, layout = clips.video, self.prior.layout
        if frames is not None:
            frames = frames[:, :: self.every][:, : layout.frames]
        features = {"prior.vector": self.prior(replace(clips, video=frames))}
        for name in self.sensors:
            features |= {f"{name}.samples": clips.sensors[name], f"{name}.present": clips.present[name]}
        return features

    def embed(self, encoded: Features) -> Features:
        """What each clip asks and answers; see :meth:`PriorGuidedFusion.embed`.

        In float32 always: clips differ little beside what all of an episode share.
        """
        with torch.autocast(encoded["prior.vector"].device.type, enabled=False):
            vectors: Features = {}
            present: Features = {}
            for name in self.fusion.modalities:
                leaf = f"{name}.{'samples' if name in self.sensors else 'vector'}"
                value, present[name] = encoded[leaf].float(), encoded[f"{name}.present"]
                there = present[name].view(-1, *[1] * (value.ndim - 1))
                value = torch.where(there, value, 0.0)  # not a product: an absent modality may hold anything
                vectors[name] = self.networks[name](value) if name in self.networks else value
            return self.fusion.embed(encoded["prior.vector"].float(), vectors, present)

    def score(self, support: Features, query: Features) -> Tensor:
        """In pieces of episodes, since every query has a version of the support of its own."""
        way, shot = next(iter(support.values())).shape[1:3]
        episodes, queries = next(iter(query.values())).shape[:2]
        at_once = AT_ONCE if next(iter(query.values())).device.type == "cpu" else ON_ACCELERATOR
        each = at_once // (queries * (way * shot + 1) * sum(value[0, 0].numel() for value in query.values())) or 1
        pieces = [slice(first, first + each) for first in range(0, episodes, each)]
        with torch.set_grad_enabled(torch.is_grad_enabled() or self.head.grad_at_test):
            scores = [self.head.score(*self.folded(some(support, piece), some(query, piece))) for piece in pieces]
        return torch.cat(scores).view(episodes, queries, way)

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        queries = targets.label.shape[1]
        each = Targets(
            targets.label.view(-1, 1),
            targets.support_class.repeat_interleave(queries, dim=0),
            targets.query_class.view(-1, 1),
        )
        return self.head.loss(*self.folded(support, query), each)

    def folded(self, support: Features, query: Features) -> tuple[Features, Features]:
        """An episode for each query, with the support as it is beside that query, embedded by the head.

        Returns:
            Leaves (E * Q, way, shot, ...) and (E * Q, 1, ...).
        """
        way, shot = next(iter(support.values())).shape[1:3]
        clips, queries = self.fusion({name: value.flatten(1, 2) for name, value in support.items()}, query)
        return self._read(clips.flatten(0, 1).unflatten(1, (way, shot))), self._read(queries.flatten(0, 1).unsqueeze(1))

    def _read(self, vectors: Tensor) -> Features:
        """The head's ``embed`` of vectors with any number of axes before the last."""
        features = self.head.embed(self.fused.features(vectors.flatten(0, -2)))
        return {name: value.unflatten(0, vectors.shape[:-1]) for name, value in features.items()}


def some(features: Features, rows: slice) -> Features:
    """Some of the episodes."""
    return {name: value[rows] for name, value in features.items()}
