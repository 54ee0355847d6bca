"""The small run whose numbers are golden: recordings, a store, and every method that is built in, on toy clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from mmact_oneshot.harness.config.specs import StoreSpec
from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.prepare import prepare
from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.plugins.kinds import METHOD
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.training.batches import episode_batch
from tests.golden.entry import Entry, of_array, of_bytes, of_json
from tests.helpers.toy_runs import lasting, run, task_with, workspace
from tests.helpers.toys import CPU, toy_settings

NOT_NUMBERS = ("provenance", "version", "bibtex")


def found(folder: Path) -> list[Entry]:
    """Everything that is compared, in the order in which it comes about.

    Args:
        folder: an empty one, for the files of the run.
    """
    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(False)  # its blocks depend on the size of caches
    task = _task()
    entries = [*_of_data(folder), *_of_task(task)]
    run(workspace(folder / "run", task))
    return [*entries, *_of_run(folder / "run")]


def _task() -> Task:
    rows = [
        {"method": name, "modalities": load_method(name).needs.modalities, "training": "frozen"}
        for name in sorted(METHOD.built_in)
    ]
    budget = toy_settings().frozen.model_dump() | {"steps": 3, "validations": 3, "search": []}
    clips = {"frames": 3, "size": 12, "sensor_length": 16, "window": 0.95}  # TRX needs three steps in time
    pretraining = {"epochs": 1, "batch": 16, "checkpoints": 1, "learning_rate": 1e-3}
    return task_with(
        rows, episodes=20, ablation_episodes=4, input=clips, frozen=budget, warm_start=budget, pretraining=pretraining
    )


def _of_data(folder: Path) -> Iterator[Entry]:
    split = load_split("mmact")
    settings = SyntheticSettings(
        classes=split.base[:2], subjects=1, cameras=1, sessions=((1, 1),), desk_sessions=((3, 1),),
        fps=10, width=48, height=36, seconds=(0.5, 0.6),
    )  # fmt: skip
    root = folder / "recordings"
    synthesize(root, settings)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        yield of_bytes("recordings", path.relative_to(root).as_posix(), path.read_bytes())
    spec = StoreSpec(frames=4, short_side=24, encoding="raw", sensor_grid=32)
    store = prepare(index(root), spec, folder / "store", workers=1)
    for row, name in enumerate(store.clips["clip"]):
        yield of_array("store", f"frames of {name}", store.frames(row, np.arange(store.frame_shape(row)[0])))
    for name, values in store.sensors.items():
        yield of_array("store", name, values)


def _of_task(task: Task) -> Iterator[Entry]:
    for name in ("val", "test"):
        draws = task.suite(name).draws
        for part in ("classes", "support", "query", "label"):
            yield of_array("episodes", f"{name}: {part}", getattr(draws, part))
    sampler, rows = task.training_sampler(0, 1, "base")
    batch = episode_batch(sampler, rows, 0, 2, CPU.torch)
    yield of_array("episodes", "of the first training step", batch.rows)
    clips = workspace(Path("nowhere"), task).clips(task.settings, ("video",)).load(batch.rows, (0, 0)).to(CPU.torch)
    assert clips.video is not None
    yield of_array("clips", "video of the first training step", clips.video.numpy())
    sensors = workspace(Path("nowhere"), task).clips(task.settings, ("sensors",)).load(batch.rows, (0, 0))
    for name, values in sensors.sensors.items():
        yield of_array("clips", f"{name} of the first training step", values.numpy())
    for modality in ("video", "sensors"):
        encoder = build_encoder(modality, task.settings, tuple(task.store.sensors), 0)
        yield of_array("initial weights", modality, _joined(encoder.state_dict()))


def _of_run(out: Path) -> Iterator[Entry]:
    contents = {name: _numbers(content) for name, content in lasting(out).items()}
    named = {name: content for name, content in contents.items() if "losses" in content}
    for name, content in named.items():
        if content["losses"]:
            yield of_array("first losses", name, np.array(list(content["losses"][0][1].values())))
    for path in sorted(
        path for kind in ("pretraining", "encoders", "checkpoints") for path in out.glob(f"{kind}/*.s*")
    ):
        yield of_array("trained weights", f"{path.parent.name}/{path.stem}", _joined(load_file(path)))
    for name, content in contents.items():
        if name.startswith("evaluation/"):
            answers = [content["accuracy"], *content["calibration"]["confidence"]]
            yield of_array("scores", name, np.array(answers))
            with np.load(out / "records" / "predictions" / content["predictions"]) as predictions:
                yield of_array("scores", content["predictions"], predictions["predicted"])
    for name, content in contents.items():
        yield of_json("records", name, content)


def _joined(state: dict[str, torch.Tensor]) -> np.ndarray:
    """All values of a state, sorted by name."""
    return np.concatenate([np.zeros(0), *(state[name].double().numpy().ravel() for name in sorted(state))])


def _numbers(content: Any) -> Any:
    """A record without what does not come from the run: versions, hardware, papers."""
    if isinstance(content, dict):
        return {name: _numbers(value) for name, value in content.items() if name not in NOT_NUMBERS}
    return [_numbers(value) for value in content] if isinstance(content, list) else json.loads(json.dumps(content))
