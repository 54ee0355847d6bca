"""Folders that cannot be written."""

from __future__ import annotations

import shutil

from tests.faults.file_systems import read_only
from tests.faults.place import Place
from tests.faults.trials import Trials, refusal, success

TOLD = ("written to", "folder")


def read_only_folders(place: Place, count: int) -> Trials:
    empty, partial, done = place.new("read-only empty"), place.new("read-only partial"), place.new("read-only done")
    shutil.copytree(place.undisturbed, partial, dirs_exist_ok=True)
    shutil.copytree(place.undisturbed, done, dirs_exist_ok=True)
    for path in (partial / "records" / "evaluation").glob("*"):
        path.unlink()
    with read_only(empty):
        yield "run into an empty folder", refusal(place.run(empty / "out"), *TOLD)
        yield "prepare", refusal(place.prepare(empty / "store"), *TOLD)
        yield (
            "report into another folder",
            refusal(place.report(place.reported, "--out", empty / "page"), *TOLD),
        )
    for name, out in (("a run that was cut off", partial), ("a complete run", done)):
        with read_only(out):
            yield f"run on {name}", refusal(place.run(out), *TOLD)
    with read_only(done):
        yield "report on a complete run", refusal(place.report(done), *TOLD)
        elsewhere = place.new("read-only elsewhere")
        yield "its report elsewhere", success(place.report(done, "--out", elsewhere))
    out = place.new("read-only inputs")
    with read_only(place.store), read_only(place.recordings):
        yield "recordings and a store that are read-only", success(place.run(out)) + place.lost_in_run(out)
