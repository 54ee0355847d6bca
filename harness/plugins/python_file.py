"""A Python file as a plugin: imported once, with the modules that lie beside it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import PathEntryFinder
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

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


class SourceAlone(SourceFileLoader):
    """Compiles the source each time: a compiled file beside it may be of a source that was edited within the second, or
    hold other code than the source whose digest is recorded."""

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(source), source)
        return code


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
    name = f"{PREFIX}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceAlone(name, str(path)))
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
    sys.path_hooks.insert(0, finder := _finder_of_sources(folder))
    _forget_finders(folder)
    try:
        yield files
    finally:
        sys.path_hooks.remove(finder)
        _forget_finders(folder)
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder) and not name.startswith(PREFIX):
                _neighbours[name] = sys.modules[name]
                files.append(Path(file).resolve())


def _finder_of_sources(folder: Path) -> Callable[[str], PathEntryFinder]:
    """A hook of the import system for a folder and those in it."""
    found = FileFinder.path_hook((SourceAlone, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES))

    def finder(entry: str) -> PathEntryFinder:
        if not Path(entry).is_relative_to(folder):
            raise ImportError(entry)
        return found(entry)

    return finder


def _forget_finders(folder: Path) -> None:
    for entry in [entry for entry in sys.path_importer_cache if Path(entry).is_relative_to(folder)]:
        del sys.path_importer_cache[entry]
