"""The style of a row in all charts: a mark and a colour for its modalities."""

from __future__ import annotations

from mmact_oneshot.harness.report.results.rankings import Row

STYLES = {"video": ("circle", "one"), "sensors": ("square", "two"), "both": ("diamond", "three")}
OTHER = ("triangle", "four")


def mark(row: Row) -> tuple[str, str]:
    """Shape and colour, by modalities."""
    return STYLES.get(row.measured.modality, OTHER)
