"""Settings of a plugin: the keyword arguments of its constructor, with their types and defaults."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, ValidationError, create_model

from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

TYPES = "Settings stand in records: use bool, int, float, str, None, Literal, and lists, tuples and dicts of these."
GIVEN = ("self", "setup", "shape", "sensors")
"""Arguments that the harness gives a plugin: no settings."""


def setting_names(plugin: type) -> dict[str, Any]:
    """Settings of a plugin and their defaults. A class without a constructor has that of torch, ``*args, **kwargs``."""
    parameters = inspect.signature(plugin.__init__).parameters.values()  # type: ignore[misc]
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: p.default for p in named if p.name not in GIVEN}


def check_settings(plugin: type, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All settings of a plugin: its defaults overridden by those given, types checked.

    Raises:
        HarnessError: unknown name (with the nearest right one), a value of the wrong type, or a plugin that
            declares a setting without type or default.
    """
    known = setting_names(plugin)
    for key in given:
        if key not in known:
            remedy = nearest(key, known) if known else "It has no settings."
            raise HarnessError(f"{plugin.__name__} has no setting {key!r}.", where=where, remedy=remedy)
    hints = inspect.get_annotations(plugin.__init__, eval_str=True)  # type: ignore[misc]
    for name, default in known.items():
        if name not in hints or default is inspect.Parameter.empty:
            raise HarnessError(
                f"setting {name!r} of {plugin.__name__} has no {'default' if name in hints else 'type'}.",
                where=where,
                remedy="Write every setting as a keyword argument of __init__ with a type and a default.",
            )
    fields: dict[str, Any] = {name: (hints[name], default) for name, default in known.items()}
    try:
        model = create_model(plugin.__name__, __config__=ConfigDict(extra="forbid"), **fields)
        found = model(**given).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        raise HarnessError(f"setting {first['loc'][0]!r} of {plugin.__name__}: {first['msg']}.", where=where) from error
    except PydanticSchemaGenerationError as error:
        raise HarnessError(
            f"a setting of {plugin.__name__} has a type of its own.", where=where, remedy=TYPES
        ) from error
    for name, value in found.items():
        if not _is_plain(value):
            raise HarnessError(
                f"setting {name!r} of {plugin.__name__} is a {type(value).__name__}.", where=where, remedy=TYPES
            )
    return found


def _is_plain(value: object) -> bool:
    """Whether a record can hold it."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
