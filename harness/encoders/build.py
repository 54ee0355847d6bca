"""Encoders from settings, each with an initial state of its own random stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from harness.api import Encoder
from harness.encoders.frames import FrameEncoder
from harness.encoders.sensors import SensorEncoder
from harness.protocol import Settings


@contextmanager
def seeded(*parts: object) -> Iterator[None]:
    """torch's global generator set from a hash of ``parts``, and put back afterwards."""
    word = hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:8]
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(word, "little") >> 1)
        yield


def build_encoder(modality: str, settings: Settings, sensors: tuple[str, ...], seed: int) -> Encoder:
    """A freshly initialised encoder; its state depends on (seed, modality, settings) alone, never on the head."""
    with seeded(seed, "encoder", modality):
        if modality == "video":
            return FrameEncoder(**settings.video_encoder.model_dump())
        return SensorEncoder(sensors, **settings.sensor_encoder.model_dump())


def state_digest(module: nn.Module) -> str:
    """SHA-256 of a module's state, recorded so that equal initial states can be checked."""
    sha = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
