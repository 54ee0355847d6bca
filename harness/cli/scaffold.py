"""The files that `oneshot new` writes."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path

from mmact_oneshot.harness.plugins.kinds import KINDS
from mmact_oneshot.harness.plugins.registry import names
from mmact_oneshot.harness.runtime.errors import HarnessError

CLASSES = {"method": "CosinePrototypes", "encoder": "FrameEncoder", "layout": "NamedFiles", "metric": "never_right"}
"""Name of what the template of a kind defines."""
PYPROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{dashed}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["mmact-oneshot"]

[project.entry-points."{group}"]
{name} = "{name}.{name}:{symbol}"

[tool.hatch.build.targets.wheel]
packages = ["{name}"]
"""


def write_new(kind: str, name: str, folder: Path, package: bool) -> list[Path]:
    """Write a plugin and its test, the plugin first.

    Args:
        kind: method, encoder, layout or metric.
        package: with a pyproject.toml that offers it to everybody who installs it.

    Raises:
        HarnessError: a name that is no Python name or that another plugin has, or a file that is already there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise HarnessError(f"{name!r} is no name of a module.", remedy="Use lower-case letters, digits and _.")
    if name in names(KINDS[kind]):
        raise HarnessError(f"there is a {kind} {name!r}.", remedy="Choose another name; `oneshot methods` lists them.")
    home = folder / name if package else folder
    plugin = home / name / f"{name}.py" if package else home / f"{name}.py"
    symbol = name if kind == "metric" else "".join(part.capitalize() for part in name.split("_"))
    shown = name if package else f"./{plugin.name}"
    files = {plugin: _plugin(kind, symbol, shown), home / "tests" / f"test_{name}.py": _test(kind, name, package)}
    if package:
        group = KINDS[kind].group
        files[plugin.with_name("__init__.py")] = ""
        files[home / "pyproject.toml"] = PYPROJECT.format(
            name=name, dashed=name.replace("_", "-"), group=group, symbol=symbol
        )
    for path in files:
        if path.exists():
            raise HarnessError("is already there.", where=path, remedy="Choose another name, or --in another folder.")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return list(files)


def next_steps(kind: str, name: str, plugin: Path, package: bool) -> list[str]:
    """What to type next."""
    shown = name if package else str(plugin if plugin.is_absolute() else Path(plugin))
    shown = shown if package or "/" in shown else f"./{shown}"
    install = [f"pip install --editable {plugin.parents[1]}"] if package else []
    if kind == "method":
        return [*install, f"oneshot check {shown}", f"oneshot run --data data/embedded --method {shown}"]
    if kind == "encoder":
        return [*install, f"oneshot check {shown}", f"oneshot run --data DATA --set video_encoder.name={shown}"]
    if kind == "layout":
        return [*install, f"oneshot data verify DATA --layout {shown}"]
    return [*install, "oneshot report RUN" if package else f"oneshot report RUN --metric {shown}"]


def _plugin(kind: str, symbol: str, shown: str) -> str:
    """The template under a new name."""
    text, template = _template(kind)
    text = text.replace(template, shown).replace(CLASSES[kind], symbol)
    return text.replace('name = "named-files"', f'name = "{Path(shown).stem.replace("_", "-")}"')


def _template(kind: str) -> tuple[str, str]:
    """Text of a template, and its path as it stands there."""
    if kind == "method":
        return (resources.files("mmact_oneshot.methods") / "template.py").read_text("utf-8"), "methods/template.py"
    place = resources.files("mmact_oneshot.harness.cli.templates") / f"{kind}.py"
    return place.read_text("utf-8"), f"harness/cli/templates/{kind}.py"


def _test(kind: str, name: str, package: bool) -> str:
    """The test of a new plugin."""
    text = (resources.files("mmact_oneshot.harness.cli.templates") / f"{kind}_test.py.txt").read_text("utf-8")
    where = f'"{name}"' if package else f'str(Path(__file__).parents[1] / "{name}.py")'
    text = text.replace("PLUGIN_REFERENCE", where)
    return text.replace("from pathlib import Path\n\n", "") if package and "Path(" not in text else text
