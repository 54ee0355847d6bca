"""Lets timm be imported where torchvision's compiled operators are missing.

torchvision ships builds for particular torch builds. Beside another one (a CUDA torchvision beside a CPU torch, say)
its import dies with ``operator torchvision::nms does not exist``, because its Python code attaches meta kernels to
operators that its library would have declared. timm imports torchvision but uses none of these operators, so
declaring their schemas is enough. Nothing is done where the operators exist or where torchvision is not installed.
"""

from __future__ import annotations

import importlib.util

from torch import library

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_library: library.Library | None = None  # operators live as long as the library that declares them


def declare_missing_operators() -> None:
    """Declare torchvision's ``nms`` and ``qnms`` if its own library does not load. Call before importing timm."""
    global _library
    if _library is not None or importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _library = library.Library("torchvision", "DEF")
        for schema in _SCHEMAS.values():
            _library.define(schema)
