"""From the arrays of a golden-vector file to the plugins' own modules and episodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Encoder, Features, Setup, Targets

Arrays = Mapping[str, np.ndarray]


class FixedFeatures(Encoder):
    """Stands for the backbone whose features the file holds."""

    modality = "video"

    def __init__(self, width: int, grid: tuple[int, int, int] = (1, 1, 1), steps: int = 8) -> None:
        super().__init__()
        self.widths = dict.fromkeys(("vector", "sequence", "map", "stage:-2", "stage:-1"), width)
        self.grid, self.steps, self.stage_steps = grid, steps, steps

    def film_widths(self, stage: str) -> tuple[int, ...]:
        return ()


def setup(encoder: Encoder, way: int = 5, base_classes: int = 1) -> Setup:
    return Setup(("video",), (), base_classes, way, 1, {"video": encoder})


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float32))


def labels(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.int64))


def load(module: nn.Module, arrays: Arrays, prefix: str, ignore: tuple[str, ...] = ()) -> None:
    """The weights below ``prefix`` into a module, under the module's own names, none left over.

    Args:
        ignore: names that the file holds and the module has not.
    """
    state = {name.removeprefix(prefix): tensor(value) for name, value in arrays.items() if name.startswith(prefix)}
    own = module.state_dict()
    untracked = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    module.load_state_dict({name: value for name, value in state.items() if name not in ignore} | untracked)


def prefixes(arrays: Arrays, ending: str) -> Iterator[str]:
    """What stands before ``.ending`` in the names of a file: its episodes or cases."""
    for name in arrays:
        if found := re.fullmatch(rf"(.+\.){re.escape(ending)}", name):
            yield found[1]


def by_class(features: Tensor, label: Tensor) -> Tensor:
    """Support clips (S, ...) as (K, N, ...), classes ascending, shots in their order."""
    return torch.stack([features[label == each] for each in label.unique(sorted=True)])


def clips(**leaves: Tensor) -> Features:
    """Encoded clips that all have their video."""
    count = len(next(iter(leaves.values())))
    return {f"video.{name}": value for name, value in leaves.items()} | {"video.present": torch.ones(count).bool()}


def targets(label: Tensor, global_label: Tensor | None = None) -> Targets:
    """Targets (E, Q) from labels of one or several episodes."""
    label = label.view(1, -1) if label.ndim == 1 else label
    return Targets(label, torch.zeros_like(label), torch.zeros_like(label) if global_label is None else global_label)
