"""Joining a run: a new row gets the preset and the settings of the run that has the baselines."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mmact_oneshot.harness.config.presets import PRESETS
from mmact_oneshot.harness.records import RecordFolder, TrainingRecord
from mmact_oneshot.harness.runtime.errors import HarnessError


def joined_preset(folder: Path, preset: str | None, given: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Preset and overrides of a run.

    Args:
        preset: as it was named by the user; None for the run's own.
        given: overrides of the user.

    Raises:
        HarnessError: nothing was trained there, its preset is a file, which must be named, or one of its overrides
            names a Python file that the user does not name: records never decide which code is run.
    """
    records = RecordFolder(folder / "records")
    trained = [each for each in records.all(TrainingRecord) if each.training != "external"]
    if not trained:
        raise HarnessError("no run to join.", where=folder, remedy="Name the folder of a run: it has `records`.")
    latest = max(trained, key=lambda each: str(each.volatile.get("date", "")))
    overrides = tuple(map(str, latest.settings.get("overrides", ())))
    for override in overrides:
        if ".py" in override and override not in given:
            raise HarnessError(
                f"the run was made with Python code: {override}.",
                where=folder,
                remedy=f"Read that file; if it may run here, name it: --set {shlex.quote(override)}.",
            )
    if preset is not None:
        return preset, overrides
    if latest.preset not in PRESETS:
        raise HarnessError(
            f"the run was made with the preset file {latest.preset}.toml.",
            where=folder,
            remedy="Name it with --preset.",
        )
    return latest.preset, overrides
