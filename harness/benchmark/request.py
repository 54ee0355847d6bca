"""What a user asks for in a run, whatever they ask with: the command line or Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmact_oneshot.harness.benchmark.narrowing import Narrowing, narrowed
from mmact_oneshot.harness.benchmark.plan import Plan, make_plan
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.data.task.open_task import open_task
from mmact_oneshot.harness.runtime.device import choose_device
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.runtime.step_clock import StepClock
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class Request:
    """A run.

    Attributes:
        data: folder of recordings, or a prepared store.
        overrides: of the preset's settings, ``dotted.name=value``.
        wanted: the part of the preset that is to be done.
        out: folder of records and report; None for ``runs/PRESET-DATA``.
        layout, split: by name or file; None to recognise them.
        stores: folder of prepared stores.
        workers: processes that decode; None for one a core.
        unchecked: methods of files and packages are not held to the contract, and get no rank.
        time_limit: minutes that each step of the run may take; None for as long as it takes.
    """

    data: Path
    preset: str = "quick"
    overrides: Sequence[str] = ()
    wanted: Narrowing = field(default_factory=Narrowing)
    out: Path | None = None
    layout: str | None = None
    split: str | None = None
    stores: Path = Path("store")
    device: str = "auto"
    workers: int | None = None
    unchecked: bool = False
    time_limit: float | None = None

    def opened(self, watcher: Watcher, plan_only: bool = False) -> tuple[Workspace, Plan]:
        """Data made ready, and everything that the run consists of; nothing is trained.

        Args:
            plan_only: decode nothing; the run can be planned and not done.

        Raises:
            HarnessError: whatever is wrong with what was asked for, or with the data.
        """
        settings, names = narrowed(load_settings(self.preset, self.overrides), self.wanted)
        task = open_task(
            self.data,
            settings,
            stores=self.stores,
            watcher=watcher,
            layout=self.layout,
            split=self.split,
            workers=self.workers,
            plan_only=plan_only,
        )
        folder = self.out or Path("runs") / f"{settings.preset}-{self.data.resolve().name}"
        device = choose_device(self.device, settings.precision, settings.compute)
        workspace = Workspace(task, folder, device, watcher, StepClock(self.time_limit))
        return workspace, make_plan(workspace, names, self.unchecked)
