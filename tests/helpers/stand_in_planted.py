"""A training step of methods that break a rule of devices each, and of one that breaks none."""

from __future__ import annotations

import numpy as np

from mmact_oneshot.harness.api import FewShotMethod, LossTerms
from mmact_oneshot.harness.benchmark.conformance.bench import EPISODES, QUERIES, WAY, Bench
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.data.task.augmentation import Views
from mmact_oneshot.harness.data.task.clip_source import LoadedClips
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.stand_in import move
from mmact_oneshot.harness.training.batches import EpisodeBatch
from mmact_oneshot.harness.training.loop import Stepper
from tests.helpers.broken_methods import CopiesBack, Honest, MixesDevices, MixesTypes, ReadsBack, ReadsBackInScore

PLANTED = (Honest, MixesDevices, ReadsBack, ReadsBackInScore, CopiesBack, MixesTypes)


def planted_step(kind: type[FewShotMethod], device: Device) -> LossTerms:
    """The step, under :func:`mmact_oneshot.harness.runtime.stand_in.shapes_alone`."""
    bench = Bench(kind, ("sensors",), {})
    method, shape, queries = bench.build(), (EPISODES, WAY, 1), (EPISODES, QUERIES)
    move(method)
    count = int(np.prod(shape) + np.prod(queries))
    clips, targets = bench.clips(count), bench.targets()
    there = type(targets)(*(each.to(device.torch) for each in vars(targets).values()))
    budget = Budget(steps=1, validations=1, episodes_per_step=EPISODES, queries=1)
    views = Views(*(np.ones(count),) * 9)
    loaded = LoadedClips(None, views, 0, clips.sensors, clips.sensor_mask, clips.present)
    batch = EpisodeBatch(np.arange(count), shape, queries, there)
    return Stepper.of(method, budget, device, 0).take(0, batch, loaded)
