"""A suite as one flat table, for tools outside this harness."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.data.episodes.suites import Suite


def episode_table(suite: Suite) -> pd.DataFrame:
    """A row per clip of an episode: episode, role (support or query), label (0..way-1), class_name, clip."""
    draws = suite.draws
    episodes, way, shot = draws.support.shape
    clips, names = suite.clips["clip"].to_numpy(), np.asarray(suite.classes)
    support = pd.DataFrame(
        {
            "episode": np.repeat(np.arange(episodes), way * shot),
            "role": "support",
            "label": np.tile(np.repeat(np.arange(way), shot), episodes),
            "class_name": names[draws.classes].repeat(shot, axis=1).ravel(),
            "clip": clips[draws.support].ravel(),
        }
    )
    label = draws.label.astype(int)
    query = pd.DataFrame(
        {
            "episode": np.repeat(np.arange(episodes), label.shape[1]),
            "role": "query",
            "label": label.ravel(),
            "class_name": names[np.take_along_axis(draws.classes, label, axis=1)].ravel(),
            "clip": clips[draws.query].ravel(),
        }
    )
    return pd.concat([support, query]).sort_values("episode", kind="stable", ignore_index=True)
