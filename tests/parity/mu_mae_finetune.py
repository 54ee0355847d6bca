"""Mu-MAE's one-shot stage against the arrays that its original code computed, part by part and as a whole."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, ClipShape, Encoder, Setup, TransformerSpec
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder
from mmact_oneshot.harness.encoders.sizes import SIZES, Size
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.methods.mu_mae import scoring
from mmact_oneshot.methods.mu_mae.fusion import CrossAttention, FusionModel, PriorGuidedFusion, SensorCNN
from mmact_oneshot.methods.mu_mae.heads import AttentionHead
from mmact_oneshot.methods.mu_mae.method import MuMAE
from mmact_oneshot.methods.mu_mae.released_inputs import frame_indices, scaled_sensor, sensor_rows
from mmact_oneshot.methods.mu_mae.scoring import AttendedMaps
from tests.parity.arrays import Arrays, FixedFeatures, by_class, labels, load, prefixes, targets, tensor
from tests.parity.mu_mae_pretrain import SENSORS, load_released, released_clips

SAMPLES, PIPELINE_HEADS = 128, 4  # constants of the original code that no array tells
KERNEL = f"{SENSORS[0]}_patch_embedding.weight"


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``mu_mae_finetune.npz``, from its other arrays."""
    found: dict[str, Tensor] = {}
    found["sensor_cnn.output"] = _sensor_cnn(arrays, "sensor_cnn.", _samples(arrays["sensor_cnn.input"]))
    attention = CrossAttention(
        len(arrays["cross_attention.query_projection.bias"]), int(arrays["cross_attention.num_heads"][0])
    )
    load(attention, _below(arrays, "cross_attention.", "_projection."), "cross_attention.")
    asked, context = (tensor(arrays[f"cross_attention.{side}_input"]).unsqueeze(0) for side in ("query", "context"))
    attended, weights = attention.attend(attention.project(asked, context))
    found["cross_attention.output"], found["cross_attention.attention"] = attended[0], weights[0]
    video, sensors = tensor(arrays["fusion.video"]), tensor(arrays["fusion.sensors"])
    fusion = FusionModel(video.shape[-1], sensors.shape[-1], len(sensors), len(arrays["fusion.linear.bias"]))
    load(fusion, _below(arrays, "fusion.", "weight", "bias"), "fusion.")
    found["fusion.output"] = fusion(video, sensors)

    encoder = _encoder(arrays)
    clips = _clips(arrays, "mae_encoder.")
    found["mae_encoder.output"] = encoder(clips)
    found["mae_encoder.sensor_tokens"] = torch.stack([encoder.layout.pieces(clips, name) for name in SENSORS])
    for kind in ("video", "sensor"):
        found[f"mae_encoder.{kind}_position_table"] = encoder.positions.get_buffer(kind)

    found |= _scores(arrays) | _pipeline(arrays)
    return {name: value.detach().numpy() for name, value in found.items()} | _released_inputs(arrays)


def _scores(arrays: Arrays) -> dict[str, Tensor]:
    parts = [tensor(arrays[f"scoring.{name}"]) for name in AttendedMaps._fields]
    grid, alpha = parts[0].shape[-3:], float(arrays["scoring.alpha"][0])
    maps = AttendedMaps(*(part.flatten(-3) for part in parts))
    pooled, local = scoring.pooled_scores(maps), scoring.local_scores(maps)
    found = {"scoring.pooled_scores": scoring.combined(pooled, alpha)}
    found["scoring.local_scores"] = _local(scoring.combined(local, alpha), grid)
    for name, mean, each in zip(("self", "cross"), pooled, local, strict=True):
        found[f"scoring.pooled_scores_{name}"], found[f"scoring.local_scores_{name}"] = mean, _local(each, grid)
    return found


class MeanColour(Encoder):
    """The backbone: the clip's mean colour times a matrix."""

    modality = "video"

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix, self.widths = matrix, {"vector": matrix.shape[1]}

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, Tensor]:
        assert clips.video is not None
        return {"vector": clips.video.mean(dim=(1, 3, 4)) @ self.matrix}


class Unattended(AttentionHead):
    """There was no attention head: maps as they are."""

    def attend(self, classes: Tensor, queries: Tensor) -> AttendedMaps:
        return AttendedMaps.unattended(classes, queries)


def _pipeline(arrays: Arrays) -> dict[str, Tensor]:
    """All of it, by the method itself."""
    method = _method(arrays)
    arrays = {name.removeprefix("pipeline."): value for name, value in arrays.items() if name.startswith("pipeline.")}
    label, query_label = labels(arrays["support_labels"]), labels(arrays["query_labels"])
    embedded, shots = method.embed(method.encode(_clips(arrays, ""))), len(label)
    support = {name: by_class(value[:shots], label).unsqueeze(0) for name, value in embedded.items()}
    query = {name: value[None, shots:] for name, value in embedded.items()}
    terms = method.loss(support, query, targets(query_label, labels(arrays["query_global_labels"]).unsqueeze(0)))

    head, folded = method.head, method.folded(support, query)
    assert isinstance(head, Unattended)
    maps, grid = head.attended(*folded), torch.Size((1, 2, 2))
    vectors = folded[0]["map"][0].flatten(0, 1).flatten(1)  # by class; the same for all queries
    local = scoring.combined(scoring.local_scores(maps, head.scale), head.alpha)
    found = {
        "fused": torch.cat([vectors[label.argsort(stable=True).argsort()], folded[1]["map"][:, 0].flatten(1)]),
        "class_prototypes": maps.self_support[:1].unflatten(-1, grid),
        "global_logits": head.global_logits(maps, query_label.unsqueeze(1))[:, 0].unflatten(-1, grid),
        "local_scores": local[:, 0].unflatten(-1, grid),
        "pooled_scores": method.score(support, query),
        "loss_global": terms["global"].view(1),
        "loss_nearest_neighbour": terms["metric"].view(1) / head.metric_loss,
        "loss_total": torch.stack(list(terms.values())).sum().view(1),
    }
    return {f"pipeline.{name}": value for name, value in found.items()}


