"""Clips, widths and weights that do not fit are the reason why a row has no figures, in the names of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mmact_oneshot.harness.api import NotApplicable

SETTINGS = {
    "frames": "input.frames",
    "size": "input.size",
    "samples": "input.sensor_length",
    "tubelet": "transformer.tubelet",
    "patch": "transformer.patch",
    "sensor_tokens": "transformer.sensor_tokens",
}
"""How users call what a layout is made of."""


@contextmanager
def fitting(names: dict[str, str] | None = None) -> Iterator[None]:
    """Say that a method does not apply where its parts refuse what they are given.

    Args:
        names: words of the parts' messages -> words to put in their places.

    Raises:
        NotApplicable: a ValueError was raised inside.
    """
    try:
        yield
    except ValueError as error:
        words = str(error).removesuffix(".").split(" ")
        raise NotApplicable(" ".join((names or {}).get(word, word) for word in words)) from error
