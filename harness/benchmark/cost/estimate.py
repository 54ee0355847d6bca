"""What the steps of a plan will cost: time, memory and disk, from the same steps that the run does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmact_oneshot.harness.benchmark.cost.memory import SPARE, step_bytes
from mmact_oneshot.harness.benchmark.cost.rates import measure_rates
from mmact_oneshot.harness.benchmark.cost.work import Work, trials, work_of
from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.data.store import MANIFEST, expected_bytes
from mmact_oneshot.harness.runtime.device import free_bytes
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class Demand:
    """Memory that the encoders of a training need for a step, in bytes, and how to lower it.

    Heads and losses come on top; beside encoders that are trained they are small.
    """

    label: str
    needed: int
    remedy: str


@dataclass(frozen=True)
class Cost:
    """What is left to do of a run.

    Attributes:
        seconds: of training and encoding.
        clips: that pass a network.
        rates: label of a network -> clips per second in training, as measured now.
        trials: trainings that searches of learning rates add.
        disk_bytes: of the store.
        prepared: whether the store is there.
    """

    seconds: float
    clips: int
    rates: dict[str, float]
    trials: int
    disk_bytes: int
    prepared: bool


def estimate_cost(workspace: Workspace, steps: Sequence[Step]) -> Cost:
    """Time every network on a small random batch and multiply; heads on frozen features count as nothing."""
    task, seconds, clips = workspace.task, 0.0, 0
    rates: dict[str, tuple[float, float]] = {}
    labels: dict[str, float] = {}
    for work in work_of(workspace, steps):
        key = work.network.key
        if key not in rates:
            rates[key] = measure_rates(work.network, workspace.sensors, workspace.device)
            labels[work.network.label] = rates[key][0]
        seconds += work.trained / rates[key][0] + work.encoded / rates[key][1]
        clips += work.trained + work.encoded
    return Cost(
        seconds,
        clips,
        labels,
        trials(steps),
        expected_bytes(len(task.store.clips), task.settings.store),
        (task.store.folder / MANIFEST).is_file(),
    )


def memory_demands(workspace: Workspace, steps: Sequence[Step]) -> list[Demand]:
    """Of every kind of training that is still to be done, the largest first."""
    found: dict[tuple[str, int, int], Demand] = {}
    for work in work_of(workspace, steps):
        key = (work.network.key, work.at_once, work.of_step)
        if work.trained and key not in found:
            remedy = f"Set {work.setting} below {work.at_once} clips"
            remedy += "." if work.setting == "pretraining.batch" else ": the gradients stay the same."
            found[key] = Demand(work.network.label, _bytes(workspace, work), remedy)
    return sorted(found.values(), key=lambda demand: -demand.needed)


def require_memory(workspace: Workspace, demands: Sequence[Demand]) -> None:
    """Raises HarnessError where a step needs more than there is: at once, and not after hours of other work."""
    free = free_bytes(workspace.device)
    for demand in demands:
        if free is not None and demand.needed > SPARE * free:
            raise HarnessError(
                f"{demand.label}: a training step needs about {demand.needed / 1e9:.1f} GB of memory; "
                f"{free / 1e9:.1f} GB are free on {workspace.device.torch.type}.",
                remedy=demand.remedy,
            )


def _bytes(workspace: Workspace, work: Work) -> int:
    """0, which refuses nothing, for a plugin that cannot run on shapes alone because it reads values."""
    network = work.network
    try:
        clips = network.clips(workspace.sensors, 2)
        return step_bytes(network.build_shapes(), network.loss, clips, work.at_once, workspace.device, work.of_step)
    except Exception:
        return 0
