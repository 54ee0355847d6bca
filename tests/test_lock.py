"""An installation with hashes gets what is tested: requirements.lock has every pin of constraints.txt."""

from __future__ import annotations

import tomllib

from tests.helpers.locked import LOCK, ROOT, locked, normal

REMEDY = "make lock"


def test_every_pin_is_locked_in_its_version_with_hashes() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    found = {name: locked().get(normal(name), ("missing", set()))[0] for name in pins}
    assert found == pins, REMEDY


def test_what_pins_of_linux_without_cuda_lack_is_locked_too() -> None:
    """pip refuses everything once one package has no hash: torch's CUDA libraries, and the decoder of macOS."""
    names = locked().keys()
    assert {"triton", "nvidia-cublas", "eva-decord"} <= names, REMEDY
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for requirement in (each for group in extras.values() for each in group if "mmact-oneshot" not in each):
        name = requirement.split(";")[0].split(">")[0].split("[")[0]
        assert normal(name) in names, REMEDY


def test_no_address_is_locked() -> None:
    text = LOCK.read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
