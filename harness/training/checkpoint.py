"""Checkpoints without pickled code: safetensors for finished models, weights-only archives for interrupted runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mmact_oneshot.harness.encoders.state_differences import differences
from mmact_oneshot.harness.runtime.errors import HarnessError


def save_weights(path: Path, state: dict[str, Tensor], notes: dict[str, Any]) -> None:
    """Write a state dict and JSON notes, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    save_file(tensors, temporary, metadata={"notes": json.dumps(notes, sort_keys=True)})
    temporary.replace(path)


def load_weights(path: Path, module: nn.Module) -> dict[str, Any]:
    """Load a state dict into a module and return the notes.

    Raises:
        HarnessError: unreadable, or a name or shape that differs; every difference is listed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            notes: dict[str, Any] = json.loads((file.metadata() or {}).get("notes", "{}"))
    except (OSError, SafetensorError) as error:
        raise HarnessError(
            f"not a readable checkpoint ({error}).", where=path, remedy="Delete it and run again."
        ) from error
    own = module.state_dict()
    wrong = differences(own, state)
    if wrong:
        raise HarnessError(f"does not fit: {'; '.join(wrong)}.", where=path)
    module.load_state_dict(state)
    return notes


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Everything that an interrupted training needs to go on, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state of an interrupted training, or None where there is none.

    Raises:
        HarnessError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged archive
        raise HarnessError(
            f"not a readable training state ({type(error).__name__}).", where=path, remedy="Delete it and run again."
        ) from error
    return state
