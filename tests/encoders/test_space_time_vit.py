"""Which tokens attend to which, the tables of positions, and one block of each kind by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.encoders.space_time_vit import DividedBlock, SpaceTimeViT, sinusoids

TIME, SIDE, WIDTH = 3, 2, 8


def block() -> DividedBlock:
    made = DividedBlock(WIDTH, 2, 2.0, 0.0).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def influence(output: Tensor, patches: Tensor) -> Tensor:
    """(t, h, w) bool: the patches that an output depends on."""
    (gradient,) = torch.autograd.grad(output.square().sum(), patches)
    return gradient.abs().sum(dim=(0, -1)) > 1e-12


def inputs() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    patches = torch.randn(1, TIME, SIDE, SIDE, WIDTH, dtype=torch.float64, requires_grad=True)
    return patches, torch.randn(1, WIDTH, dtype=torch.float64, requires_grad=True)


def test_attention_over_time_stays_at_its_place() -> None:
    made, (patches, token) = block(), inputs()
    torch.nn.init.zeros_(made.attn.proj.weight)  # no attention over space
    found, _ = made(patches, token)
    reached = influence(found[0, 1, 0, 1], patches)
    assert reached[:, 0, 1].all()
    assert int(reached.sum()) == TIME


def test_attention_over_space_stays_in_its_frame() -> None:
    made, (patches, token) = block(), inputs()
    torch.nn.init.zeros_(made.temporal_fc.weight)  # no attention over time
    found, _ = made(patches, token)
    reached = influence(found[0, 1, 0, 1], patches)
    assert reached[1].all()
    assert int(reached.sum()) == SIDE * SIDE


def test_both_together_reach_every_patch_and_the_class_token() -> None:
    made, (patches, token) = block(), inputs()
    assert influence(made(patches, token)[0][0, 1, 0, 1], patches).all()
    assert influence(made(patches, token)[1], patches).all()
    (gradient,) = torch.autograd.grad(made(patches, token)[0].square().sum(), token)
    assert gradient.abs().sum() > 0, "patches attend to the class token"


def test_the_class_token_is_averaged_over_frames_and_left_out_of_time() -> None:
    made, (patches, token) = block(), inputs()
    torch.nn.init.zeros_(made.mlp.fc2.weight)
    torch.nn.init.zeros_(made.mlp.fc2.bias)
    torch.nn.init.zeros_(made.temporal_fc.weight)
    torch.nn.init.zeros_(made.temporal_fc.bias)
    _, found = made(patches, token)
    frames = [made(patches[:, t : t + 1], token)[1] - token for t in range(TIME)]
    torch.testing.assert_close(found, token + torch.stack(frames).mean(0))


def test_joint_attention_mixes_all_tokens() -> None:
    network = SpaceTimeViT(4, 16, patch=8, width=WIDTH, depth=1, heads=2).double()
    value = torch.randn(1, WIDTH, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network.stage(1, value)[0, :, 0, 1, 0].square().sum(), value)
    assert (gradient.abs().sum(dim=1) > 0).all()


def test_sinusoids_by_their_formula() -> None:
    table = sinusoids(50, 6)
    for position in (0, 1, 17, 49):
        for column in range(6):
            angle = position / 10000 ** (2 * (column // 2) / 6)
            expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            assert float(table[position, column]) == pytest.approx(expected, abs=1e-6)


def test_joint_tokens_are_tubelets_with_positions_in_the_order_of_time() -> None:
    network = SpaceTimeViT(4, 16, patch=8, width=WIDTH, depth=1, heads=2)
    assert not [name for name, _ in network.named_parameters() if "pos" in name or "table" in name]
    assert "table" not in network.state_dict()
    torch.nn.init.zeros_(network.get_parameter("patch_embed.proj.weight"))
    torch.nn.init.zeros_(network.get_parameter("patch_embed.proj.bias"))
    value = network.stage(0, torch.rand(1, 3, 4, 16, 16))
    table = sinusoids(8, WIDTH)
    for t in range(2):
        for row in range(2):
            for column in range(2):
                torch.testing.assert_close(value[0, :, t, row, column], table[4 * t + 2 * row + column])


def test_divided_positions_are_tables_of_places_and_of_times() -> None:
    network = SpaceTimeViT(3, 16, attention="divided", patch=8, tubelet=1, width=WIDTH, depth=1, heads=2)
    for parameter in (network.get_parameter("patch_embed.proj.weight"), network.get_parameter("patch_embed.proj.bias")):
        torch.nn.init.zeros_(parameter)
    torch.nn.init.normal_(network.time_embed)
    value = network.stage(0, torch.rand(2, 3, 3, 16, 16))
    assert value.shape == (2, 2 * WIDTH, 3, 2, 2)
    torch.testing.assert_close(value[1, :WIDTH, 2, 1, 0], network.pos_embed[0, 1 + 2] + network.time_embed[0, 2])
    token = (network.cls_token[0, 0] + network.pos_embed[0, 0])[:, None, None, None].expand(-1, 3, 2, 2)
    torch.testing.assert_close(value[1, WIDTH:], token)


@pytest.mark.parametrize(("depth", "stages"), [(1, 2), (2, 3), (4, 5), (6, 5), (12, 5)])
def test_blocks_are_in_at_most_four_equal_groups(depth: int, stages: int) -> None:
    network = SpaceTimeViT(2, 8, patch=8, width=8, depth=depth, heads=2)
    assert network.depth == stages
    sizes = [len(group) for group in network.groups]
    assert sum(sizes) == depth
    assert max(sizes) - min(sizes) <= 1
    assert [layer for index in range(stages) for layer in network.stage_norms(index)] == [
        layer for each in network.blocks for layer in (each.norm1, each.norm2)
    ]
