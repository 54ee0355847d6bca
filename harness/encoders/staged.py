"""What the video and the sensor encoder have in common: stages, one after another, and what is read off at the end."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Encoder, Film
from mmact_oneshot.harness.encoders.norm import channels, modulated
from mmact_oneshot.harness.runtime.errors import HarnessError


class Widths(dict[str, int]):
    """Output -> width; an output that the network does not have is an error that says which it has."""

    def __missing__(self, name: str) -> int:
        raise HarnessError(f"the encoder has no output {name!r}.", remedy=f"It has: {', '.join(self)}.")


class StagedEncoder(Encoder):
    """An encoder in stages. Subclasses say how clips enter, what a stage does and how the end is read."""

    @property
    def depth(self) -> int:
        """Number of stages."""
        raise NotImplementedError

    def enter(self, clips: Clips) -> Tensor:
        """Clips -> what the first stage works on."""
        raise NotImplementedError

    def stage(self, index: int, value: Tensor) -> Tensor:
        """One stage, 0 <= index < depth, to (B, D, t, h, w)."""
        raise NotImplementedError

    def stage_norms(self, index: int) -> list[nn.Module]:
        """Normalisation layers on a stage's residual branches, in the order in which they run."""
        raise NotImplementedError

    def stage_output(self, value: Tensor) -> Tensor:
        """What a stage shows of its value (B, D, t, h, w): by default all of it."""
        return value

    def leave(self, value: Tensor, outputs: Iterable[str]) -> dict[str, Tensor]:
        """Outputs "vector", "sequence" and "map" from what the last stage left."""
        raise NotImplementedError

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, Tensor]:
        shown = {name: self._index(name) for name in outputs if name.startswith("stage:")}
        read = [name for name in outputs if name not in shown]
        value = self.enter(clips)
        found: dict[str, Tensor] = {}
        for index in range(self.depth if read else max(shown.values(), default=-1) + 1):
            value = self.stage(index, value)
            found |= {name: self.stage_output(value) for name, wanted in shown.items() if wanted == index}
        if read:
            found |= self.leave(value, read)
        return {name: found[name] for name in outputs}

    def tail(self, stage: str, value: Tensor, film: Film | None = None) -> Tensor:
        with modulated(self._norms_after(stage), film):
            for index in range(self._index(stage) + 1, self.depth):
                value = self.stage(index, value)
        return self.leave(value, ["vector"])["vector"]

    def film_widths(self, stage: str) -> tuple[int, ...]:
        return tuple(channels(layer) for layer in self._norms_after(stage))

    def _norms_after(self, stage: str) -> list[nn.Module]:
        return [layer for index in range(self._index(stage) + 1, self.depth) for layer in self.stage_norms(index)]

    def _index(self, stage: str) -> int:
        """ "stage:k" -> k in 0..depth - 1; k counts as Python indices do."""
        self.widths[stage]  # raises where there is no such stage
        return int(stage.removeprefix("stage:")) % self.depth


def widths(vector: int, sequence: int, places: int, stages: Iterable[int]) -> Widths:
    """Widths of all outputs; ``stages`` are those of the stages, each of which has two names."""
    each = list(stages)
    known = Widths(vector=vector, sequence=sequence, map=places)
    for index, width in enumerate(each):
        known |= {f"stage:{index}": width, f"stage:{index - len(each)}": width}
    return known
