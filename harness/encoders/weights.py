"""Released weights from local files: all of them or an error, never a part."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mmact_oneshot.harness.encoders.backbone import Backbone
from mmact_oneshot.harness.encoders.state_differences import differences
from mmact_oneshot.harness.runtime.errors import HarnessError

ARCHIVES = (".pth", ".pt", ".bin")
CONTAINERS = ("state_dict", "model", "module")
SEE = "See video_encoder.weights and the initialisation of rows."
COUNTER = "num_batches_tracked"  # older files lack it, and nothing reads it


def load_weights(backbone: Backbone, path: Path) -> None:
    """Load a file into a backbone.

    Known are the names of torchvision and timm (2-D networks and R(2+1)D), 3D-ResNets-PyTorch and VideoMAE (original
    and Hugging Face). Left out is only what ``backbone.dropped`` lists, and BatchNorm's counters of batches.

    Raises:
        HarnessError: no such file, unreadable, or any name missing, unexpected or of a wrong shape; all are listed.
    """
    state = {name: value for name, value in read_weights(path).items() if not name.startswith(backbone.dropped)}
    state = _without_counters(backbone.translate(state))
    own = _without_counters(backbone.released.state_dict())
    wrong = differences(own, state)
    if wrong:
        statistics = any("unexpected" in line and line.endswith("running_mean") for line in wrong)
        remedy = "Its network has BatchNorm: set video_encoder.norm to frozen-batch." if statistics else ""
        remedy = remedy or "Check video_encoder.name and video_encoder.arguments."
        raise HarnessError(f"does not fit the network: {'; '.join(wrong)}.", where=path, remedy=remedy)
    require_finite(state, path)
    if not next(backbone.released.parameters()).is_meta:  # a twin of shapes alone: that they fit is all
        backbone.released.load_state_dict(state, strict=False)  # strict but for the counters: see above


def require_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Raises HarnessError where a tensor, whose shape is known to be right, holds NaN or infinity."""
    wrong = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if wrong:
        raise HarnessError(f"has values that are not finite, in {wrong[0]}.", where=path, remedy="Fetch it again.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU, out of the containers and prefixes that trainers put around them.

    Raises:
        HarnessError: no such file, another kind of file, damaged, holding code, or without tensors.
    """
    if path.suffix not in {".safetensors", *ARCHIVES}:
        known = ", ".join([".safetensors", *ARCHIVES])
        raise HarnessError(f"weights of an unknown kind {path.suffix!r}.", where=path, remedy=f"Known: {known}.")
    if not path.is_file():
        raise HarnessError("no such file of weights.", where=path, remedy=SEE)
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else _load_archive(path)
    except Exception as error:  # torch raises many kinds for a damaged archive
        raise HarnessError(
            f"not readable as weights ({type(error).__name__}): damaged, or holding more than tensors.",
            where=path,
            remedy="Fetch it again; if its source is trusted and it holds code, convert it to .safetensors.",
        ) from error
    while isinstance(content, Mapping):
        inner = next((content[name] for name in CONTAINERS if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise HarnessError("holds no named tensors.", where=path, remedy="Give the file of a network's state dict.")
    wrapped = all(name.startswith("module.") for name in content)  # torch.nn.DataParallel
    return {name.removeprefix("module.") if wrapped else name: value for name, value in content.items()}


def _load_archive(path: Path) -> object:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("torch compresses nothing")  # a small file could unpack to any size
            if archive.testzip() is not None:  # torch does not look at checksums
                raise ValueError("a checksum is wrong")
    # VideoMAE's files keep the command line beside the tensors; a Namespace is data and runs nothing
    with torch.serialization.safe_globals([argparse.Namespace]):
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _without_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.endswith(COUNTER)}
