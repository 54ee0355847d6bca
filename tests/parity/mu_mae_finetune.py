"""Mu-MAE's one-shot stage against the arrays that its original code computed, part by part and as a whole."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from harness.api import Clips
from harness.encoders.multimodal import MultimodalEncoder
from harness.encoders.sizes import Size
from harness.encoders.tokens import Layout
from methods.mu_mae import scoring
from methods.mu_mae.fusion import CrossAttention, FusionModel, PriorGuidedFusion, SensorCNN
from methods.mu_mae.released_inputs import frame_indices, scaled_sensor, sensor_rows
from methods.mu_mae.scoring import AttendedMaps
from tests.parity.arrays import Arrays, by_class, labels, load, prefixes, tensor
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

    found |= _scores(arrays) | _pipeline(arrays, encoder)
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


def _pipeline(arrays: Arrays, encoder: MultimodalEncoder) -> dict[str, Tensor]:
    """All of it; the backbone is the mean colour, and there is no attention head."""
    alpha = float(arrays["scoring.alpha"][0])
    arrays = {name.removeprefix("pipeline."): value for name, value in arrays.items() if name.startswith("pipeline.")}
    clips = _clips(arrays, "")
    label, query_label = labels(arrays["support_labels"]), labels(arrays["query_labels"]).unsqueeze(0)
    assert clips.video is not None
    vectors = {"video": clips.video.mean(dim=(1, 3, 4)) @ tensor(arrays["backbone_matrix"])}
    vectors |= {name: _sensor_cnn(arrays, f"sensor_cnn_{name}.", clips.sensors[name]) for name in SENSORS}
    widths = (encoder.width, vectors["video"].shape[1], vectors[SENSORS[0]].shape[1])
    fusion = PriorGuidedFusion(*widths, SENSORS, heads=PIPELINE_HEADS, across_queries=True).eval()
    for name in ("video", *SENSORS):
        load(fusion.prior_projection[name], arrays, f"prior_projection_{name}.")
        load(fusion.cross_attention[name], arrays, f"cross_attention_{name}.")
    load(fusion.fusion, arrays, "fusion.")

    embedded = fusion.embed(encoder(clips), vectors, clips.present)
    shots = len(label)
    support, query = fusion(
        {name: value[None, :shots] for name, value in embedded.items()},
        {name: value[None, shots:] for name, value in embedded.items()},
    )
    prototypes = scoring.as_map(by_class(support[0, 0], label).mean(dim=1)).unsqueeze(0)
    maps = AttendedMaps.unattended(prototypes, scoring.as_map(query))
    local = scoring.combined(scoring.local_scores(maps), alpha)
    classifier = nn.Linear(prototypes.shape[2], len(arrays["global_classifier.bias"]))
    load(classifier, arrays, "global_classifier.")
    logits = classifier(scoring.of_true_class(maps.cross_query, query_label).transpose(2, 3)).transpose(2, 3)
    of_class = scoring.local_cross_entropy(logits, labels(arrays["query_global_labels"]).unsqueeze(0))
    nearest = scoring.local_cross_entropy(local, query_label)
    grid = torch.Size((1, 2, 2))
    found = {
        "fused": torch.cat([support[0, 0], query[0]]),
        "class_prototypes": prototypes.unflatten(-1, grid),
        "global_logits": _local(logits, grid),
        "local_scores": _local(local, grid),
        "pooled_scores": scoring.combined(scoring.pooled_scores(maps), alpha),
        "loss_global": of_class.view(1),
        "loss_nearest_neighbour": nearest.view(1),
        "loss_total": (of_class + 0.5 * nearest).view(1),
    }
    return {f"pipeline.{name}": value for name, value in found.items()}


def _released_inputs(arrays: Arrays) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name in prefixes(arrays, "raw"):
        raw = arrays[f"{name}raw"]
        found[f"{name}output"] = scaled_sensor(raw, SAMPLES)[None, :, None]
        found[f"{name}indices"] = sensor_rows(len(raw), SAMPLES).astype(np.float32)
    cases = arrays["frame_sampling.cases"].astype(int)
    picked = [frame_indices(start, end, wanted) for _, wanted, start, end, *_ in cases]
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
