"""`oneshot layouts`: which ways of storing recordings are understood."""

from __future__ import annotations

from mmact_oneshot.harness.cli.listings import Json


def command(json: Json = False) -> None:
    """List the layouts of recordings, with the names of their files and their sensors.

    Example: oneshot layouts
    """
    from dataclasses import replace

    from mmact_oneshot.harness.cli.listings import plugin_entries, show_list
    from mmact_oneshot.harness.data.layouts import load_layout

    entries = []
    for entry in plugin_entries("layout"):
        if not entry.error:
            layout = load_layout(entry.name)
            sensors = [f"{each.name} ({each.unit}, {each.rate_hz:g} Hz)" for each in layout.sensors]
            entry = replace(entry, facts=entry.facts | {"files": layout.looks_for, "sensors": sensors})
        entries.append(entry)
    show_list(entries, json, ["One of your own: oneshot new layout NAME, then oneshot data index --layout ./NAME.py"])