def _method(arrays: Arrays) -> MuMAE:
    """Mu-MAE with all switches of the release but one (all frames reach the prior), and the weights of the pipeline."""
    side, square, tubelet, frames, width, depth, heads = (int(value) for value in arrays["mae_encoder.config"])
    pipeline = {name.removeprefix("pipeline."): value for name, value in arrays.items() if name.startswith("pipeline.")}
    tokens = SAMPLES * 3 // arrays[f"mae_encoder.weights.{KERNEL}"].shape[1]
    encoders = {"video": MeanColour(tensor(pipeline["backbone_matrix"])), "sensors": FixedFeatures(1)}
    with patch.dict(SIZES, {"pipeline": Size(width, depth, heads, width, heads)}):
        setup = Setup(
            ("video", "sensors"),
            SENSORS,
            len(pipeline["global_classifier.bias"]),
            len(np.unique(pipeline["support_labels"])),
            1,
            encoders,
            ClipShape(frames, side, SAMPLES),
            TransformerSpec("pipeline", square, tubelet, tokens),
        )
        method = MuMAE(
            setup,
            sensor_width=len(pipeline[f"sensor_cnn_{SENSORS[0]}.linear.bias"]),
            hidden=len(pipeline[f"sensor_cnn_{SENSORS[0]}.convolution.bias"]),
            heads=PIPELINE_HEADS,
            normalise=False,
            reinterpret_axes=True,
            interleaved=True,
            across_queries=True,
            random_prior=True,
            raw_pixels=True,
        )
    method.head = Unattended(method.head.setup, alpha=float(arrays["scoring.alpha"][0]))
    load_released(method.prior, arrays, "mae_encoder.weights.", "encoder.")
    assert isinstance(method.fusion, PriorGuidedFusion)
    for name in ("video", *SENSORS):
        load(method.fusion.prior_projection[name], pipeline, f"prior_projection_{name}.")
        load(method.fusion.cross_attention[name], pipeline, f"cross_attention_{name}.")
    for name in SENSORS:
        load(method.networks[name], pipeline, f"sensor_cnn_{name}.")
    load(method.fusion.fusion, pipeline, "fusion.")
    assert method.head.global_classifier is not None
    load(method.head.global_classifier, pipeline, "global_classifier.")
    return method.eval()


def _released_inputs(arrays: Arrays) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name in prefixes(arrays, "raw"):
        raw = arrays[f"{name}raw"]
        found[f"{name}output"] = scaled_sensor(raw, SAMPLES)[None, :, None]
        found[f"{name}indices"] = sensor_rows(len(raw), SAMPLES).astype(np.float32)
    cases = arrays["frame_sampling.cases"].astype(int)
    picked = [frame_indices(first, last, wanted) for _, wanted, first, last, *_ in cases]
    found["frame_sampling.indices"] = np.array(picked, np.float32)
    return found


def _encoder(arrays: Arrays) -> MultimodalEncoder:
    side, patch, tubelet, frames, width, depth, heads = (int(value) for value in arrays["mae_encoder.config"])
    samples, values = arrays["mae_encoder.sensors"].shape[2], arrays[f"mae_encoder.weights.{KERNEL}"].shape[1]
    layout = Layout(
        frames=frames,
        size=side,
        patch=patch,
        tubelet=tubelet,
        pixel_norm="none",
        sensors=SENSORS,
        samples=samples,
        sensor_tokens=samples * 3 // values,
        interleaved=True,
    )
    encoder = MultimodalEncoder(layout, Size(width, depth, heads, width, heads)).eval()
    load_released(encoder, arrays, "mae_encoder.weights.", "encoder.")
    return encoder


def _sensor_cnn(arrays: Arrays, prefix: str, samples: Tensor) -> Tensor:
    """(B, L, 3) -> (B, width)."""
    hidden, width = len(arrays[f"{prefix}convolution.bias"]), len(arrays[f"{prefix}linear.bias"])
    module = SensorCNN(samples.shape[1], width, hidden=hidden, reinterpret=True)
    load(module, _below(arrays, prefix, "weight", "bias"), prefix)
    found: Tensor = module(samples)
    return found


def _clips(arrays: Arrays, prefix: str) -> Clips:
    sensors = (_samples(each) for each in arrays[f"{prefix}sensors"])
    return released_clips(tensor(arrays[f"{prefix}video"]), dict(zip(SENSORS, sensors, strict=True)))


def _samples(array: np.ndarray) -> Tensor:
    """(B, L, 1, 3) -> (B, L, 3)."""
    return tensor(array).squeeze(2)


def _below(arrays: Arrays, prefix: str, *parts: str) -> Arrays:
    """The weights below a prefix: names that hold one of the parts."""
    return {name: value for name, value in arrays.items() if name.startswith(prefix) and any(p in name for p in parts)}


def _local(scores: Tensor, grid: torch.Size) -> Tensor:
    """(1, Q, K, P) -> (Q, K, d, h, w)."""
    return scores[0].unflatten(-1, grid)
