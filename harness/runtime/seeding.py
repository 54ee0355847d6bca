"""Random streams of torch that depend on what they are for, and on nothing that ran before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(*parts: object) -> Iterator[None]:
    """torch's global generator set from a hash of ``parts``, and put back afterwards."""
    word = hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:8]
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(word, "little") >> 1)
        yield
