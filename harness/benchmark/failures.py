"""Steps that failed for a reason that belongs in no record: a plugin that raises, a damaged file. The others go on."""

from __future__ import annotations

import traceback
from pathlib import Path

from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.workspace import Workspace


class Failures:
    """The steps of a run that failed, each with its traceback in ``failures/`` of the run's folder."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._found: dict[str, Exception] = {}
        self._left_out: list[str] = []

    def add(self, step: Step, error: Exception) -> None:
        """Note a step that failed, with its traceback."""
        self._found[step.id] = error
        path = self._path(step)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), "utf-8")
        self._workspace.watcher.note(f"  {step.id} failed: {_line(error)} (traceback: {path})")

    def forget(self, step: Step) -> None:
        """Remove the traceback that an earlier run left of a step that is done now."""
        self._path(step).unlink(missing_ok=True)

    def hit(self, step: Step) -> bool:
        """Whether a step needs one that failed; it is left out then."""
        hit = any(need in self._found or need in self._left_out for need in step.needs)
        if hit:
            self._left_out.append(step.id)
        return hit

    def raise_if_any(self) -> None:
        """Raises HarnessError where a step failed; the very error where a single one failed with one of ours."""
        if not self._found:
            return
        first = next(iter(self._found.values()))
        if len(self._found) == 1 and isinstance(first, HarnessError) and not self._left_out:
            raise first
        others = f" {len(self._left_out)} that need them were left out." if self._left_out else ""
        name, count = next(iter(self._found)), len(self._found)
        raise HarnessError(
            f"{count} step{'s' * (count > 1)} failed, the first ({name}) with: {_line(first)}{others}",
            where=self._workspace.folder / "failures",
            remedy="All others are done and kept: mend the cause and start `oneshot run` again.",
        ) from first

    def _path(self, step: Step) -> Path:
        return self._workspace.folder / "failures" / f"{step.id.replace('/', '-')}.txt"


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
