"""Names to methods: built in, a local file, an installed plugin; and the checks of their settings."""

from __future__ import annotations

import os
import py_compile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import METHOD
from mmact_oneshot.harness.plugins.methods import load_method, method_names
from mmact_oneshot.harness.plugins.registry import plugin_label
from mmact_oneshot.harness.plugins.settings import check_settings, setting_names
from mmact_oneshot.harness.runtime.errors import HarnessError

PLUGIN = """
from __future__ import annotations
from dataclasses import dataclass
from mmact_oneshot.harness.api import FewShotMethod, Setup

@dataclass
class Options:
    width: int = 3

class Mine(FewShotMethod):
    def __init__(self, setup: Setup, *, width: int = 8, rate: float = 0.5, name: str = "x") -> None:
        super().__init__(setup)
"""


def write(path: Path, text: str = PLUGIN) -> str:
    path.write_text(text)
    return str(path)


def install(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Pretend that an installed distribution has an entry point."""
    point = EntryPoint(name, value, METHOD.group)

    def found(group: str, **match: str) -> list[EntryPoint]:
        return [point] if group == METHOD.group and match.get("name", name) == name else []

    monkeypatch.setattr(registry, "entry_points", found)


@pytest.mark.parametrize("name", sorted(METHOD.built_in))
def test_built_in_methods_load_and_accept_their_defaults(name: str) -> None:
    method = load_method(name)
    assert issubclass(method, FewShotMethod)
    assert check_settings(method, {}, "here") == setting_names(method)
    assert plugin_label(name) == name


def test_a_local_file_is_a_method(tmp_path: Path) -> None:
    path = write(tmp_path / "my_head.py")
    method = load_method(path)
    assert method.__name__ == "Mine"
    assert plugin_label(path) == "my_head"
    assert check_settings(method, {"width": 4}, path) == {"width": 4, "rate": 0.5, "name": "x"}


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "my_head.py")
    load_method(path)
    write(tmp_path / "my_head.py", PLUGIN.replace("width: int = 8", "width: int = 9"))
    assert check_settings(load_method(path), {}, path)["width"] == 9


def test_what_runs_is_the_source_and_no_compiled_file_beside_it(tmp_path: Path) -> None:
    """Compiled code that claims by date and size to be of a source could be anything; the digest is the source's."""
    path, beside = tmp_path / "my_head.py", tmp_path / "widths.py"
    text = PLUGIN.replace("width: int = 8", "width: int = widths.OUT")
    write(path, text.replace("import annotations", "import annotations; import widths"))
    write(beside, "OUT = 9")
    for source in (path, beside):
        text, stat = source.read_text(), source.stat()
        source.write_text(text.replace("OUT = 9", "OUT = 7").replace("widths.OUT", "0xBADBAD12"))
        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        py_compile.compile(str(source), doraise=True)
        source.write_text(text)
        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert len(list(tmp_path.glob("__pycache__/*.pyc"))) == 2
    assert check_settings(load_method(str(path)), {}, str(path))["width"] == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLUGIN + "\nclass Other(FewShotMethod): ...\n", "defines 2 methods, expected one"),
        ("from mmact_oneshot.harness.api import FewShotMethod", "defines 0 methods"),
        ("import mmact_oneshot.harness.apy", "does not import.*No module named 'mmact_oneshot.harness.apy'"),
        ("class Mine(:", "does not import.*SyntaxError"),
    ],
)
def test_a_file_that_is_no_method_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "wrong.py", text)
    with pytest.raises(HarnessError, match=message) as refusal:
        load_method(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such file"):
        load_method(str(tmp_path / "gone.py"))


def test_a_mistyped_name_gets_the_nearest() -> None:
    with pytest.raises(HarnessError, match=r"no method 'protnet'.*Did you mean 'protonet'.*\.py file"):
        load_method("protnet")


def test_an_installed_plugin_is_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "theirs", "mmact_oneshot.baselines.protonet:ProtoNet")
    assert load_method("theirs").__name__ == "ProtoNet"
    assert "theirs" in method_names()
    with pytest.raises(HarnessError, match="Did you mean 'theirs'"):
        load_method("theirz")


def test_two_methods_of_one_name_are_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "trx", "their_package.trx:BetterTRX")
    with pytest.raises(HarnessError, match=r"2 methods are called 'trx': built-in; their_package\.trx:BetterTRX"):
        load_method("trx")
    assert load_method("can").__name__ == "CAN", "the others are as they were"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("mmact_oneshot.harness.runtime.errors:HarnessError", "is no method.*derived from FewShotMethod"),
        ("no_such_package:Method", "does not import.*no_such_package"),
    ],
)
def test_an_installed_plugin_that_is_no_method_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    install(monkeypatch, "theirs", value)
    with pytest.raises(HarnessError, match=message) as refusal:
        load_method("theirs")
    assert value in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widht": 4}, "Mine has no setting 'widht'.*Did you mean 'width'"),
        ({"width": "wide"}, "setting 'width' of Mine.*integer"),
        ({"rate": [1]}, "setting 'rate' of Mine.*number"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    method = load_method(write(tmp_path / "my_head.py"))
    with pytest.raises(HarnessError, match=message) as refusal:
        check_settings(method, settings, "row mine")
    assert "row mine" in str(refusal.value)


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(HarnessError, match=r"Random has no setting 'seed'\. It has no settings"):
        check_settings(load_method("random"), {"seed": 1}, "here")


@pytest.mark.parametrize(("setting", "lacks"), [("*, width=8", "type"), ("*, width: int", "default")])
def test_a_setting_without_type_or_default_is_refused(tmp_path: Path, setting: str, lacks: str) -> None:
    text = PLUGIN.replace('*, width: int = 8, rate: float = 0.5, name: str = "x"', setting)
    method = load_method(write(tmp_path / "my_head.py", text))
    with pytest.raises(HarnessError, match=f"setting 'width' of Mine has no {lacks}"):
        check_settings(method, {}, "here")


@pytest.mark.parametrize(
    ("setting", "imported"),
    [
        ("table: Path = Path('x.csv')", "from pathlib import Path"),
        ("activation: type[nn.Module] = nn.ReLU", "from torch import nn"),
        ("norm: nn.Module | None = None", "from torch import nn"),
        ("share: float = float('nan')", ""),
    ],
)
def test_a_setting_that_no_record_can_hold_is_refused(tmp_path: Path, setting: str, imported: str) -> None:
    text = PLUGIN.replace("from __future__ import annotations", f"from __future__ import annotations\n{imported}")
    method = load_method(write(tmp_path / "mine.py", text.replace("width: int = 8", setting)))
    with pytest.raises(HarnessError, match=r"of Mine (is a|has a type of its own)") as refusal:
        check_settings(method, {}, where="here")
    assert "use bool, int, float, str" in refusal.value.remedy
