"""A Python file as a plugin: imported once, with the modules that lie beside it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mmact_oneshot.harness.plugins.source import files_sha256
from mmact_oneshot.harness.runtime.errors import HarnessError

PREFIX = "oneshot_plugin_"


@dataclass(frozen=True)
class PluginFile:
    """An imported file.

    Attributes:
        sha256: of the file and of the modules beside it that were imported with it.
    """

    path: Path
    module: ModuleType
    sha256: str


_imported: dict[tuple[Path, int], PluginFile] = {}
_neighbours: dict[str, ModuleType] = {}
"""Modules that were imported from beside a plugin, by the names under which they were imported."""


def load_file(path: Path) -> PluginFile:
    """Import a file; again only once it has changed.

    ``import helpers`` finds ``helpers.py`` in the folder of the file before any installed module of that name.

    Raises:
        HarnessError: there is no such file, or it does not import.
    """
    if not path.is_file():
        raise HarnessError("no such file.", where=path, remedy="Give the path of a Python file that defines a plugin.")
    key = path.resolve(), path.stat().st_mtime_ns
    if key not in _imported:
        _imported[key] = _import(path)
    return _imported[key]


def _import(path: Path) -> PluginFile:
    spec = importlib.util.spec_from_file_location(f"{PREFIX}{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    with _beside(path.resolve().parent) as files:
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise HarnessError(f"does not import ({type(error).__name__}: {error}).", where=path) from error
    return PluginFile(path, module, files_sha256([path.resolve(), *files], path.resolve().parent))


@contextmanager
def _beside(folder: Path) -> Iterator[list[Path]]:
    """While a file is imported its folder comes first; gives the files of the folder that were imported with it.

    Modules that lie beside another plugin are forgotten before: two plugins may each have a ``layers.py``.
    """
    for name, module in _neighbours.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
    _neighbours.clear()
    before, files = set(sys.modules), list[Path]()
    sys.path.insert(0, str(folder))
    try:
        yield files
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder) and not name.startswith(PREFIX):
                _neighbours[name] = sys.modules[name]
                files.append(Path(file).resolve())
