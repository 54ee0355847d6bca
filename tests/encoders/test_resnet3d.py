"""3-D ResNets have the parameters of 3D-ResNets-PyTorch, so that its released weights fit."""

from __future__ import annotations

import pytest
import torch

from mmact_oneshot.harness.encoders.resnet3d import BLOCKS, ResNet3d


@pytest.mark.parametrize(
    ("name", "millions"),
    [("r3d_18", 33.2), ("r3d_34", 63.5), ("r3d_50", 46.2)],
)
def test_numbers_of_parameters(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = ResNet3d(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(millions * 1e6, rel=2e-3)


@pytest.mark.parametrize("name", BLOCKS)
def test_the_number_in_a_name_counts_the_layers_with_weights(name: str) -> None:
    """Convolutions but those of shortcuts, and the classifier that is left out here; bottlenecks from 50 on."""
    depth = int(name.removeprefix("r3d_"))
    with torch.device("meta"):
        state = ResNet3d(name).state_dict()
    convolutions = [key for key in state if "conv" in key]
    assert len(convolutions) + 1 == depth
    assert any("conv3" in key for key in convolutions) == (depth >= 50)


def test_names_and_shapes() -> None:
    with torch.device("meta"):
        states = {
            name: {k: tuple(v.shape) for k, v in ResNet3d(name).state_dict().items()} for name in ("r3d_18", "r3d_50")
        }
    basic, bottleneck = states["r3d_18"], states["r3d_50"]
    assert basic["conv1.weight"] == (64, 3, 7, 7, 7)
    assert basic["bn1.running_var"] == (64,)
    assert basic["layer1.0.conv1.weight"] == (64, 64, 3, 3, 3)
    assert not [name for name in basic if name.startswith("layer1.0.downsample")], "no width to change"
    assert basic["layer2.0.downsample.0.weight"] == (128, 64, 1, 1, 1)
    assert basic["layer2.0.downsample.1.running_mean"] == (128,)
    assert basic["layer4.1.conv2.weight"] == (512, 512, 3, 3, 3)
    assert bottleneck["layer1.0.downsample.0.weight"] == (256, 64, 1, 1, 1)
    assert bottleneck["layer3.5.conv2.weight"] == (256, 256, 3, 3, 3)
    assert bottleneck["layer4.2.bn3.weight"] == (2048,)
    assert {name.split(".")[0] for name in bottleneck} == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}
    assert len({name.rsplit(".", 1)[0] for name in bottleneck}) == 2 * (1 + 16 * 3 + 4), "a convolution and a norm each"


def test_strides() -> None:
    """Stem: rows and columns halved, then all axes by the pooling; each layer but the first halves all."""
    network = ResNet3d("r3d_18", widen_factor=0.125).eval()
    value = network.stem(torch.rand(1, 3, 16, 32, 32))
    shapes = [value.shape[2:]]
    for number in range(1, 5):
        value = network.get_submodule(f"layer{number}")(value)
        shapes.append(value.shape[2:])
    assert [tuple(shape) for shape in shapes] == [(8, 8, 8), (8, 8, 8), (4, 4, 4), (2, 2, 2), (1, 1, 1)]
    faster = ResNet3d("r3d_18", conv1_t_stride=2, conv1_t_size=3, no_max_pool=True, widen_factor=0.125)
    assert faster.conv1.weight.shape == (8, 3, 3, 7, 7)
    assert faster.stem(torch.rand(1, 3, 16, 32, 32)).shape == (1, 8, 8, 16, 16)


def test_a_block_is_its_convolutions_and_a_shortcut() -> None:
    block = ResNet3d("r3d_50", widen_factor=0.125).eval().get_submodule("layer2.0")
    parts = {name: block.get_submodule(name) for name in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample")}
    x = torch.randn(1, 32, 4, 4, 4)
    y = parts["bn1"](parts["conv1"](x)).relu()
    y = parts["bn2"](parts["conv2"](y)).relu()
    y = parts["bn3"](parts["conv3"](y))
    torch.testing.assert_close(block(x), (y + parts["downsample"](x)).relu())
    assert y.shape == (1, 64, 2, 2, 2)
