"""Copies the records of a run written as schema 4, as schema 6: python from_schema_4.py RUN OUT.

The runs behind `records/` were made with the code of the commit that froze the settings, which wrote schema 4. Schema
6 adds whether a method ran unchecked and what the videos show, names an evaluation by its episodes too, and lists only
the encoders that a row uses. `oneshot merge` put the copies together.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any


def converted(record: dict[str, Any], trained: set[str]) -> dict[str, Any]:
    """The record as schema 6, with the name that the preset's file has now.

    Args:
        trained: ids of the run's training records.
    """
    record["schema_version"] = 6
    if record["kind"] == "evaluation":
        record["id"] += f"-{record['evaluation_digest'][:8]}"
        record["predictions"] = f"{record['id']}.npz"
    if record["kind"] == "training":
        record["unchecked"] = False  # all methods are of this repository, at commits whose tests check them
        if record["method"] == "mu_mae" and record["method_settings"]["sensor_vectors"] == "cnn":
            for part in (record["encoders"], record["volatile"]["encoders"]):
                part.pop("sensors", None)  # it had networks of its own for sensors, and did not use the shared encoder
    if record["kind"] == "study" and record["id"] == "methods":
        record["question"] = "Which method recognises best, trained end to end with one schedule?"
    if record["kind"] in ("training", "pretraining"):
        record["data"]["streams"] = ["depth"]
    for part in (record, record.get("settings")):
        if isinstance(part, dict) and part.get("preset") == "preset":
            part["preset"] = "utd-mhad"
    if record["kind"] == "study" and record["id"] == "frozen":
        for row in record["rows"]:  # Mu-MAE with 80 epochs of pre-training was planned, and given up before it was made
            if row["method"] == "mu_mae":
                row["trainings"] = [name for name in row["trainings"] if name in trained]
    return record


def main(run: Path, out: Path) -> None:
    """Convert the records of a run; all other files of its records are copied."""
    trained = {path.stem for path in (run / "records" / "training").glob("*.json")}
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(run / "records", out / "records", ignore=shutil.ignore_patterns("*.lock*"))
    for path in sorted((out / "records").rglob("*.json")):
        content = converted(json.loads(path.read_text("utf-8")), trained)
        if content["kind"] == "evaluation":
            predictions = out / "records" / "predictions"
            (predictions / f"{path.stem}.npz").rename(predictions / content["predictions"])
        path.unlink()
        path.with_name(f"{content['id']}.json").write_text(
            json.dumps(content, indent=1, sort_keys=True) + "\n", "utf-8"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
