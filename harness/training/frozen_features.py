"""Features of frozen encoders: every clip is encoded once, for all heads that take them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import reduce

import numpy as np
from torch import nn

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, encode_modality
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.encoders.build import state_digest
from mmact_oneshot.harness.encoders.placement import placed
from mmact_oneshot.harness.evaluation.features import FeatureTable, encode_clips
from mmact_oneshot.harness.training.feature_cache import FeatureCache
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.warm_start import EncoderKey, warm_started_encoder
from mmact_oneshot.harness.training.workspace import Workspace

SEARCH_SEED = 0
"""Learning rates are searched with it, whatever the seeds of a run, so that more seeds change nothing."""
SHARED_KEPT = 8 << 30
"""Bytes of shared encoders' features that are kept beside those of the job in hand; the oldest go first."""
OWN_KEPT = 1 << 30
"""Bytes of methods' own features that are kept; the oldest go first."""


class FrozenFeatures:
    """Computes features of frozen encoders, and keeps those of the seed in hand, as many as ``SHARED_KEPT`` allows.

    Args:
        outputs: encoder id -> outputs that some head of the run takes; clips are encoded once for all of them.
        cache: shared with other processes, by the weights of the encoder; None for none.
    """

    def __init__(
        self, workspace: Workspace, outputs: Mapping[str, frozenset[str]], cache: FeatureCache | None = None
    ) -> None:
        self.workspace, self.outputs, self.cache = workspace, outputs, cache
        self._shared: dict[tuple[object, ...], FeatureTable] = {}
        self._own: dict[tuple[object, ...], FeatureTable] = {}

    def of(self, job: TrainingJob, method: FewShotMethod, role: str, without: str = "") -> FeatureTable:
        """What a job's method with frozen encoders encodes of all usable clips of a role.

        Args:
            without: as for :class:`mmact_oneshot.harness.data.task.clip_source.ClipSource`.
        """
        keys = {name: key for name, key in job.encoder_keys(self.workspace.common).items() if name in method.encoders}
        self._make_room({key.id for key in keys.values()})
        tables = [
            self._of_encoder(
                key, method.needs.outputs, role, without if (without == "video") == (name == "video") else ""
            )
            for name, key in keys.items()
        ]
        if type(method).encode_own is not FewShotMethod.encode_own:
            tables.append(self._of_method(job, method, role, without))
        return reduce(FeatureTable.joined, tables)

    def _make_room(self, in_hand: Collection[str]) -> None:
        """Forget the oldest features of other encoders than those in hand, where there are too many."""
        others = [place for place in self._shared if place[0] not in in_hand]
        held = sum(self._shared[place].bytes for place in others)
        for place in others:
            if held <= SHARED_KEPT:
                return
            held -= self._shared.pop(place).bytes

    def _of_encoder(self, key: EncoderKey, outputs: tuple[str, ...], role: str, without: str) -> FeatureTable:
        workspace = self.workspace
        wanted = tuple(sorted(self.outputs.get(key.id, frozenset()).union(outputs)))
        place = (key.id, key.seed, wanted, role, without)
        if place not in self._shared:
            kept = {key.seed, SEARCH_SEED}
            self._shared = {old: table for old, table in self._shared.items() if old[1] in kept}
            encoder, notes = warm_started_encoder(workspace, key)
            encoder = placed(encoder, workspace.device.torch).eval()
            left_out = f" without {without}" if without else ""
            rows = workspace.task.role_rows(role)
            title = f"features of the {key.title}{left_out}, {role} classes, seed {key.seed}"
            self._shared[place] = self._encoded(
                (*place, notes["state"]),  # trained again, it has the same id and perhaps other weights
                title,
                lambda clips: encode_modality(encoder, clips, wanted),
                workspace.clips(key.settings, (key.modality,), without),
                rows,
                key.settings.batch,
            )
        return self._shared[place].only([*(f"{key.modality}.{name}" for name in outputs), f"{key.modality}.present"])

    def _of_method(self, job: TrainingJob, method: FewShotMethod, role: str, without: str) -> FeatureTable:
        """What a method's own frozen networks make of the clips: once for all learning rates of its row, and for all
        seeds whose networks begin from one pre-training."""
        workspace = self.workspace
        place = (job.row_id, state_digest(nn.ModuleList(method.own_encoders())), role, without)
        if place not in self._own:
            placed(method, workspace.device.torch).eval()
            rows = workspace.task.role_rows(role)
            self._own[place] = self._encoded(
                place,
                f"{job.title}: own features, {role} classes, seed {job.seed}",
                method.encode_own,
                workspace.clips(job.settings, job.row.modalities, without),
                rows,
                job.settings.batch,
            )
            while len(self._own) > 1 and sum(table.bytes for table in self._own.values()) > OWN_KEPT:
                del self._own[next(iter(self._own))]
        return self._own[place]

    def _encoded(
        self,
        place: tuple[object, ...],
        title: str,
        encode: Callable[[Clips], Features],
        source: ClipSource,
        rows: np.ndarray,
        batch: int,
    ) -> FeatureTable:
        """Features out of the cache, or computed and put there, by one process at a time."""
        device, watcher, cache = self.workspace.device, self.workspace.watcher, self.cache
        with nullcontext() if cache is None else cache.alone(place, watcher):
            known = None if cache is None else cache.get(place)
            if known is not None:
                return known
            with self._progress(title, len(rows)) as advance:
                table = encode_clips(encode, source, rows, device, batch, advance, watcher)
            if cache is not None:
                cache.put(place, table)
            return table

    @contextmanager
    def _progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Shows clips as they are encoded."""
        watcher, done = self.workspace.watcher, 0
        watcher.begin(title, total)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            watcher.advance(done)

        try:
            yield advance
        finally:
            watcher.end()
