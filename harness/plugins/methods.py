"""Methods by name or file: what the rest of the harness asks of the registry most often."""

from __future__ import annotations

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import METHOD


def load_method(name: str) -> type[FewShotMethod]:
    """The method class for a name or for the path of a Python file that defines one.

    Raises:
        HarnessError: as :func:`mmact_oneshot.harness.plugins.registry.load`.
    """
    method: type[FewShotMethod] = registry.load(METHOD, name)
    return method


def method_names() -> list[str]:
    """Every method that can be named without a file."""
    return registry.names(METHOD)


def method_source(name: str) -> str:
    """See :func:`mmact_oneshot.harness.plugins.registry.source`."""
    return registry.source(METHOD, name)
