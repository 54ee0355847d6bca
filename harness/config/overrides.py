"""Settings by dotted name: ``end_to_end.steps=50``, ``studies.methods.rows.0.training=frozen``."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mmact_oneshot.harness.runtime.errors import HarnessError, nearest


def apply_override(content: dict[str, Any], override: str, settings: type[BaseModel]) -> None:
    """Set ``a.b=value``; the value is TOML, and a bare word is a string."""
    name, equals, text = override.partition("=")
    if not equals:
        raise HarnessError(f"override {override!r} has no '='.", remedy="Write --set end_to_end.steps=50.")
    value = parsed_value(text)
    *parents, last = name.strip().split(".")
    target: Any = content
    for parent in parents:
        if isinstance(target, list):  # studies.methods.rows.0: rows by number
            if not (parent.isdecimal() and int(parent) < len(target)):
                raise HarnessError(f"no setting {name!r}: there is no {parent!r}; they are numbered from 0.")
            target = target[int(parent)]
        else:
            target = target.setdefault(parent, {})
        if not isinstance(target, (dict, list)):
            raise HarnessError(
                f"no setting {name!r}: {parent!r} has no parts.",
                remedy=nearest(parent, settings.model_fields),
            )
    if isinstance(target, list):
        row = name if last.isdecimal() else f"{name}.0"
        raise HarnessError(f"no setting {name!r}: name a part, such as {row}.training.")
    target[last] = value


def parsed_value(text: str) -> Any:
    """A value in TOML; what is none is taken as a string, so that words need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def as_override(name: str, value: Any) -> str:
    """``dotted.name=value`` of a Python value."""
    return f"{name}={_toml(value)}"


def named_values(text: str) -> dict[str, Any]:
    """``width=64,cardinalities=[2,3]`` -> names with their values.

    Raises:
        HarnessError: a part without "=".
    """
    found = {}
    for part in re.split(r",(?![^\[{]*[\]}])", text):  # no comma within brackets
        name, equals, value = part.partition("=")
        if not (equals and name.strip()):
            raise HarnessError(f"{part!r} is no setting.", remedy="Write NAME=VALUE, parted by commas.")
        found[name.strip()] = parsed_value(value.strip())
    return found


def names_at(settings: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the settings at a place in the tree of models."""
    model: type[BaseModel] = settings
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:  # a number in a list, or a name that users choose, such as a study's
            continue
        arguments = getattr(field.annotation, "__args__", (field.annotation,))
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), model)
    return sorted(model.model_fields)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)
