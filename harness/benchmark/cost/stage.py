"""A stage of a run on paper: FLOPs and bytes, and the least time that they take on a GPU.

How bytes are counted. Of memory on the device, what a computation moves when every result is written and read once:

* what backward needs (``counting.Count.activations``) stands for all results. Forward writes and reads it; backward
  reads it again, and writes and reads as many gradients: two passes over it without training, five with;
* parameters, float32, are read once in each pass, and their gradients written once, shared by the clips of a pass;
* the step of an optimiser reads and writes its state: see :func:`optimiser_bytes`.

Kernels that are fused further move less, and a computation whose results stay in a cache does too: it may then be
faster than the bound by memory says. Over the link come clips as they are stored, or features kept in main memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from mmact_oneshot.harness.benchmark.cost.hardware import Bound, Hardware
from mmact_oneshot.harness.benchmark.cost.networks import Network
from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget

FLOAT = 4  # bytes
FORWARD, TRAINING = 2, 5  # passes over what backward needs
HALF = 0.6  # of results under bfloat16: norms and losses stay in float32


@dataclass(frozen=True)
class Stage:
    """One stage, for one clip, episode or step.

    Attributes:
        group, label: what it is.
        per: "clip", "episode" or "step".
        clips: in one of these.
        flops: in the run's precision.
        flops_float32: in float32 whatever the precision: scores, losses, and heads that ask for it.
        memory: bytes that move between the device and its memory.
        link: bytes that come from main memory.
        store: bytes that are read from the store.
        network: that can be timed; None where there is none.
        trained: forward and backward, or forward alone.
    """

    group: str
    label: str
    per: str = "clip"
    clips: int = 1
    flops: float = 0.0
    flops_float32: float = 0.0
    memory: float = 0.0
    link: float = 0.0
    store: float = 0.0
    network: Network | None = None
    trained: bool = False

    def bound(self, hardware: Hardware, precision: str, tf32: bool) -> Bound:
        """The least time on a GPU; the three overlap in full."""
        compute = self.flops / hardware.peak(precision, tf32) + self.flops_float32 / hardware.peak("float32", tf32)
        found = {"compute": compute, "memory": self.memory / hardware.memory, "link": self.link / hardware.link}
        by = max(found, key=lambda name: found[name])
        return Bound(found[by], by)


def on_cuda(precision: str) -> str:
    """The precision that a setting means there."""
    return "bfloat16" if precision == "auto" else precision


def scaled(activations: float, precision: str) -> float:
    """Bytes of results in a precision."""
    return activations * (HALF if precision == "bfloat16" else 1.0)


def parameters(*modules: nn.Module, trained: bool = False) -> int:
    """Number of parameters, each once; of those that need gradients alone."""
    found = {id(each): each for module in modules for each in module.parameters() if each.requires_grad or not trained}
    return sum(each.numel() for each in found.values())


def optimiser_bytes(count: int, budget: Budget | PretrainingBudget) -> int:
    """Bytes that a step of the optimiser moves for so many parameters.

    AdamW reads a parameter, its gradient and two averages, and writes all but the gradient: seven numbers. SGD reads
    two and writes one, and with momentum reads and writes one more. Clipping reads the gradient for its norm, and
    reads and writes it to scale it: three more.
    """
    adam = isinstance(budget, PretrainingBudget) or budget.optimiser == "adamw"
    momentum = not isinstance(budget, PretrainingBudget) and budget.momentum > 0
    numbers = 7 if adam else 3 + 2 * momentum
    return FLOAT * count * (numbers + 3 * (budget.clip > 0))
