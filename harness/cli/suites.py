"""`oneshot suites`: which fixed episodes there are."""

from __future__ import annotations

from mmact_oneshot.harness.cli.listings import Json


def command(json: Json = False) -> None:
    """List the suites of fixed episodes, with their rules, and the splits they are drawn from with their digests.

    Example: oneshot suites
    """
    from mmact_oneshot.harness.cli.listings import Entry, show_list
    from mmact_oneshot.harness.data.episodes.suites import SUITES, committed_digests
    from mmact_oneshot.harness.report.suite_names import suite_title

    digests = committed_digests()
    entries = []
    for spec in SUITES.values():
        differ = " and ".join(f"another {what}" for what in spec.differ)
        queries = f"{spec.queries} query a class" if spec.queries else "one query"
        facts = {
            "classes": spec.role,
            "episodes": f"{spec.episodes:,}, {spec.way}-way {spec.shot}-shot, {queries}",
            "query": f"of {differ} than the support of its class" if differ else "any other clip of its class",
            "digests": {split: each[spec.name][:8] for split, each in digests.items() if spec.name in each},
        }
        entries.append(Entry(spec.name, suite_title(spec.name), facts))
    show_list(entries, json, ["`oneshot episodes verify` draws them all again and compares the digests."])
