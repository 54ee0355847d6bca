"""What the video encoder asks of a network."""

from __future__ import annotations

import copy
from itertools import chain
from typing import NamedTuple, TypeVar

from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def on_meta(module: Module) -> Module:
    """A twin in evaluation mode whose tensors have shapes but no values: tells what comes out, at no cost."""
    values = chain(module.parameters(), module.buffers())
    return copy.deepcopy(module, {id(value): value.detach().to("meta") for value in values}).eval()


class Reading(NamedTuple):
    """What a network says of B clips.

    Attributes:
        places: (B, D, t, h, w).
        sequence: (B, t, D').
        clip: (B, D') where the network has a feature of the whole clip that is not the mean of the sequence.
    """

    places: Tensor
    sequence: Tensor
    clip: Tensor | None = None

    def at(self, steps: slice) -> Reading:
        """Some of the steps."""
        return Reading(self.places[:, :, steps], self.sequence[:, steps])


class Backbone(nn.Module):
    """A network in stages over (B, 3, T, H, W), normalised pixels; each stage leaves (B, D, t, h, w).

    Attributes:
        depth: number of stages.
        dropped: beginnings of names in weights files that this network has no use for: classifier, decoder.
    """

    depth: int
    dropped: tuple[str, ...] = ()

    def lay_out(self, channels_last: bool) -> None:
        """How a network of convolutions keeps channels from here on: those of a place together, or place by place."""

    def stage(self, index: int, value: Tensor) -> Tensor:
        """One stage; its value may carry channels that only later stages understand (a class token)."""
        raise NotImplementedError

    def stage_norms(self, index: int) -> list[nn.Module]:
        """Normalisation layers on a stage's residual branches, in the order in which they run."""
        raise NotImplementedError

    def read(self, value: Tensor) -> Reading:
        """What the last stage's value says."""
        raise NotImplementedError

    @property
    def released(self) -> nn.Module:
        """The module whose parameters have the names of the released weights."""
        return self

    def translate(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A released state, without what is dropped, in this network's own names."""
        return state

    def forward(self, video: Tensor) -> tuple[list[Tensor], Reading]:
        """All of it: the values of every stage, and the reading."""
        values = [video]
        for index in range(self.depth):
            values.append(self.stage(index, values[-1]))
        return values[1:], self.read(values[-1])
