"""`oneshot metrics`: which figures stand beside the accuracy."""

from __future__ import annotations

from mmact_oneshot.harness.cli.listings import Json


def command(json: Json = False) -> None:
    """List the figures beside the accuracy, in CSV files, reports and comparisons.

    Example: oneshot metrics
    """
    from dataclasses import replace

    from mmact_oneshot.harness.cli.listings import plugin_entries, show_list
    from mmact_oneshot.harness.plugins.kinds import METRIC
    from mmact_oneshot.harness.plugins.registry import load

    entries = [
        entry if entry.error else replace(entry, facts={"title": load(METRIC, entry.name).title} | entry.facts)
        for entry in plugin_entries("metric")
    ]
    show_list(entries, json, ["One of your own: oneshot new metric NAME, then oneshot report --metric ./NAME.py"])
