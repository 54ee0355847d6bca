"""A suite as one flat table, for tools outside this harness."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mmact_oneshot.harness.data.episodes.suites import Suite


def episode_table(suite: Suite) -> pd.DataFrame:
    """A row per clip of an episode.

    Columns: episode, from 0; role, support or query; query, its number in the episode, from 0, empty for support clips;
    label, 0..way-1; class_name; clip.
    """
    draws = suite.draws
    episodes, way, shot = draws.support.shape
    clips, names = suite.clips["clip"].to_numpy(), np.asarray(suite.classes)
    support = pd.DataFrame(
        {
            "episode": np.repeat(np.arange(episodes), way * shot),
            "role": "support",
            "query": pd.array([pd.NA] * (episodes * way * shot), dtype="Int64"),
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
            "query": pd.array(np.tile(np.arange(label.shape[1]), episodes), dtype="Int64"),
            "label": label.ravel(),
            "class_name": names[np.take_along_axis(draws.classes, label, axis=1)].ravel(),
            "clip": clips[draws.query].ravel(),
        }
    )
    return pd.concat([support, query]).sort_values("episode", kind="stable", ignore_index=True)
