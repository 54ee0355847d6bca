"""Control: nearest neighbour on the sensor curves themselves. Nothing is trained."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, Needs

FARTHEST = 1e9  # distance of clips that share no measured instant


class SensorNearestNeighbour(FewShotMethod):
    """Score of a class: minus the mean squared difference to its nearest support clip.

    Only instants that both clips measured count; a pair that shares none is as far apart as a pair can be.
    """

    needs = Needs(outputs=(), modalities=("sensors",))

    def encode(self, clips: Clips) -> Features:
        measured = torch.cat([clips.sensor_mask[name] for name in self.setup.sensors], dim=1)
        values = torch.cat([clips.sensors[name] for name in self.setup.sensors], dim=1)
        return {"values": values * measured.unsqueeze(-1), "measured": measured}

    def score(self, support: Features, query: Features) -> Tensor:
        a, m = query["values"].float(), query["measured"].float()  # (E, Q, L, 3), (E, Q, L)
        b, n = support["values"].float().flatten(1, 2), support["measured"].float().flatten(1, 2)
        # |a - b|^2 over the instants that both measured, expanded so that no (E, Q, way * shot, L) tensor is made
        cross = torch.einsum("eqlc,eslc->eqs", a, b)
        squares = torch.einsum("eql,esl->eqs", a.square().sum(-1), n) + torch.einsum(
            "eql,esl->eqs", m, b.square().sum(-1)
        )
        shared = torch.einsum("eql,esl->eqs", m, n)
        distance = torch.where(shared > 0, (squares - 2 * cross) / shared.clamp(min=1), FARTHEST)
        episodes, way, shot = support["measured"].shape[:3]
        nearest = distance.view(episodes, -1, way, shot).amin(dim=-1)
        return -nearest
