"""`oneshot methods`: what can be run."""

from __future__ import annotations

from mmact_oneshot.harness.cli.listings import Json


def command(json: Json = False) -> None:
    """List the methods: origin, what each takes of the encoders, settings with defaults; of one that is broken, why.

    Example: oneshot methods
    """
    from dataclasses import replace

    from mmact_oneshot.harness.cli.listings import plugin_entries, show_list
    from mmact_oneshot.harness.plugins.methods import load_method
    from mmact_oneshot.harness.plugins.settings import setting_names
    from mmact_oneshot.harness.training.initialisation import pretrains

    entries = []
    for entry in plugin_entries("method"):
        if not entry.error:
            method = load_method(entry.name)
            facts = {
                "takes": method.needs.outputs or "the clips themselves",
                "modalities": method.needs.modalities,
                "pre-trained": f'initialisation = "{entry.name}"' if pretrains(method) else "",
                "settings": setting_names(method),
            }
            entry = replace(entry, facts=entry.facts | facts)
        entries.append(entry)
    show_list(entries, json, ["One of your own: oneshot new method NAME, then oneshot run --method ./NAME.py"])
