"""`oneshot encoders`: which networks can turn clips into features."""

from __future__ import annotations

from mmact_oneshot.harness.cli.listings import Json


def command(json: Json = False) -> None:
    """List the encoders of video and sensors, and those of installed packages.

    Example: oneshot encoders
    """
    from dataclasses import replace

    from mmact_oneshot.harness.cli.listings import Entry, plugin_entries, show_list
    from mmact_oneshot.harness.config.specs import SensorEncoderSpec, TransformerSettings, VideoEncoderSpec
    from mmact_oneshot.harness.encoders.resnet3d import NAMES
    from mmact_oneshot.harness.plugins.kinds import ENCODER
    from mmact_oneshot.harness.plugins.registry import load
    from mmact_oneshot.harness.plugins.settings import setting_names

    video, sensors, transformer = (
        {name: field.default for name, field in spec.model_fields.items() if name not in ("name", "arguments")}
        for spec in (VideoEncoderSpec, SensorEncoderSpec, TransformerSettings)
    )
    entries = [
        Entry(
            "any network of timm",
            "A 2-D network over single frames, such as resnet18.",
            {"set as": 'video_encoder.name = "resnet18"', "settings": video},
        ),
        Entry(", ".join(NAMES), "3-D ResNets over whole clips.", {"set as": 'video_encoder.name = "r3d_18"'}),
        Entry("space_time_vit", "Space-time transformer.", {"set as": 'video_encoder.name = "space_time_vit"'}),
        Entry("resnet1d", "1-D residual network over all sensors.", {"set as": "sensor_encoder", "settings": sensors}),
        Entry(
            "transformer",
            "The transformer that masked autoencoders train.",
            {"set as": 'encoder = "transformer" of a row', "settings": transformer},
        ),
    ]
    for entry in plugin_entries("encoder"):
        if not entry.error:
            encoder = load(ENCODER, entry.name)
            facts = {"modality": encoder.modality, "settings": setting_names(encoder)}
            entry = replace(entry, facts=entry.facts | facts)
        entries.append(entry)
    hint = "One of your own: oneshot new encoder NAME, then oneshot run --set video_encoder.name=./NAME.py"
    show_list(entries, json, [hint])
