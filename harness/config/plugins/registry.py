"""Names to methods: built-in, a local file, or an installed plugin (entry-point group ``mmact_oneshot.methods``)."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from harness.api import FewShotMethod
from harness.runtime.errors import HarnessError, nearest

BUILT_IN = {
    "can": "baselines.can:CAN",
    "cnaps": "baselines.cnaps:CNAPs",
    "hyrsm": "baselines.hyrsm:HyRSM",
    "linear_probe": "baselines.linear_probe:LinearProbe",
    "mastaf": "baselines.mastaf:MASTAF",
    "matching_net": "baselines.matching_net:MatchingNet",
    "meta_baseline": "baselines.meta_baseline:MetaBaseline",
    "mu_mae": "methods.mu_mae.method:MuMAE",
    "otam": "baselines.otam:OTAM",
    "protonet": "baselines.protonet:ProtoNet",
    "random": "baselines.random:Random",
    "sensor_nn": "baselines.sensor_nn:SensorNearestNeighbour",
    "strm": "baselines.strm:STRM",
    "trx": "baselines.trx:TRX",
    "video_nn": "baselines.video_nn:VideoNearestNeighbour",
    "videomae": "baselines.videomae:VideoMAE",
}
GROUP = "mmact_oneshot.methods"


def method_names() -> list[str]:
    """Every method that can be named without a file."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def method_origins(name: str) -> list[str]:
    """Where methods of this name come from: ``built in``, or a package with its version and the class."""
    built_in = ["built in"] if name in BUILT_IN else []
    return built_in + [_origin(point) for point in entry_points(group=GROUP, name=name)]


def load_method(name: str) -> type[FewShotMethod]:
    """The method class for a name or for the path of a Python file that defines one.

    Raises:
        HarnessError: unknown name (with the nearest right one), a name that two methods have, or a file or package that
            does not import or defines none.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    origins = method_origins(name)
    if not origins:
        raise HarnessError(f"no method {name!r}.", remedy=nearest(name, method_names()) + " Or name a .py file.")
    if len(origins) > 1:
        raise HarnessError(
            f"{len(origins)} methods are called {name!r}: {'; '.join(origins)}.",
            remedy="Rename the entry point of a package of yours, or uninstall the package.",
        )
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        method: type[FewShotMethod] = getattr(importlib.import_module(module), attribute)
        return method
    (point,) = entry_points(group=GROUP, name=name)
    try:
        loaded = point.load()
    except Exception as error:
        raise HarnessError(f"does not import ({type(error).__name__}: {error}).", where=_origin(point)) from error
    return _checked(loaded, where=_origin(point))


def method_label(name: str) -> str:
    """How a method is called in tables: a file by its stem."""
    return Path(name).stem if name.endswith(".py") else name


def method_source(name: str) -> str:
    """What tells one version of a method from another: "built-in" (the commit says the rest), or the SHA-256 of the
    file that defines a plugin."""
    if name in BUILT_IN:
        return "built-in"
    path = Path(name) if name.endswith(".py") else Path(inspect.getfile(load_method(name)))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def setting_names(method: type[FewShotMethod]) -> dict[str, Any]:
    """Settings of a method and their defaults."""
    parameters = inspect.signature(method.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in {"self", "setup"}}


def check_settings(method: type[FewShotMethod], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All settings of a method: its defaults overridden by those given, types checked.

    Raises:
        HarnessError: unknown name (with the nearest right one), a value of the wrong type, or a plugin that
            declares a setting without type or default.
    """
    known = setting_names(method)
    for key in given:
        if key not in known:
            remedy = nearest(key, known) if known else "It has no settings."
            raise HarnessError(f"{method.__name__} has no setting {key!r}.", where=where, remedy=remedy)
    hints = inspect.get_annotations(method.__init__, eval_str=True)
    for name, default in known.items():
        if name not in hints or default is inspect.Parameter.empty:
            raise HarnessError(
                f"setting {name!r} of {method.__name__} has no {'default' if name in hints else 'type'}.",
                where=where,
                remedy="Write every setting as a keyword argument of __init__ with a type and a default.",
            )
    fields: dict[str, Any] = {name: (hints[name], default) for name, default in known.items()}
    model = create_model(method.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    try:
        return model(**given).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        raise HarnessError(f"setting {first['loc'][0]!r} of {method.__name__}: {first['msg']}.", where=where) from error


def _origin(point: EntryPoint) -> str:
    package = "" if point.dist is None else f"{point.dist.name} {point.dist.version}, "
    return f"{package}{point.value}"


def _from_file(path: Path) -> type[FewShotMethod]:
    if not path.is_file():
        raise HarnessError(
            "no such file.", where=path, remedy="Give the path of a Python file that defines a FewShotMethod."
        )
    spec = importlib.util.spec_from_file_location(f"oneshot_plugin_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise HarnessError(f"does not import ({type(error).__name__}: {error}).", where=path) from error
    return _only_method(module, path)


def _only_method(module: ModuleType, path: Path) -> type[FewShotMethod]:
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, FewShotMethod) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise HarnessError(
            f"defines {len(found)} methods, expected one.",
            where=path,
            remedy="One file, one class derived from FewShotMethod.",
        )
    return _checked(found[0], where=str(path))


def _checked(value: Any, where: str) -> type[FewShotMethod]:
    if not (inspect.isclass(value) and issubclass(value, FewShotMethod)):
        raise HarnessError("is not a FewShotMethod.", where=where, remedy="Derive it from harness.api.FewShotMethod.")
    return value
