"""Checkpoints without pickled code: safetensors for finished models, weights-only archives for interrupted runs."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mmact_oneshot.harness.encoders.state_differences import differences
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.errors import HarnessError


def save_weights(path: Path, state: dict[str, Tensor], notes: dict[str, Any]) -> None:
    """Write a state dict and JSON notes, atomically."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    text = json.dumps(notes, sort_keys=True)
    with written(path) as temporary:  # from memory: the libraries' own writers hide that a disk is full
        sealed = json.dumps(notes | {"sha256": tensors_sha256(tensors, text)}, sort_keys=True)
        temporary.write_bytes(save(tensors, {"notes": sealed}))  # one entry: several come in any order


def tensors_sha256(tensors: Mapping[str, Tensor], text: str) -> str:
    """SHA-256 of tensors, in main memory, and of a text that is kept with them."""
    sha = hashlib.sha256(text.encode())
    for name, value in sorted(tensors.items()):
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def load_weights(path: Path, module: nn.Module) -> dict[str, Any]:
    """Load a state dict into a module and return the notes.

    Raises:
        HarnessError: unreadable, damaged, or a name or shape that differs; every difference is listed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            notes: dict[str, Any] = json.loads((file.metadata() or {}).get("notes", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise HarnessError(
            f"not a readable checkpoint ({error}).", where=path, remedy="Delete it and run again."
        ) from error
    expected = notes.pop("sha256", "")  # older files have none
    if expected not in ("", tensors_sha256(state, json.dumps(notes, sort_keys=True))):
        raise HarnessError(
            "not the weights that were written: the file is damaged.", where=path, remedy="Delete it and run again."
        )
    own = module.state_dict()
    wrong = differences(own, state)
    if wrong:
        raise HarnessError(f"does not fit: {'; '.join(wrong)}.", where=path)
    module.load_state_dict(state)
    return notes


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Everything that an interrupted training needs to go on, atomically."""
    content = io.BytesIO()
    torch.save(state, content)
    with written(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_state(path: Path) -> dict[str, Any] | None:
    """The state of an interrupted training, or None where there is none.

    Raises:
        HarnessError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:  # torch does not look at checksums
                raise ValueError("a checksum is wrong")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged archive
        raise HarnessError(
            f"not a readable training state ({type(error).__name__}).", where=path, remedy="Delete it and run again."
        ) from error
    if not isinstance(state, dict):
        raise HarnessError("not a training state.", where=path, remedy="Delete it and run again.")
    return state
