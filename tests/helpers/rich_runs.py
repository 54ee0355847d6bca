"""A small folder of records that has everything a report can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmact_oneshot.harness.records import RecordFolder, SkippedRecord, StudyRow
from tests.helpers.small_runs import (
    BOTH,
    CLASSES,
    CONDITIONS,
    DATA,
    add,
    add_control,
    add_external,
    add_pretraining,
    add_row,
    add_seeds,
    add_study,
    add_suite,
    answers,
    shares,
    three_seeds,
)

EPISODES = 40
PIXEL = bytes.fromhex("89504e470d0a1a0a") + b"rest of a picture"
PICTURE = "masked clips.png"
MEANS = {"trx": 0.95, "protonet": 0.9, "mu_mae": 0.55, "can": 0.5}
ENCODER = {"state": "e" * 64, "validations": [(10, 0.3), (20, 0.4)], "best_step": 20}


def rich_run(folder: Path, hostile: str = "", data: dict[str, Any] = DATA) -> Path:
    """Two suites, three studies, a control, a gap, rows that are not ranked, predictions made elsewhere, pre-trainings
    with a picture, ablations, operations and calibration; returns ``folder``, with its ``records``.

    Args:
        hostile: stands in every name that comes from a plugin, a data set or a file.
    """
    records = folder / "records"
    for suite in ("test", "test-cross-subject"):
        _add_suite(records, suite, hostile)
    add_study(records, reference={"method": f"mu_mae{hostile}"}, question=f"Which method recognises best?{hostile}")
    for suite in ("test", "test-cross-subject"):
        _methods(records, suite, hostile, data)
    _more_studies(records, hostile, data)
    add_pretraining(records, "mu_mae", 0, picture=PICTURE, data=data)
    (records / "pretraining" / PICTURE).write_bytes(PIXEL)
    return folder


def _add_suite(records: Path, suite: str, hostile: str) -> None:
    names: dict[str, Any] = {
        "classes": tuple(f"{name}{hostile}" for name in CLASSES),
        "cameras": (f"left{hostile}", "right"),
    }
    add_suite(records, EPISODES, suite=suite, **names)


def _methods(records: Path, suite: str, hostile: str, data: dict[str, Any]) -> None:
    common: dict[str, Any] = {"suite": suite, "data": data}
    searched = {"tried": [(0.0003, 0.5), (0.001, 0.625), (0.01, None)], "search": "searched", "learning_rate": 0.001}
    for place, (name, mean) in enumerate(MEANS.items()):
        for modalities in (("video",), ("sensors",), BOTH):
            if name == "can" and modalities == ("sensors",):
                continue
            row = common | {"modalities": modalities, "method_settings": {"note": f"x{hostile}"}}
            row |= {"pretrained": "mu_mae"} if name == "mu_mae" else {}
            row |= searched | {"encoders": dict.fromkeys(modalities, ENCODER)} if name == "trx" else {}
            for seed, accuracies in enumerate(three_seeds(mean, 10 * place, EPISODES)):
                add(records, f"{name}{hostile}", seed, answers(accuracies), evaluation=_parts(accuracies), **row)
    add(records, f"lone{hostile}", 0, answers(shares(0.5, 91, EPISODES)), **common)
    add_seeds(records, "joint", three_seeds(0.5, 92, EPISODES), transductive=True, **common)
    add_control(records, [1.0, 0.0] * (EPISODES // 2), modalities=BOTH, **common)
    add_control(records, shares(0.4, 95, EPISODES), "nearest", **common)
    add_external(records, f"Ours{hostile}", shares(0.7, 96, EPISODES), modalities=BOTH, **common)
    _add_gap(records, f"can{hostile}", f"needs a map{hostile}", {"note": f"x{hostile}"})


def _add_gap(records: Path, method: str, reason: str, settings: dict[str, Any]) -> None:
    """On sensors, of a method that has other rows."""
    common: dict[str, Any] = {"method": method, "modalities": ("sensors",), "training": "frozen"}
    record = SkippedRecord.model_validate(common | {"id": "can-sensors", "volatile": {}, "reason": reason})
    RecordFolder(records).write(record)
    fixed = {"source": "built-in", "encoder": "default", "initialisation": "scratch", "changes": {}}
    fixed |= {"settings": settings, "trainings": ("can-sensors",)}
    add_row(records, "methods", StudyRow.model_validate(common | fixed))


def _more_studies(records: Path, hostile: str, data: dict[str, Any]) -> None:
    add_study(records, "initialisation", reference={"initialisation": "scratch"})
    begun: dict[str, Any] = {"study": "initialisation", "encoder": "transformer", "data": data}
    for place, name in enumerate(("scratch", "prolonged", f"vit{hostile}.pth")):
        weights = (f"vit{hostile}.pth sha256:0",) if place == 2 else ()
        accuracies = three_seeds(0.5 + 0.1 * place, 50 + 10 * place, EPISODES)
        add_seeds(records, "trx", accuracies, initialisation=name, external_data=weights, **begun)
    add_seeds(records, "trx", three_seeds(0.8, 80, EPISODES), pretrained="videomae", **begun)
    for frames in (8, 16):
        conditions = CONDITIONS | {"input": {"frames": frames}}
        accuracies = three_seeds(0.5, frames, EPISODES)
        add_seeds(
            records, f"paper{frames}{hostile}", accuracies, study="published", conditions=conditions, data=data,
            training="end_to_end",
        )  # fmt: skip


def _parts(accuracies: list[float]) -> dict[str, Any]:
    """Parts of an evaluation that agree with predictions of these accuracies."""
    right = int(2 * sum(accuracies))
    sure = {"queries": (0,) * 9 + (2 * EPISODES,), "correct": (0,) * 9 + (right,)}
    whole = float(np.mean(accuracies[:20]))
    return {
        "calibration": sure | {"confidence": (0.0,) * 9 + (1.9 * EPISODES,)},
        "ablations": [{"without": "acc", "episodes": 20, "accuracy": 0.25, "complete": whole}],
        "operations": {"clip": 5_000_000, "episode": 7},
    }
