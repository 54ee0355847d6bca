"""Sizes of the transformers, for plugins: they import nothing of the settings, which name them."""

from __future__ import annotations

from mmact_oneshot.harness.config.sizes import SIZES, Size

__all__ = ["SIZES", "Size"]
