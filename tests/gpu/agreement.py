"""Do a GPU and the CPU compute the same? ``python -m tests.gpu.agreement cuda FILE [--small]``.

The reference is the CPU in float32. Differences are shares, so that one tolerance fits all methods:

* scores: largest difference, over the distance of the best and the worst class of a query;
* answers: share of the queries with another answer; it has no tolerance, since near ties may turn either way;
* loss: difference, over the loss;
* gradients: length of the difference of all gradients taken as one vector, over the length of that vector.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from mmact_oneshot.harness.benchmark.conformance.gap import described
from mmact_oneshot.harness.runtime.device import choose_device
from tests.gpu.cases import Case, cases

TOLERANCES = {
    "float32": {"scores": 1e-4, "loss": 1e-4, "gradients": 1e-2},
    "bfloat16": {"scores": 0.1, "loss": 0.02, "gradients": 0.5},
}
"""A CPU with and without oneDNN in float32: up to 3e-5, 5e-7 and 1e-3; in bfloat16: up to 0.03, 0.004 and 0.22."""


@dataclass(frozen=True)
class Agreement:
    """A case in a precision, on a device beside the CPU.

    Attributes:
        differences: quantity -> difference as a share; see the module.
        failure: why there are none, or which are beyond the tolerance; empty where all is well.
    """

    case: str
    precision: str
    differences: dict[str, float] = field(default_factory=dict)
    failure: str = ""


def agreements(device: str, found: Iterable[Case]) -> Iterator[Agreement]:
    """Case by case, in both precisions; one that raises does not stop the others."""
    for case in found:
        reference: dict[str, Tensor] | None = None
        for precision in TOLERANCES:
            try:
                reference = reference or case.results(choose_device("cpu", "float32"))
                results = case.results(choose_device(device, precision))
            except Exception as error:
                yield Agreement(case.name, precision, failure=described(error))
            else:
                found_apart = differences(reference, results)
                yield Agreement(case.name, precision, found_apart, beyond(found_apart, precision))


def differences(reference: dict[str, Tensor], results: dict[str, Tensor]) -> dict[str, float]:
    """Of named tensors that two devices computed."""
    found: dict[str, float] = {}
    for name, wanted in reference.items():
        apart = results[name] - wanted
        if name == "scores":
            spread = float((wanted.amax(dim=-1) - wanted.amin(dim=-1)).max())
            found[name] = float(apart.abs().max()) / (spread or 1.0)
            found["answers"] = float((wanted.argmax(dim=-1) != results[name].argmax(dim=-1)).float().mean())
        else:
            found[name] = float(apart.norm()) / (float(wanted.norm()) or 1.0)
    return found


def beyond(found: dict[str, float], precision: str) -> str:
    """Which differences are beyond the tolerance, or no numbers."""
    wrong = [
        f"{name} {found[name]:.1g} > {limit:g}" if math.isfinite(found[name]) else f"{name} not finite"
        for name, limit in TOLERANCES[precision].items()
        if name in found and not found[name] <= limit
    ]
    return ", ".join(wrong)


def main(device: str, file: str, *options: str) -> None:
    """Write what was found so far after every case: the time may run out."""
    found: list[dict[str, object]] = []
    for agreement in agreements(device, cases(small="--small" in options)):
        found.append(asdict(agreement))
        Path(file).write_text(json.dumps({"tolerances": TOLERANCES, "cases": found}, indent=1), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
