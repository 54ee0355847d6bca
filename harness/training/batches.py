"""Training episodes by step: which clips, which labels. Depends on (seed, step) alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features, Targets
from mmact_oneshot.harness.data.episodes.sampling import EpisodeSampler


@dataclass(frozen=True)
class EpisodeBatch:
    """The episodes of one optimiser step.

    ``rows``: (E * way * shot + E * Q,) store rows, all supports before all queries.
    """

    rows: np.ndarray
    support_shape: tuple[int, int, int]
    query_shape: tuple[int, int]
    targets: Targets

    def split(self, features: Features) -> tuple[Features, Features]:
        """Features of ``rows`` as support (E, way, shot, ...) and query (E, Q, ...)."""
        supports = int(np.prod(self.support_shape))
        support = {k: v[:supports].unflatten(0, self.support_shape) for k, v in features.items()}
        query = {k: v[supports:].unflatten(0, self.query_shape) for k, v in features.items()}
        return support, query


def episode_batch(
    sampler: EpisodeSampler,
    rows: np.ndarray,
    step: int,
    episodes: int,
    device: torch.device,
    own: slice | None = None,
) -> EpisodeBatch:
    """Episodes ``step * episodes`` and following.

    Args:
        rows: store rows of the clips that the sampler indexes.
        own: those of the step's episodes that this process takes (``runtime.ranks.share``); None for all.
    """
    part = own or slice(0, episodes)
    draws = sampler.draw_range(step * episodes + part.start, part.stop - part.start)
    label = torch.from_numpy(draws.label.astype(np.int64))
    support_class = torch.from_numpy(draws.classes.astype(np.int64))
    query_class: Tensor = support_class.gather(1, label)
    targets = Targets(label.to(device), support_class.to(device), query_class.to(device))
    return EpisodeBatch(
        np.concatenate([rows[draws.support].ravel(), rows[draws.query].ravel()]),
        draws.support.shape,
        draws.query.shape,
        targets,
    )
