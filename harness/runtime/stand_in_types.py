"""Operations that want all floating-point operands in one type, on CUDA as on the CPU.

What torch has for shapes alone lets them pass, so the stand-in accelerator refuses them here.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves

ONE_TYPE = frozenset({
    "_cdist_forward", "_scaled_dot_product_fused_attention_overrideable", "addbmm", "addmm", "addmv", "baddbmm", "bmm",
    "convolution", "dot", "index_add", "index_copy", "lerp", "masked_scatter", "mm", "mv", "native_group_norm",
    "native_layer_norm", "scatter", "scatter_add", "vdot",
})  # fmt: skip
"""Their names, without the underscore of those in place."""


def require_one_type(operation: OpOverload, args: tuple[Any, ...]) -> None:
    """Raises RuntimeError where operands of an operation that wants one type have two."""
    if operation._schema.name.removeprefix("aten::").rstrip("_") not in ONE_TYPE:
        return
    kinds = {value.dtype for value in tree_leaves(args) if isinstance(value, Tensor) and value.is_floating_point()}
    if len(kinds) > 1:
        raise RuntimeError(f"{operation} wants operands of one dtype and got {', '.join(sorted(map(str, kinds)))}.")
