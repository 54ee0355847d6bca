"""Names to plugins of any kind: our own, those of installed packages, and Python files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.plugins.kinds import Kind, resolve
from mmact_oneshot.harness.plugins.python_file import PluginFile, load_file
from mmact_oneshot.harness.plugins.source import installed_source
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest
from mmact_oneshot.harness.runtime.names import file_name

BUILT_IN = "built-in"


@dataclass(frozen=True)
class Listed:
    """One name of a listing.

    Attributes:
        origins: ``built-in``, or a package with its version and the object. More than one is an error of its own.
        found: the plugin; None where it cannot be loaded.
        error: why not; empty where it can.
    """

    name: str
    origins: tuple[str, ...]
    found: Any
    error: str


def is_file(name: str) -> bool:
    """Whether a plugin is named by the path of a Python file."""
    return name.endswith(".py")


def names(kind: Kind) -> list[str]:
    """All that can be named without a file: ours in their order, and then those of packages."""
    return list(dict.fromkeys((*kind.built_in, *sorted(point.name for point in entry_points(group=kind.group)))))


def origins(kind: Kind, name: str) -> list[str]:
    """Where plugins of this name come from."""
    return _origins(kind, name, entry_points(group=kind.group, name=name))


def listing(kind: Kind) -> list[Listed]:
    """Every name, with what it stands for or why it cannot be loaded; one that is broken hides nothing."""
    points, found = list(entry_points(group=kind.group)), []
    for name in dict.fromkeys((*kind.built_in, *sorted(point.name for point in points))):
        own = [point for point in points if point.name == name]
        try:
            plugin, error = _named(kind, name, own), ""
        except HarnessError as refusal:
            plugin, error = None, str(refusal)
        found.append(Listed(name, tuple(_origins(kind, name, own)), plugin, error))
    return found


def load(kind: Kind, name: str) -> Any:
    """The plugin for a name or for the path of a Python file that defines one.

    Raises:
        HarnessError: unknown name (with the nearest right one), a name that two plugins have, or a file or package that
            does not import or defines none.
    """
    if is_file(name) and kind.files:
        return _only(kind, load_file(Path(name)))
    points = list(entry_points(group=kind.group, name=name))
    if not points and name not in kind.built_in:
        file = " Or name a .py file." if kind.files else ""
        raise HarnessError(f"no {kind.name} {name!r}.", remedy=nearest(name, names(kind)) + file)
    return _named(kind, name, points)


def kind_of(name: str, kinds: Sequence[Kind]) -> Kind:
    """Which of some kinds a name or a file stands for; the first where it is none, which says what is wrong."""
    if is_file(name):
        file = load_file(Path(name))
        own = [kind for kind in kinds if _defined(kind, file)]
    else:
        own = [kind for kind in kinds if name in names(kind)]
    return own[0] if own else kinds[0]


def plugin_label(name: str) -> str:
    """How a plugin is called in tables and in the names of its files: a file by its stem.

    Raises:
        HarnessError: the name cannot be that of a file.
    """
    return file_name(Path(name).stem if is_file(name) else name, "plugin")


def source(kind: Kind, name: str) -> str:
    """What tells one version of a plugin from another: "built-in" (the commit says the rest), or a SHA-256.

    Of a file: of it and of the modules beside it that it imports. Of an installed package: of all its Python files.
    """
    if is_file(name) and kind.files:
        return load_file(Path(name)).sha256
    if name in kind.built_in:
        return BUILT_IN
    load(kind, name)
    (point,) = entry_points(group=kind.group, name=name)
    return installed_source(point.module)


def _named(kind: Kind, name: str, points: Sequence[EntryPoint]) -> Any:
    """The plugin of a name that is known, ours or of the one entry point."""
    found = _origins(kind, name, points)
    if len(found) > 1:
        raise HarnessError(
            f"{len(found)} {kind.plural} are called {name!r}: {'; '.join(found)}.",
            remedy="Rename the entry point of a package of yours, or uninstall the package.",
        )
    if name in kind.built_in:
        return resolve(kind.built_in[name])
    (point,) = points
    try:
        loaded = point.load()
    except Exception as error:
        raise HarnessError(f"does not import ({type(error).__name__}: {error}).", where=_origin(point)) from error
    if not kind.fits(loaded):
        raise HarnessError(f"is no {kind.name}.", where=_origin(point), remedy=f"It must be {kind.made}.")
    return loaded


def _only(kind: Kind, file: PluginFile) -> Any:
    """The one plugin that a file defines."""
    found = _defined(kind, file)
    if len(found) != 1:
        raise HarnessError(
            f"defines {len(found)} {kind.plural}, expected one.",
            where=file.path,
            remedy=f"One file, one {kind.name}, {kind.made}. `oneshot new {kind.name} NAME` writes one to start from.",
        )
    return found[0]


def _defined(kind: Kind, file: PluginFile) -> list[Any]:
    """The plugins of a kind that a file defines; what it imports does not count."""
    values = {id(value): value for value in vars(file.module).values() if kind.fits(value)}
    return [value for value in values.values() if _defined_in(kind, value) == file.module.__name__]


def _defined_in(kind: Kind, value: Any) -> str:
    """The module of a plugin: of its function, where it is an instance made of one."""
    return str((value.function if kind.instances else value).__module__)


def _origins(kind: Kind, name: str, points: Iterable[EntryPoint]) -> list[str]:
    return [*([BUILT_IN] if name in kind.built_in else []), *map(_origin, points)]


def _origin(point: EntryPoint) -> str:
    package = "" if point.dist is None else f"{point.dist.name} {point.dist.version}, "
    return f"{package}{point.value}"
