"""What named GPUs can do at most, as published, and which of it bounds a piece of work: the roofline.

Williams, Waterman, Patterson, "Roofline: An Insightful Visual Performance Model for Multicore Architectures",
Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True)
class Hardware:
    """A GPU, by its data sheet.

    Attributes:
        bfloat16, tf32, float32: FLOP/s, dense: of the tensor cores with float32 sums, and in float32 of the others.
        memory: bytes/s of its own memory.
        link: bytes/s from main memory, in one direction, of a PCIe slot with 16 lanes.
    """

    name: str
    bfloat16: float
    tf32: float
    float32: float
    memory: float
    link: float

    def peak(self, precision: str, tf32: bool = False) -> float:
        """FLOP/s of products in a precision ("float32" or "bfloat16")."""
        if precision == "bfloat16":
            return self.bfloat16
        return self.tf32 if tf32 else self.float32


HARDWARE = {
    hardware.name: hardware
    for hardware in (
        Hardware("H100", 989.4 * TERA, 494.7 * TERA, 66.9 * TERA, 3.35 * TERA, 64 * GIGA),  # SXM5, 80 GB, PCIe 5
        Hardware("H200", 989.4 * TERA, 494.7 * TERA, 66.9 * TERA, 4.8 * TERA, 64 * GIGA),  # SXM, 141 GB, PCIe 5
        Hardware("A100", 312 * TERA, 156 * TERA, 19.5 * TERA, 2.039 * TERA, 32 * GIGA),  # SXM4, 80 GB, PCIe 4
        Hardware("RTX4090", 165.2 * TERA, 82.6 * TERA, 82.6 * TERA, 1.008 * TERA, 32 * GIGA),  # PCIe 4
    )
}


class Bound(NamedTuple):
    """The least time of a piece of work on a GPU, in seconds, and what takes it: "compute", "memory" or "link"."""

    seconds: float
    by: str

    def rate(self, share: float = 1.0) -> float:
        """How often a second where a share of the peak is reached; infinite for nothing to do."""
        return share / self.seconds if self.seconds else float("inf")


def hardware_named(name: str) -> Hardware:
    """One of ``HARDWARE``.

    Raises:
        HarnessError: with the nearest right name.
    """
    if name not in HARDWARE:
        raise HarnessError(f"no peak figures of {name!r}.", remedy=nearest(name, HARDWARE))
    return HARDWARE[name]
