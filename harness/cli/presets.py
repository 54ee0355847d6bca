"""`oneshot presets`: which settings and studies come with the harness."""

from __future__ import annotations

from mmact_oneshot.harness.cli.listings import Json


def command(json: Json = False) -> None:
    """List the presets with their sizes and their studies.

    Example: oneshot presets
    """
    from mmact_oneshot.harness.cli.listings import Entry, show_list
    from mmact_oneshot.harness.config.presets import PRESETS, load_settings, preset_comment

    entries = []
    for name in PRESETS:
        settings = load_settings(name)
        clip = settings.input
        facts = {
            "clips": f"{clip.frames} frames of {clip.size} px, {clip.sensor_length} samples of each sensor",
            "encoders": f"{settings.video_encoder.name}; {settings.sensor_encoder.blocks} blocks for sensors",
            "seeds": settings.seeds,
            "suites": settings.suites,
            "studies": [f"{study} ({len(each.rows)} rows)" for study, each in settings.studies.items()],
        }
        entries.append(Entry(name, preset_comment(name), facts))
    show_list(
        entries, json, ['One of your own: a TOML file with `extends = "standard"`; `oneshot schema` describes it.']
    )
