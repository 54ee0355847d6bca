"""Checkpoints: safetensors and JSON, no pickled code, and every mismatch named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.checkpoint import load_state, load_weights, save_state, save_weights


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


def test_weights_and_notes_come_back(tmp_path: Path) -> None:
    one, two = network(), network()
    path = tmp_path / "deep" / "x.safetensors"
    save_weights(path, one.state_dict(), {"validations": [[5, 0.25]]})
    assert load_weights(path, two) == {"validations": [[5, 0.25]]}
    for name, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], value)
    assert [file.name for file in path.parent.iterdir()] == ["x.safetensors"]


def test_the_file_is_a_header_of_json_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(path, network().state_dict(), {})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    last = max(part["data_offsets"][1] for name, part in header.items() if name != "__metadata__")
    assert len(content) == 8 + length + last


def test_every_difference_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(path, {**network(4).state_dict(), "extra": torch.zeros(1)}, {})
    with pytest.raises(HarnessError, match=r"0\.bias is \(4,\), expected \(3,\).*unexpected extra"):
        load_weights(path, network())
    save_weights(path, {"0.weight": torch.zeros(3, 2)}, {})
    with pytest.raises(HarnessError, match=r"missing 0\.bias"):
        load_weights(path, network())


def test_a_checkpoint_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\0" * 20)
    with pytest.raises(HarnessError, match="not a readable checkpoint") as refusal:
        load_weights(path, network())
    assert str(path) in str(refusal.value)


def test_a_state_is_loaded_without_running_code(tmp_path: Path) -> None:
    path = tmp_path / "x.state"
    assert load_state(path) is None
    save_state(path, {"step": 3, "validations": [(2, 0.5)], "weights": torch.ones(2)})
    state = load_state(path)
    assert state is not None
    assert (state["step"], state["validations"]) == (3, [(2, 0.5)])

    class Surprise:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "surprise"),)

    torch.save({"step": Surprise()}, path)
    with pytest.raises(HarnessError, match="not a readable training state"):
        load_state(path)
    assert not (tmp_path / "surprise").exists()
