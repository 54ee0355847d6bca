"""One data set ready for methods: the store, the split, the suites, and which clips can be used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.data.episodes.sampling import EpisodeSampler, SuiteSpec
from mmact_oneshot.harness.data.episodes.suites import Suite, build_suite, suite_spec, train_spec
from mmact_oneshot.harness.data.splits import Split
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.runtime.errors import HarnessError


@dataclass(frozen=True)
class Task:
    """What all rows of a table have in common.

    Attributes:
        store: the prepared recordings.
        split: the classes.
        clips: the clip list from which suites are built (known without the recordings where possible).
        settings: of the run.
    """

    store: Store
    split: Split
    clips: pd.DataFrame
    settings: Settings

    @property
    def data_digest(self) -> str:
        """Digest of the recordings, whatever form they are kept in."""
        return self.store.data_digest

    def common_digests(self, precision: str) -> dict[str, str]:
        """What every training depends on, beside its settings."""
        return {
            "data": self.data_digest,
            "split": self.split.digest,
            "val": self.suite("val").digest,
            "precision": precision,
        }

    @cached_property
    def usable(self) -> np.ndarray:
        """(N,) bool over the store's rows: a clip counts as there when its video could be decoded. A missing sensor
        does not make a clip unusable: it is scored with its mask."""
        return self.store.clips["video"].to_numpy(bool)

    def rows(self, clips: pd.DataFrame) -> np.ndarray:
        """Store rows of clips, -1 for those that are absent or unusable."""
        found = np.asarray([self.store.row.get(clip, -1) for clip in clips["clip"]], np.int64)
        return np.where((found >= 0) & self.usable[found], found, -1)

    def role_rows(self, role: str) -> np.ndarray:
        """Usable store rows of the classes of a role such as ``base`` or ``base+validation``."""
        rows = self.rows(self.clips[self.clips["class_name"].isin(self.split.role(role))])
        return rows[rows >= 0]

    def suite(self, name: str) -> Suite:
        """A fixed suite, built once."""
        if name not in self._suites:
            spec, episodes = suite_spec(name), self.settings.episodes
            if spec.role == "validation":
                episodes = self.settings.validation_episodes or episodes
            self._suites[name] = build_suite(spec, self.split, self.clips, episodes)
        return self._suites[name]

    @cached_property
    def _suites(self) -> dict[str, Suite]:
        return {}

    def training_sampler(self, seed: int, queries: int, role: str) -> tuple[EpisodeSampler, np.ndarray]:
        """Sampler of training episodes over the usable clips of a role, and the store rows it indexes."""
        settings = self.settings
        spec: SuiteSpec = train_spec(seed, settings.way, settings.shot, queries, role)
        clips = self.clips[self.clips["class_name"].isin(self.split.role(role))]
        rows = self.rows(clips)
        clips = clips[rows >= 0].reset_index(drop=True)
        return EpisodeSampler(clips, self.split.role(role), spec), rows[rows >= 0]

    def completeness(self) -> dict[str, Any]:
        """What is missing of the clip list, for records and reports."""
        rows = self.rows(self.clips)
        manifest = self.store.manifest
        return {
            "clips_listed": len(self.clips),
            "clips_usable": int((rows >= 0).sum()),
            "performances_without_sensor": manifest["performances_without"],
            "problems": len(manifest["problems"]),
            "complete": bool((rows >= 0).all()) and not any(manifest["performances_without"].values()),
        }

    def origin(self) -> dict[str, Any]:
        """The ``data`` part of records: what was recorded, how it is split, and what is missing of it."""
        manifest = self.store.manifest
        return {
            "layout": manifest["layout"],
            "digest": self.data_digest,
            "split": self.split.name,
            "split_digest": self.split.digest,
            "generated": manifest["generated"],
            "streams": manifest.get("streams", []),  # none in a store of before they were noted
            **self.completeness(),
        }

    def has(self, modality: str) -> bool:
        """Whether any usable clip has a modality."""
        if modality == "video":
            return bool(self.usable.any())
        measured = [values.any() for values in self.store.measured.values()]
        return not measured or any(len(values) == 0 for values in self.store.measured.values()) or any(measured)

    def require_usable(self) -> None:
        """Raises HarnessError where a role has no usable clip at all."""
        for role in ("base", "validation", "novel"):
            if not len(self.role_rows(role)):
                raise HarnessError(
                    f"no clip of the {role} classes could be used.",
                    where=self.store.manifest.get("layout"),
                    remedy="`oneshot data verify` lists what is wrong with the recordings.",
                )
