"""Features, loss and scores on the stand-in accelerator: no tensor is left on the CPU, nothing is read back.

In a forked process: whatever a method keeps between calls would hold tensors without content. Without the backward
pass, which no fork can do once its parent has done one; it does what the forward pass has recorded.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection

import torch
from torch._subclasses.fake_tensor import UnsupportedFakeTensorException

from mmact_oneshot.harness.api import Clips, Targets
from mmact_oneshot.harness.benchmark.conformance.bench import EPISODES, QUERIES, WAY, Bench
from mmact_oneshot.harness.benchmark.conformance.gap import described
from mmact_oneshot.harness.runtime.stand_in import READS_BACK, like, move, shapes_alone, stand_in


def device(bench: Bench) -> str:
    """A step and the scores of episodes, with everything on one device."""
    return apart(lambda: _on_stand_in(bench))


def _on_stand_in(bench: Bench) -> str:
    method = bench.build().train()
    clips, targets = bench.clips(EPISODES * (WAY + QUERIES)), bench.targets()
    try:
        with shapes_alone() as border:
            move(method)
            there = Clips(
                None if clips.video is None else like(clips.video),
                *({k: like(v) for k, v in part.items()} for part in (clips.sensors, clips.sensor_mask, clips.present)),
            )
            support, query = bench.episodes(method.embed(method.encode(there)), shot=1)
            method.loss(support, query, Targets(*(like(each) for each in vars(targets).values())))
            method.eval()
            with torch.set_grad_enabled(method.grad_at_test):
                scores = method.score(support, query)
    except READS_BACK as error:
        return f"reads a value back from the device, which makes it wait: {error}"
    except UnsupportedFakeTensorException as error:
        return f"not checked: {error}"
    except RuntimeError as error:
        if "device" not in str(error).lower():
            raise
        return f"mixes devices: {error}"
    if border.copied:
        return f"copies a tensor of shape {border.copied[0]} to main memory, for which the device must be waited for"
    return "" if scores.device.type == stand_in().type else "the scores are on the CPU"


def apart(work: Callable[[], str]) -> str:
    """Do something in a process of its own, where there can be one."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return work()
    import_module("torch._dynamo")  # once here, and not in every fork: tensors without content need it
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        return str(ours.recv())
    except EOFError:
        return "the process that ran it died"
    finally:
        process.join()


def _answer(work: Callable[[], str], answers: Connection) -> None:
    torch.set_num_threads(1)  # threads do not survive a fork
    try:
        found = work()
    except Exception as error:
        found = described(error)
    answers.send(found)
    answers.close()
