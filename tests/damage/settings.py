"""Files of settings: splits, presets and options of a cluster, all TOML."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.damage import text_damage
from tests.damage.runner import Reading
from tests.damage.subject import Subject, guarded

SPLIT = """name = "mine"
directional = ""
base = ["walking", "running", "squat", "jumping", "clap"]
validation = ["wave", "throw"]
novel = ["push", "knock"]
"""
PRESET = """extends = "quick"
way = 5
seeds = [0, 1]
suites = ["test"]

[input]
frames = 4
size = 32

[frozen]
steps = 20
validations = 2
learning_rate = 0.001

[studies.mine]
question = "Which method recognises best?"
varies = ["method"]
rows = [
  { method = "protonet", modalities = ["video"], training = "frozen" },
]
"""
OPTIONS = """queue = "gpu"
walltime = "01:00:00"
cores = 4
memory = "16 GB"
"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def read_split(folder: Path) -> Reading:
    return guarded(partial(_split, folder / "mine.toml"))


def _split(path: Path) -> Reading:
    from mmact_oneshot.harness.data.splits import load_split

    split = load_split(str(path))
    return Reading(f"{split.name} {split.digest} {split.directional}")


def read_preset(folder: Path) -> Reading:
    return guarded(partial(_preset, folder / "mine.toml"))


def _preset(path: Path) -> Reading:
    from mmact_oneshot.harness.config.presets import load_settings

    return Reading(load_settings(str(path)).model_dump_json())


def read_cluster(folder: Path) -> Reading:
    return guarded(partial(_cluster, folder / "cluster.toml"))


def _cluster(path: Path) -> Reading:
    from mmact_oneshot.harness.engines.clusters import read_options

    return Reading(repr(read_options(path)))


_toml = partial(Subject, own=(*text_damage.TEXT, *text_damage.TOML), raw=True)
SUBJECTS = (
    _toml("split (TOML)", partial(write, name="mine.toml", text=SPLIT), "mine.toml", read_split),
    _toml("preset (TOML)", partial(write, name="mine.toml", text=PRESET), "mine.toml", read_preset),
    _toml("cluster options (TOML)", partial(write, name="cluster.toml", text=OPTIONS), "cluster.toml", read_cluster),
)
