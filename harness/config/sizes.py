"""Sizes of the transformers, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Of the transformers: an encoder and one light decoder for each modality."""

    width: int
    depth: int
    heads: int
    decoder_width: int
    decoder_heads: int
    decoder_depth: int = 4


SIZES = {
    "micro": Size(96, 4, 3, 48, 3, decoder_depth=1),  # for a CPU
    "tiny": Size(192, 4, 3, 96, 3, decoder_depth=2),  # likewise; the others are VideoMAE's
    "small": Size(384, 12, 6, 192, 3),
    "base": Size(768, 12, 12, 384, 6),
    "large": Size(1024, 24, 16, 512, 8),
    "huge": Size(1280, 32, 16, 640, 8),
}
