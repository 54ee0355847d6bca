"""A compiled pre-training computes what the network does, and leaves the same names and checkpoints behind.

With the back end "eager", which traces the network as any other and then runs it as it is: no compiler is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.api import Pretraining
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.training import pretraining_loop
from mmact_oneshot.harness.training.compilation import compile_calls
from tests.helpers.pretrainings import BOTH, Steps, autoencoding, pretrained, source_of
from tests.helpers.toys import CPU, toy_task

COMPILING = replace(CPU, compute=ComputeSpec(compile_pretraining=True))
pytestmark = pytest.mark.slow  # tracing takes seconds


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


def states(network: Pretraining) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in network.state_dict().items()}


def test_the_switch_compiles_and_its_default_does_not(task: Task) -> None:
    traced: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        traced.append(len(inputs))
        return graph.forward

    network = autoencoding(task, "sensors")
    clips = source_of(task, "sensors").load(task.role_rows("base")[:4]).to("cpu")
    draws = torch.rand(4, network.draws, generator=torch.Generator().manual_seed(0))
    plain = {name: term.detach() for name, term in network(clips, draws).items()}
    compile_calls(network, CPU, backend=backend)
    network(clips, draws)
    assert not traced
    compile_calls(network, COMPILING, backend=backend)
    found = network(clips, draws)
    assert traced
    for name, term in plain.items():
        torch.testing.assert_close(found[name].detach(), term, rtol=1e-6, atol=1e-6)


def test_a_compiled_pretraining_ends_like_another_and_its_checkpoint_continues_in_either_way(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = autoencoding(task, *BOTH)
    described, names = expected.describe(), list(expected.state_dict())
    pretrained(task, expected, tmp_path / "whole.state")

    monkeypatch.setattr(pretraining_loop, "compile_calls", partial(compile_calls, backend="eager"))
    cut, whole, resumed = (autoencoding(task, *BOTH) for _ in range(3))
    pretrained(task, whole, tmp_path / "compiled.state", device=COMPILING)
    assert whole.describe() == described
    assert list(whole.state_dict()) == names
    with pytest.raises(KeyboardInterrupt):
        pretrained(task, cut, tmp_path / "cut.state", device=COMPILING, watcher=Steps(interrupted_after=5))
    assert pretrained(task, resumed, tmp_path / "cut.state").resumed == 1
    for network in (whole, resumed):
        for name, value in states(expected).items():
            torch.testing.assert_close(states(network)[name], value, rtol=1e-6, atol=1e-6)
