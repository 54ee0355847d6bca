"""Probes of a pre-training: what its frozen transformers already say of the validation classes.

They show how long a pre-training is worth its time. Nothing is trained, and nothing of them reaches the pre-training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mmact_oneshot.harness.api import Pretraining, Setup
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.encoders.initial_states import start_from
from mmact_oneshot.harness.encoders.placement import placed
from mmact_oneshot.harness.training.episodic import validation_accuracy
from mmact_oneshot.harness.training.initialisation import Pretrained
from mmact_oneshot.harness.training.objectives import PrototypeObjective
from mmact_oneshot.harness.training.workspace import Workspace

States = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Probe:
    """Accuracy on the validation suite by cosine to class means, one modality at a time.

    The features are those that a row with ``encoder = "transformer"`` would begin from.
    """

    workspace: Workspace
    pretraining: Pretrained
    seed: int

    def __call__(self, network: Pretraining) -> dict[str, float]:
        """Modality -> accuracy, a share."""
        states = network.states()
        return {name: self._accuracy(name, states) for name in network.modalities if name in states}

    def _accuracy(self, modality: str, states: States) -> float:
        workspace = self.workspace
        settings = self.pretraining.settings.model_copy(update={"encoder": "transformer"})
        encoder = build_encoder(modality, settings, workspace.sensors, self.seed)
        start_from(encoder, states)
        setup = Setup((modality,), workspace.sensors, 0, settings.way, settings.shot, {modality: encoder})
        method = placed(PrototypeObjective(setup), workspace.device.torch)
        clips = workspace.clips(settings, (modality,))
        return validation_accuracy(method, workspace.task, clips, workspace.device, workspace.watcher)
