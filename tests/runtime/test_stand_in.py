"""The stand-in accelerator itself: what is computed, what is not, and what autocast does there beside CUDA."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from mmact_oneshot.harness.benchmark.conformance.device_check import apart
from mmact_oneshot.harness.runtime import stand_in_autocast as lists
from mmact_oneshot.harness.runtime.stand_in import READS_BACK, shapes_alone, stand_in

NEVER_LISTED = {"cudnn_convolution", "cudnn_convolution_transpose"}  # inside of others


def in_a_process(work: Callable[[], None]) -> None:
    """Assertions where the device is registered, which it then is for the life of the process."""

    def silent() -> str:
        work()
        return ""

    assert apart(silent) == ""


def test_main_memory_has_values_and_the_device_has_none() -> None:
    def work() -> None:
        with shapes_alone() as border:
            here = torch.arange(3)
            assert (here * 2).tolist() == [0, 2, 4]
            there = here.to(stand_in()) * torch.tensor([2, 3, 4], device=stand_in())
            for read in (lambda: there.sum().item(), lambda: there[there > 1], lambda: bool(there.any())):
                with pytest.raises(READS_BACK):
                    read()
            with pytest.raises(RuntimeError, match="device"):
                there + here
            assert border.copied == []
            assert there.float().cpu().tolist() == [1, 1, 1]
            here.copy_(there)
            assert border.copied == [(3,), (3,)]

    in_a_process(work)


def test_attention_keeps_no_matrix_of_weights_where_cuda_has_a_fused_kernel() -> None:
    def work() -> None:
        with shapes_alone(), torch.autocast(stand_in().type, dtype=torch.bfloat16):
            query, key = (torch.empty(2, 4, length, 8, device=stand_in(), requires_grad=True) for length in (5, 7))
            kept: list[tuple[int, ...]] = []
            with torch.autograd.graph.saved_tensors_hooks(lambda value: kept.append(tuple(value.shape)), lambda _: _):
                attended = F.scaled_dot_product_attention(query, key, key)
            assert (attended.shape, attended.dtype) == (query.shape, torch.bfloat16)
            assert (2, 4, 5, 7) not in kept
            assert kept.count((2, 4, 7, 8)) == 2

    in_a_process(work)


def test_autocast_has_every_operation_that_torch_casts_on_cuda() -> None:
    listed = {*lists.LOWER_PRECISION, *lists.FLOAT32, *lists.FLOAT32_RESULT, *lists.NORMS, *lists.WIDEST, lists.REFUSED}
    registered = torch._C._dispatch_get_registrations_for_dispatch_key("AutocastCUDA")
    assert {name.removeprefix("aten::") for name in registered} - NEVER_LISTED <= listed


# without convolutions, batches of products and interpolation: torch has no shapes of these for CUDA without CUDA
CALLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "linear": lambda a, b: F.linear(a, b),
    "matmul": lambda a, b: a @ b,
    "einsum": lambda a, b: torch.einsum("ij,kj->ik", a, b),
    "relu": lambda a, b: a.relu(),
    "add": lambda a, b: a + b,
    "cat": lambda a, b: torch.cat([a, b.float()]),
    "stack": lambda a, b: torch.stack([a, b]),
    "mean": lambda a, b: a.mean(),
    "sum": lambda a, b: a.sum(dim=0),
    "whole_sum": lambda a, b: a.sum(),
    "sum_as_told": lambda a, b: a.sum(dim=0, dtype=torch.bfloat16),
    "sum_of_integers": lambda a, b: a.long().sum(),
    "norm": lambda a, b: a.norm(dim=1),
    "whole_norm": lambda a, b: a.norm(),
    "normalize": lambda a, b: F.normalize(a),
    "vector_norm": lambda a, b: torch.linalg.vector_norm(a, dim=1),
    "softmax": lambda a, b: a.softmax(dim=1),
    "log_softmax": lambda a, b: F.log_softmax(a, dim=1),
    "cross_entropy": lambda a, b: F.cross_entropy(a, torch.zeros(4, dtype=torch.long, device=a.device)),
    "logsumexp": lambda a, b: a.logsumexp(dim=1),
    "layer_norm": lambda a, b: F.layer_norm(a, (4,)),
    "group_norm": lambda a, b: F.group_norm(a, 2),
    "cdist": lambda a, b: torch.cdist(a, b),
    "cosine_similarity": lambda a, b: F.cosine_similarity(a, b),
    "pow": lambda a, b: a.pow(2),
    "exp": lambda a, b: a.exp(),
    "log": lambda a, b: a.log(),
    "rsqrt": lambda a, b: a.rsqrt(),
    "cumsum": lambda a, b: a.cumsum(dim=0),
    "mse_loss": lambda a, b: F.mse_loss(a, b),
    "gelu": lambda a, b: F.gelu(a),
    "addcmul": lambda a, b: torch.addcmul(a, a, b.float()),
    "scatter_add": lambda a, b: a.scatter_add(0, torch.zeros(1, 4, dtype=torch.long, device=a.device), b.float()),
    "double": lambda a, b: a.double() @ b.double(),
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a fork cannot use CUDA; shapes alone can without it")
def test_autocast_gives_the_types_that_it_gives_on_cuda() -> None:
    kinds = (torch.float32, torch.bfloat16)

    def types(device: torch.device) -> dict[tuple[str, torch.dtype], torch.dtype]:
        operands = {kind: torch.empty(4, 4, dtype=kind, device=device) for kind in kinds}
        return {(name, kind): call(*(operands[kind],) * 2).dtype for name, call in CALLS.items() for kind in kinds}

    def work() -> None:
        with shapes_alone(), torch.autocast(stand_in().type, dtype=torch.bfloat16):
            found = types(stand_in())
        torch.set_autocast_enabled("cuda", True)  # torch.autocast would ask for a GPU
        torch.set_autocast_dtype("cuda", torch.bfloat16)
        with FakeTensorMode():
            expected = types(torch.device("cuda"))
        assert {key: kind for key, kind in found.items() if kind != expected[key]} == {}
        assert found["softmax", torch.bfloat16] == torch.float32 != found["linear", torch.float32]

    in_a_process(work)
