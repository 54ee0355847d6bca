"""Where and in which precision torch runs."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.runtime.errors import HarnessError


@dataclass(frozen=True)
class Device:
    """A torch device, the precision of encoders and heads (scores are always float32), and how it computes."""

    torch: torch.device
    precision: str  # "float32" or "bfloat16"
    compute: ComputeSpec = field(default_factory=ComputeSpec)

    @property
    def accelerator(self) -> bool:
        """Whether the device computes on its own, beside the CPU."""
        return self.torch.type != "cpu"

    @property
    def tf32(self) -> bool:
        """Whether what is in float32 is multiplied in TF32."""
        return self.compute.tf32 and self.torch.type == "cuda"

    @property
    def fused_optimiser(self) -> bool | None:
        """As torch's optimisers take it: None leaves the choice to them."""
        return True if self.compute.fused_optimiser and self.accelerator else None

    @property
    def copies_ahead(self) -> bool:
        """Whether batches are copied to the device while it computes."""
        return self.compute.pinned and self.torch.type == "cuda"

    def autocast(self) -> AbstractContextManager[object]:
        """bfloat16 autocast where asked for."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.torch.type, dtype=torch.bfloat16)

    def describe(self) -> dict[str, object]:
        """The hardware, for records."""
        cuda = self.torch.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.torch) if cuda else platform.processor() or platform.machine(),
            "type": self.torch.type,
            "precision": self.precision,
            "instructions": torch.backends.cpu.get_cpu_capability(),  # other ones, other sums
            "threads": torch.get_num_threads(),
            "cores": os.cpu_count(),
        }


def choose_device(name: str, precision: str, compute: ComputeSpec | None = None) -> Device:
    """``auto`` takes CUDA where there is one; ``auto`` precision is bfloat16 there and float32 on a CPU.

    TF32 and the kernels of attention are set for the whole process, until a device is chosen again.

    Args:
        compute: None for its defaults.

    Raises:
        HarnessError: CUDA was asked for and is not there.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise HarnessError(f"no device {name!r}.", remedy="Known: auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise HarnessError("no CUDA device here.", remedy="Use --device cpu, or see `oneshot doctor`.")
    kind = "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"
    chosen = ("bfloat16" if kind == "cuda" else "float32") if precision == "auto" else precision
    shared = kind == "cuda" and ranks.count() > 1  # each process has a GPU of its own
    place = torch.device(kind, ranks.local_rank()) if shared else torch.device(kind)
    device = Device(place, chosen, compute or ComputeSpec())
    if shared:
        torch.cuda.set_device(place)
    if kind == "cuda":
        # unless asked for, what is not in bfloat16 on purpose keeps all its digits
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = device.tf32
    _choose_attention(device.compute.attention == "auto")
    return device


def cores() -> int:
    """CPU cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def peak_memory(device: Device) -> int:
    """Bytes: of the GPU where there is one, of the process otherwise; 0 where the system does not say."""
    if device.torch.type == "cuda":
        return torch.cuda.max_memory_allocated(device.torch)
    try:
        import resource
    except ImportError:  # Windows does not have it
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_bytes(device: Device) -> int | None:
    """What is free on the device; None where it does not say."""
    if device.torch.type == "cuda":
        return int(torch.cuda.mem_get_info(device.torch)[0])
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    return found[0] if found else None


def forget_peak_memory(device: Device) -> None:
    """Count from now on, where the device can."""
    if device.torch.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device.torch)


def _choose_attention(fused: bool) -> None:
    """Allow or forbid every kernel of attention but the plain one, which is never forbidden."""
    kernels = torch.backends.cuda  # whose switches hold for the CPU's kernel as well
    for allow in (kernels.enable_flash_sdp, kernels.enable_mem_efficient_sdp, kernels.enable_cudnn_sdp):
        allow(fused)
