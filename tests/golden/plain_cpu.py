"""The instructions that every x86-64 processor has, and one thread: the same bits whatever the processor.

torch, oneDNN, MKL, numpy and OpenBLAS choose their kernels by the processor, and each kernel takes its sums in an order
of its own. These variables must be set before a process starts.
"""

from __future__ import annotations

import platform
from pathlib import Path

PLAIN = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Prescott",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def processor() -> str:
    """System, architecture, and the model of the processor where the system says it."""
    found = dict[str, str]()
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    model = [found[name] for name in ("vendor_id", "cpu family", "model") if name in found]
    return " ".join([platform.system(), platform.machine(), *model])
