"""Whether saved weights fit a module: every difference in words, so that nothing is ever loaded in part."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def differences(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Names that are missing, names that are unexpected, and shapes that differ; empty where ``given`` fits ``own``."""
    wrong = [f"missing {name}" for name in own.keys() - given.keys()]
    wrong += [f"unexpected {name}" for name in given.keys() - own.keys()]
    wrong += [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own.keys() & given.keys()
        if given[name].shape != own[name].shape
    ]
    return sorted(wrong)
