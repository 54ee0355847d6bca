"""Loads whatever a run loads on its way, so that processes forked from here begin at once."""

from __future__ import annotations

from importlib import import_module

from mmact_oneshot.harness.encoders.torchvision_stub import declare_missing_operators

declare_missing_operators()
for name in (
    "mmact_oneshot.harness.benchmark.run",
    "mmact_oneshot.harness.report",
    "mmact_oneshot.methods.mu_mae",
    "mmact_oneshot.baselines.protonet",
    "mmact_oneshot.baselines.trx",
    "timm.models.vision_transformer",
    "torch._dynamo",  # counting operations loads it
    "torch.utils.tensorboard",
    "matplotlib.figure",
    "tests.helpers.toy_runs",
):
    import_module(name)
