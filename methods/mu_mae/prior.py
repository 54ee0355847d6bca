"""The prior: a transformer over all tokens of a clip, started from what was pre-trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Setup
from mmact_oneshot.harness.encoders.multimodal import EMBEDDINGS, MultimodalEncoder
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.state_differences import differences
from mmact_oneshot.harness.encoders.tokens import Layout, layout_of
from mmact_oneshot.methods.mu_mae.fitting import SETTINGS, fitting

States = Mapping[str, Mapping[str, Tensor]]


def clip_layout(setup: Setup, *, interleaved: bool = False) -> Layout:
    """The tokens of a setup's clips.

    Raises:
        NotApplicable: they cannot be cut so.
    """
    with fitting(SETTINGS):
        return layout_of(setup, interleaved=interleaved)


def build_prior(setup: Setup, layout: Layout) -> MultimodalEncoder:
    """A transformer of the setup's size, started from ``setup.pretrained``, or from scratch where that is empty.

    Raises:
        NotApplicable: the weights do not fit, all differences listed; see :func:`start`.
    """
    encoder = MultimodalEncoder(layout, SIZES[setup.transformer.size])
    if setup.pretrained:
        with fitting():
            start(encoder, {name: setup.pretrained[name] for name in setup.modalities if name in setup.pretrained})
    return encoder


def start(encoder: MultimodalEncoder, states: States) -> None:
    """Take the weights of some modalities: all of them or none.

    Missing may be the embedding of a modality that was not pre-trained; it keeps its initial values.

    Args:
        states: modality -> weights in the encoder's names; what several modalities share is the same in all.

    Raises:
        ValueError: no modality, or a name that is missing, unexpected, of a wrong shape or not the same in all states.
    """
    if not states:
        raise ValueError("nothing was pre-trained for these modalities")
    own, given = encoder.state_dict(), {name: value for state in states.values() for name, value in state.items()}
    untouched = tuple(prefix for modality, prefix in EMBEDDINGS.items() if modality not in states)
    wanted = {name: value for name, value in own.items() if not name.startswith(untouched)}
    wrong = differences(wanted, given) or [
        f"{name} is not the same in all states"
        for name, value in given.items()
        if not all(torch.equal(value, state[name]) for state in states.values() if name in state)
    ]
    if wrong:
        raise ValueError(f"the pre-trained weights do not fit: {'; '.join(wrong)}")
    encoder.load_state_dict({**own, **given})
