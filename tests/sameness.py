"""``python -m tests.sameness``: one small table, run in every way that must give the same records; prints what differs.

Twice; with two threads; killed in a training and gone on; by two workers; from a wheel in place of the checkout; and,
for the figures of docs/robustness.md, with the instructions of other processors. ``--only`` takes names of ways.
Exit code 1 where records differ that must not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import site
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize

ROOT = Path(__file__).parents[1]
PATIENCE = 600  # seconds
SETTINGS = [
    "store.frames=4", "store.short_side=24", "store.sensor_grid=32", "input.frames=4", "input.size=16",
    "input.sensor_length=32", "sensor_encoder.width=8", "video_encoder.arguments={channels=[8,8,8,8], stem_width=8}",
    "warm_start.steps=20", "warm_start.episodes_per_step=2", "warm_start.validations=10", "warm_start.queries=1",
    "frozen.steps=4", "frozen.episodes_per_step=2", "frozen.validations=2", "frozen.queries=1", "frozen.search=[]",
    "episodes=40", "ablation_episodes=10", "seeds=[0]", "transformer.patch=4", "pretraining.epochs=2",
    "pretraining.checkpoints=1", "pretraining.picture=false",
]  # fmt: skip
ROWS = ["mu_mae", "protonet", "trx", "random"]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
HERE = {"PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Way:
    """One way to run the table.

    Attributes:
        same: whether its records must be those of the first run.
        begin: starts the run and waits for its end.
    """

    name: str
    same: bool
    begin: Callable[[Place, Path], None]


@dataclass
class Place:
    """Recordings and a store that all ways share, in a folder."""

    folder: Path
    arguments: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        split = load_split("mmact")
        names = {"base": split.base[:6], "validation": split.validation, "novel": split.novel[:5]}
        settings = SyntheticSettings(
            classes=tuple(sorted(name for each in names.values() for name in each)), subjects=3, cameras=1,
            sessions=((1, 1),), desk_sessions=((3, 1),), fps=10, width=48, height=36, seconds=(0.5, 0.6),
        )  # fmt: skip
        synthesize(self.folder / "data", settings)
        file = self.folder / "split.toml"
        file.write_text("\n".join(f"{role} = {list(each)}" for role, each in names.items()), "utf-8")
        sets = [part for each in SETTINGS for part in ("--set", each)]
        rows = [part for each in ROWS for part in ("--method", each)]
        self.arguments = ["run", "--data", str(self.folder / "data"), "--split", str(file), *rows, *sets]
        self.arguments += ["--store", str(self.folder / "store"), "--device", "cpu", "--modalities", "both"]

    def start(
        self, out: Path, *more: str, environment: dict[str, str], python: Sequence[str] = (sys.executable,)
    ) -> subprocess.Popen[bytes]:
        """``oneshot run`` in a process of its own, in a folder where no checkout is."""
        command = [*python, "-m", "mmact_oneshot", *self.arguments, "--out", str(out), *more]
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
        with out.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=kept | environment, stdout=log, stderr=log)

    def finish(self, process: subprocess.Popen[bytes], out: Path) -> None:
        if process.wait(PATIENCE):
            raise RuntimeError(out.with_suffix(".log").read_text("utf-8"))


def plain(**environment: str) -> Callable[[Place, Path], None]:
    """A run with environment variables, one thread unless they say otherwise."""

    def begin(place: Place, out: Path) -> None:
        place.finish(place.start(out, environment=HERE | ONE_THREAD | environment), out)

    return begin


def killed(place: Place, out: Path) -> None:
    """SIGKILL once a training has kept a state, and the same command again."""
    process = place.start(out, environment=HERE | ONE_THREAD)
    until = time.monotonic() + PATIENCE
    while not list(out.glob("*/*.state")):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"no training was met in its middle: {out.with_suffix('.log').read_text('utf-8')}")
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not list(out.glob("*/*.state")):
        raise RuntimeError("the training was over before it was killed")
    place.finish(place.start(out, environment=HERE | ONE_THREAD), out)


def by_workers(place: Place, out: Path) -> None:
    process = place.start(out, "--engine", "local", "--jobs", "2", environment=HERE | ONE_THREAD)
    place.finish(process, out)


def from_a_wheel(place: Place, out: Path) -> None:
    """The wheel, unpacked as pip does it; of the checkout's environment the packages, and not the checkout."""
    site_folder = place.folder / "site"
    if not site_folder.is_dir():
        code = f"from hatchling.build import build_wheel; build_wheel({str(place.folder)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
        (wheel,) = place.folder.glob("*.whl")
        zipfile.ZipFile(wheel).extractall(site_folder)
    packages = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()])
    environment = {"PYTHONPATH": os.pathsep.join([str(site_folder), *packages])}
    python = (sys.executable, "-S")  # -S: no .pth file, so that the checkout is not importable
    code = "import mmact_oneshot, mmact_oneshot.harness as found; print(mmact_oneshot.__file__, *found.__path__)"
    said = subprocess.run(
        [*python, "-c", code],
        cwd=place.folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    if any(not path.startswith(str(site_folder)) for path in said.stdout.split()):
        raise RuntimeError(f"not from the wheel: {said.stdout}")
    place.finish(place.start(out, environment=environment | ONE_THREAD, python=python), out)


PLAIN_KERNELS = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
AVX2_KERNELS = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
WAYS = (
    Way("first", True, plain()),
    Way("again", True, plain()),
    Way("killed", True, killed),
    Way("workers", True, by_workers),
    Way("wheel", True, from_a_wheel),
    Way("two-threads", False, plain(OMP_NUM_THREADS="2")),
    Way("two-threads-again", False, plain(OMP_NUM_THREADS="2")),
    Way("avx2", False, plain(**AVX2_KERNELS)),
    Way("sse2", False, plain(**PLAIN_KERNELS)),
)
TWINS = {"two-threads-again": "two-threads"}  # whose records must be the other's


@dataclass
class Difference:
    """What two runs differ in, but for what is volatile.

    Attributes:
        records: files that differ.
        answers: predictions that differ, of all.
        accuracy: largest difference of an accuracy of a row.
        loss: largest difference of a loss, as a share of it.
    """

    files: int = 0
    records: int = 0
    changed: int = 0
    answers: int = 0
    accuracy: float = 0.0
    loss: float = 0.0


def read(out: Path) -> dict[str, Any]:
    """Every file of the records but for what is volatile: the date of a test access, the commit of a checkout, and the
    number of threads."""
    found: dict[str, Any] = {}
    for path in sorted((out / "records").rglob("*")):
        name = path.relative_to(out / "records").as_posix()
        if path.suffix == ".json":
            found[name] = _lasting(json.loads(path.read_text("utf-8")))
        elif path.suffix == ".jsonl":
            found[name] = sorted(str(_lasting(json.loads(line))) for line in path.read_text("utf-8").splitlines())
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                found[name] = {each: arrays[each] for each in arrays.files}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def compare(one: dict[str, Any], other: dict[str, Any]) -> Difference:
    """How two runs differ."""
    found = Difference(files=len(one))
    for name in sorted({*one, *other}):
        before, now = one.get(name), other.get(name)
        if name.startswith("predictions/") and before and now:
            found.answers += before["predicted"].size
            found.changed += int((before["predicted"] != now["predicted"]).sum())
        differs = _text(before) != _text(now)
        found.records += differs
        if differs and name.startswith("evaluation/") and before and now:
            found.accuracy = max(found.accuracy, abs(before["accuracy"] - now["accuracy"]))
        if differs and name.startswith("training/") and before and now:
            pairs = zip(_losses(before), _losses(now), strict=True)
            found.loss = max([found.loss, *(abs(a - b) / abs(a) for a, b in pairs if a)])
    return found


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        left_out = ("volatile", "date", "threads", "commit", "changed")
        return {name: _lasting(each) for name, each in value.items() if name not in left_out}
    return [_lasting(each) for each in value] if isinstance(value, list) else value


def _losses(record: dict[str, Any]) -> Iterator[float]:
    return (value for _, terms in record["losses"] for value in terms.values())


def _text(value: Any) -> str:
    if isinstance(value, dict) and any(isinstance(each, np.ndarray) for each in value.values()):
        return str({name: (each.dtype, each.shape, each.tobytes()) for name, each in value.items()})
    return str(value)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sameness", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[each.name for each in WAYS], help="beside the first")
    only = parser.parse_args(arguments).only
    wanted = [each for each in WAYS if only is None or each.name in ("first", *only)]
    failed, found = 0, dict[str, dict[str, Any]]()
    print(f"{'way':18} {'seconds':>7} {'files':>11} {'answers':>11} {'accuracy':>9} {'loss':>8}")  # noqa: T201
    with TemporaryDirectory() as folder:
        place = Place(Path(folder))
        place.prepare()
        for way in wanted:
            started, out = time.monotonic(), place.folder / way.name
            way.begin(place, out)
            found[way.name] = read(out)
            difference = compare(found["first"], found[way.name])
            twin = TWINS.get(way.name, way.name)
            apart = bool(compare(found[twin], found[way.name]).records) if twin in found else False
            wrong = apart or (way.same and difference.records > 0)
            failed += wrong
            print(  # noqa: T201
                f"{way.name:18} {time.monotonic() - started:7.0f} "
                f"{f'{difference.records} of {difference.files}':>11} "
                f"{f'{difference.changed} of {difference.answers}':>11} "
                f"{difference.accuracy:9.3f} {difference.loss:8.1e}{'  MUST BE THE SAME' if wrong else ''}",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
