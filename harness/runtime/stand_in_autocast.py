"""Autocast on the stand-in accelerator: the casts that CUDA makes, operation by operation.

The lists are those of "CUDA Ops that can autocast" in torch's documentation of ``torch.amp``, as torch registers them
for CUDA. What is in none runs in the type that it is given, and refuses operands of two types where CUDA does. torch
keeps the cast copy of a weight until the outermost autocast ends; here every use makes its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, library
from torch._ops import OpOverload
from torch.utils._pytree import tree_map

LOWER_PRECISION = (
    "_convolution", "_convolution.deprecated", "_scaled_dot_product_flash_attention", "_thnn_fused_gru_cell",
    "_thnn_fused_lstm_cell", "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "chain_matmul", "conv1d", "conv2d",
    "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d.input", "conv_transpose3d.input", "convolution",
    "einsum", "gru_cell", "linalg_multi_dot", "linalg_vecdot", "linear", "lstm_cell", "matmul", "mm", "mv", "prelu",
    "rnn_relu_cell", "rnn_tanh_cell", "scaled_dot_product_attention",
)  # fmt: skip
"""Operands are cast to the type of the autocast."""

FLOAT32 = (
    "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d", "acos", "asin", "binary_cross_entropy_with_logits", "cdist", "cosh",
    "cosine_embedding_loss", "cosine_similarity", "dist", "erfinv", "exp", "expm1", "frobenius_norm.dim", "group_norm",
    "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "layer_norm", "log", "log10", "log1p", "log2",
    "logsumexp", "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "native_layer_norm",
    "nll_loss", "nll_loss2d", "nuclear_norm", "nuclear_norm.dim", "pdist", "poisson_nll_loss", "pow.Scalar",
    "pow.Tensor_Scalar", "pow.Tensor_Tensor", "reciprocal", "renorm", "rms_norm", "rsqrt", "sinh", "smooth_l1_loss",
    "soft_margin_loss", "softplus", "tan", "triplet_margin_loss", "upsample_bicubic2d", "upsample_bilinear2d",
    "upsample_linear1d", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_trilinear3d",
)  # fmt: skip
"""Operands are cast to float32."""

FLOAT32_RESULT = (
    "cumprod", "cumsum", "linalg_matrix_norm", "linalg_matrix_norm.str_ord", "linalg_vector_norm", "log_softmax.int",
    "prod", "prod.dim_int", "softmax.int", "sum", "sum.dim_IntList",
)  # fmt: skip
"""The result is float32 where the call names no other type."""

NORMS = {"norm.Scalar": "norm.ScalarOpt_dtype", "norm.ScalarOpt_dim": "norm.ScalarOpt_dim_dtype"}
"""The same, by another overload, which takes the type of the result."""

WIDEST = (
    "addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "grid_sampler", "index_put", "scatter_add", "tensordot",
    "vdot",
)  # fmt: skip
"""Operands are cast to float32 where one of them is float32."""

REFUSED = "binary_cross_entropy"
"""Unsafe in half precision; CUDA refuses it too."""

KEY = "AutocastPrivateUse1"
Kernel = Callable[..., Any]


def register_autocast(device: str) -> tuple[library.Library, ...]:
    """Give a device in torch's place for devices of one's own (PrivateUse1) the casts of CUDA's autocast.

    Args:
        device: its type.

    Returns:
        The registrations, which last as long as they are kept.
    """
    unlisted, listed = library.Library("_", "IMPL", KEY), library.Library("aten", "IMPL", KEY)
    unlisted.fallback(library.fallthrough_kernel)

    def register(name: str, kernel: Kernel, target: str = "") -> None:
        listed.impl(name, partial(_below_autocast, partial(kernel, device, _overload(target or name))))

    for name in LOWER_PRECISION:
        register(name, _in_lower_precision)
    for name in FLOAT32:
        register(name, _in_float32)
    for name in FLOAT32_RESULT:
        register(name, _to_float32_result)
    for name, other in NORMS.items():
        register(name, _to_float32_result, other)
    for name in WIDEST:
        register(name, _in_widest)
    register(REFUSED, _refused)
    return unlisted, listed


def _overload(name: str) -> OpOverload:
    packet, _, overload = name.partition(".")
    found: OpOverload = getattr(getattr(torch.ops.aten, packet), overload or "default")
    return found


def _below_autocast(kernel: Kernel, *args: Any, **kwargs: Any) -> Any:
    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, KEY))):
        return kernel(*args, **kwargs)


def _in_lower_precision(device: str, operation: OpOverload, *args: Any, **kwargs: Any) -> Any:
    kind = torch.get_autocast_dtype(device)
    return operation(*_cast(device, kind, args), **_cast(device, kind, kwargs))


def _in_float32(device: str, operation: OpOverload, *args: Any, **kwargs: Any) -> Any:
    return operation(*_cast(device, torch.float32, args), **_cast(device, torch.float32, kwargs))


def _to_float32_result(device: str, operation: OpOverload, *args: Any, **kwargs: Any) -> Any:
    names = [argument.name for argument in operation._schema.arguments]
    named = dict(zip(names, args, strict=False)) | kwargs
    if _is_cast(device, args[0]) and named.get("dtype") is None:
        named["dtype"] = torch.float32
    return operation(**named)


def _in_widest(device: str, operation: OpOverload, *args: Any, **kwargs: Any) -> Any:
    kinds: set[torch.dtype] = set()
    tree_map(lambda value: kinds.add(value.dtype) if _is_cast(device, value) else None, (args, kwargs))
    kind = torch.float32 if torch.float32 in kinds else torch.get_autocast_dtype(device)
    return operation(*_cast(device, kind, args), **_cast(device, kind, kwargs))


def _refused(device: str, operation: OpOverload, *args: Any, **kwargs: Any) -> Any:
    raise RuntimeError(f"{operation} is unsafe under autocast: take binary_cross_entropy_with_logits.")


def _cast(device: str, kind: torch.dtype, values: Any) -> Any:
    return tree_map(lambda value: value.to(kind) if _is_cast(device, value) else value, values)


def _is_cast(device: str, value: Any) -> bool:
    """Tensors of other devices keep their type, as do float64 and what is not floating point."""
    return (
        isinstance(value, Tensor)
        and value.device.type == device
        and value.is_floating_point()
        and value.dtype != torch.float64
    )
