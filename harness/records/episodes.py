"""The episodes of a suite as they are recorded: who is in them, so that statistics need no data set."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Episodes:
    """N episodes over C clips. Identities are codes: places in the names of the suite's record.

    Attributes:
        support: (N, way, shot) clips.
        query: (N, Q) clips.
        label: (N, Q) true positions, int8.
        drawn: (N, way) class of every position.
        performance, subject, scene, camera: (C,) of every clip; performances have numbers only.
        present: (C, S) bool, whether a clip has each of the record's streams; a clip without video is not usable.
    """

    support: np.ndarray
    query: np.ndarray
    label: np.ndarray
    drawn: np.ndarray
    performance: np.ndarray
    subject: np.ndarray
    scene: np.ndarray
    camera: np.ndarray
    present: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Small integers, for a file."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: array if array.dtype in (np.bool_, np.int8) else array.astype(np.min_scalar_type(int(array.max())))
            for name, array in found.items()
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Episodes:
        """Raises KeyError where one is missing."""
        return cls(
            **{
                field.name: arrays[field.name]
                if arrays[field.name].dtype in (np.bool_, np.int8)
                else arrays[field.name].astype(np.int64)
                for field in fields(cls)
            }
        )

    def lacking(self, streams: tuple[int, ...]) -> np.ndarray:
        """(N,) bool: episodes in which some clip has not all of these streams."""
        missing = np.asarray(~self.present[:, list(streams)].all(axis=1))
        found: np.ndarray = missing[self.support].any(axis=(1, 2)) | missing[self.query].any(axis=1)
        return found
