"""Control: scores that depend on the clips but not on what they show. Its accuracy must be chance."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, Needs

_MIX = 0x9E3779B97F4A7C15 - (1 << 64)  # the golden-ratio multiplier of splitmix64, as a signed 64-bit integer


class Random(FewShotMethod):
    """Score of a class: a hash of the query clip and the support clips, uniform in 0..1.

    A hash instead of a generator keeps the scores equal for every batch size, order and number of workers. It takes
    in the supports of all classes, so that a pair of clips is scored anew in every episode and the episodes are
    independent, as the interval of their mean assumes.
    """

    needs = Needs(outputs=())

    def encode(self, clips: Clips) -> Features:
        parts = [clips.sensors[name] for name in self.setup.sensors if "sensors" in self.setup.modalities]
        if "video" in self.setup.modalities and clips.video is not None:
            parts.append(clips.video)
        hashed = torch.zeros(len(clips), dtype=torch.int64, device=parts[0].device)
        for part in parts:
            bits = part.float().contiguous().view(torch.int32).flatten(1).to(torch.int64)
            places = torch.arange(1, bits.shape[1] + 1, device=bits.device)
            hashed = _mix(hashed + (_mix(bits + places * _MIX)).sum(dim=1))
        return {"hash": hashed}

    def score(self, support: Features, query: Features) -> Tensor:
        classes = _mix(support["hash"].sum(dim=2))  # (E, way); neither shots nor classes have an order
        episode = _mix(classes.sum(dim=1))
        words = _mix(classes[:, None, :] + _mix(query["hash"] + episode[:, None])[:, :, None])
        return ((words >> 40) & 0xFFFFFF).float() / 2**24


def _mix(word: Tensor) -> Tensor:
    """The finaliser of splitmix64 with arithmetic shifts: every input bit reaches the bits that are used."""
    word = (word ^ ((word >> 30) & 0x3FFFFFFFF)) * (0xBF58476D1CE4E5B9 - (1 << 64))
    word = (word ^ ((word >> 27) & 0x1FFFFFFFFF)) * (0x94D049BB133111EB - (1 << 64))
    return word ^ ((word >> 31) & 0x1FFFFFFFF)
