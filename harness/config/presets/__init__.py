"""From a preset (TOML) and overrides to settings. A preset may extend another."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmact_oneshot.harness.config.overrides import apply_override, names_at
from mmact_oneshot.harness.config.settings import CHANGEABLE, Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

PRESETS = ("quick", "standard", "full", "published")
EXTENDS = "extends"
WHOLE = ("arguments", "settings", "reference")  # tables that belong to one name and are replaced, never merged


def load_settings(preset: str, overrides: Iterable[str] = ()) -> Settings:
    """Read a preset (a shipped name or a TOML file) and apply overrides ``dotted.name=value``.

    Raises:
        HarnessError: unknown preset, unknown setting (with the nearest right name), or a wrong value.
    """
    content = {"preset": Path(preset).stem, **_read(preset, ())}
    given = tuple(overrides)
    for override in given:
        _forget_arguments(content, override)
    for override in given:
        apply_override(content, override, Settings)
    content["overrides"] = given
    return parse_settings(content, f"preset {preset}" if preset in PRESETS else preset)


def preset_comment(preset: str) -> str:
    """The first paragraph of comments of a shipped preset."""
    text = (resources.files("mmact_oneshot.harness.config.presets") / f"{preset}.toml").read_text("utf-8")
    lines = list(takewhile(lambda line: line.startswith("# "), text.splitlines()))
    return " ".join(line.removeprefix("# ") for line in lines)


def parse_settings(content: Mapping[str, Any], where: str) -> Settings:
    """Validate settings; the error names the setting and the nearest right name."""
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise _refusal(error, where) from error
    for name, study in settings.studies.items():
        for row in study.rows:
            row_settings(settings, row, f"{where}, study {name}")
    return settings


def row_settings(settings: Settings, row: Row, where: str = "") -> Settings:
    """The settings that hold for a row: the run's, with the row's encoder and changes, without studies.

    Raises:
        HarnessError: an unknown setting (with the nearest right name), a wrong value, or a setting that is the same
            for all rows of a run; the row is named.
    """
    own = settings.model_copy(update={"encoder": row.encoder, "studies": {}})
    if not row.changes:
        return own
    where = f"{where}{', ' * bool(where)}row {row.method}"
    content = own.model_dump()
    for name, value in row.changes.items():
        if name in content and name not in CHANGEABLE:
            raise HarnessError(
                f"{name!r} is the same for all rows of a run.",
                where=where,
                remedy=f"A row may change {', '.join(CHANGEABLE)}.",
            )
        content[name] = _merged(content.get(name), value)
    changed = parse_settings(content, where)
    if changed.input.flip != settings.input.flip:  # it is off where a class of the split depends on left and right
        raise HarnessError(
            "'input.flip' is the same for all rows of a run.", where=where, remedy="Set it for the run, or not at all."
        )
    return changed


def _read(preset: str, extended: tuple[str, ...]) -> dict[str, Any]:
    """The content of a preset on top of what it extends."""
    if preset in PRESETS:
        where = f"preset {preset}"
        text = (resources.files("mmact_oneshot.harness.config.presets") / f"{preset}.toml").read_text("utf-8")
    elif Path(preset).is_file():
        where = preset
        try:
            text = Path(preset).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(f"not TOML ({error}).", where=where, remedy="Save it as UTF-8.") from error
    else:
        raise HarnessError(
            f"no preset {preset!r}: neither a shipped name nor a file.",
            where=extended[-1] if extended else None,
            remedy=nearest(preset, PRESETS),
        )
    if preset in extended:
        raise HarnessError(
            f"extends itself ({' -> '.join([*extended, preset])}).", where=where, remedy=f"Remove `{EXTENDS}` from one."
        )
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise HarnessError(f"not TOML ({error}).", where=where, remedy="Correct the line that it names.") from error
    base = content.pop(EXTENDS, None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise HarnessError(f"`{EXTENDS}` must name one preset.", where=where, remedy=nearest(str(base), PRESETS))
    beside = Path(preset).parent / base
    found: dict[str, Any] = _merged(_read(str(beside) if beside.is_file() else base, (*extended, preset)), content)
    return found


def _merged(base: Any, changes: Any) -> Any:
    """Tables are merged name by name, anything else is replaced; another network gets no arguments of the first."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    if changes.get("name", base.get("name")) != base.get("name"):
        base = {name: value for name, value in base.items() if name != "arguments"}
    merged = {name: value if name in WHOLE else _merged(base.get(name), value) for name, value in changes.items()}
    return {**base, **merged}


def _forget_arguments(content: dict[str, Any], override: str) -> None:
    """Drop the arguments of an encoder whose name is overridden: they belong to the network that it was."""
    table, _, name = override.partition("=")[0].strip().rpartition(".")
    if name == "name" and isinstance(content.get(table), dict):
        content[table].pop("arguments", None)


def _refusal(error: ValidationError, where: str) -> HarnessError:
    # a mistyped name also leaves the right one missing: the typing error is the one to tell
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    path = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        remedy = nearest(path.rpartition(".")[2], names_at(Settings, first["loc"][:-1]))
        return HarnessError(f"no setting {path!r}.", where=where, remedy=remedy)
    if not path:  # settings that do not fit together
        return HarnessError(f"{problem}.", where=where)
    if len(first["loc"]) == 2 and first["loc"][0] == "studies" and first["type"] == "value_error":
        return HarnessError(f"study {first['loc'][1]!r}: {problem}.", where=where)
    given = (
        "" if isinstance(first["input"], Mapping) else f" (got {first['input']!r})"
    )  # a table: the problem names its part
    return HarnessError(f"setting {path!r}: {problem}{given}.", where=where)
