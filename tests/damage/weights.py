"""Weights: released ones as .safetensors and .pth, those of a run, and the state of a training that was cut off."""

from __future__ import annotations

import io
import pickle
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.damage import array_damage
from tests.damage.bytes_damage import Mutation, Random, deflated_zeros, one_member, zip_of_zeros
from tests.damage.runner import Reading
from tests.damage.subject import Subject, digest_of, guarded

NETWORK = "vit"
SENSORS = ("acc", "gyro")


def make_released(folder: Path, name: str) -> None:
    import torch
    from safetensors.torch import save_file

    from tests.helpers.reference_networks import video_encoder

    state = {key: value.contiguous() for key, value in video_encoder(NETWORK).backbone.released.state_dict().items()}
    if name.endswith(".safetensors"):
        save_file(state, folder / name)
    else:
        torch.save({"epoch": 3, "state_dict": state}, folder / name, _use_new_zipfile_serialization=name != "old.pth")


def read_released(folder: Path, name: str) -> Reading:
    """What an encoder begins from."""
    return guarded(partial(_released, folder / name))


def _released(path: Path) -> Reading:
    from mmact_oneshot.harness.config.specs import VideoEncoderSpec
    from mmact_oneshot.harness.encoders.build import state_digest
    from mmact_oneshot.harness.encoders.video import VideoEncoder
    from tests.helpers.reference_networks import NETWORKS

    known = NETWORKS[NETWORK]
    spec = VideoEncoderSpec(name=known.name, arguments=known.arguments, weights=str(path))
    return Reading(state_digest(VideoEncoder(spec, known.frames, known.size).backbone.released))


def make_trained(folder: Path) -> None:
    """The weights of an encoder, its notes, and a table of its features, as a run keeps them."""
    import torch

    from mmact_oneshot.harness.evaluation.features import FeatureTable
    from mmact_oneshot.harness.training.checkpoint import save_weights
    from mmact_oneshot.harness.training.feature_cache import FeatureCache

    notes = {"validations": [[5, 0.25]], "best_step": 5, "state": "0" * 64}
    save_weights(folder / "encoders/sensors.safetensors", _network().state_dict(), notes)
    (folder / "features").mkdir()
    table = FeatureTable(np.arange(20), 30)
    table.write(0, {"vector": torch.randn(20, 8, generator=torch.Generator().manual_seed(0))})
    FeatureCache(folder / "features", 1 << 20).put("key", table)


def _network() -> Any:
    from mmact_oneshot.harness.encoders.sensors import SensorEncoder
    from mmact_oneshot.harness.runtime.seeding import seeded

    with seeded("damage"):
        return SensorEncoder(SENSORS, 16, 2, 1)


def read_trained(folder: Path) -> Reading:
    return guarded(partial(_trained, folder / "encoders/sensors.safetensors"))


def _trained(path: Path) -> Reading:
    from mmact_oneshot.harness.encoders.build import state_digest
    from mmact_oneshot.harness.training.checkpoint import load_weights

    network = _network()
    notes = load_weights(path, network)
    return Reading(f"{state_digest(network)} {notes}")


def read_features(folder: Path) -> Reading:
    """What is kept, or computed again where nothing can be read."""
    return guarded(partial(_features, folder / "features"))


def _features(folder: Path) -> Reading:
    import torch

    from mmact_oneshot.harness.training.feature_cache import FeatureCache

    table = FeatureCache(folder, 1 << 20).get("key")
    vectors = torch.randn(20, 8, generator=torch.Generator().manual_seed(0)).half().float()
    if table is not None:
        vectors = table.gather(np.arange(20), torch.device("cpu"))["vector"]
    return Reading(digest_of([("vector", vectors.numpy())]))


def make_cut_off(folder: Path) -> None:
    """The state of a training that was cut off after most of its steps."""
    from tests.helpers.pretrainings import Steps

    try:
        _train(folder / "cut.state", Steps(interrupted_after=5))
    except KeyboardInterrupt:
        return
    raise AssertionError("the training was not cut off")


def read_cut_off(folder: Path) -> Reading:
    """The end of the training, which is the same whether it goes on or begins anew."""
    return guarded(partial(_finished, folder / "cut.state"))


def _finished(path: Path) -> Reading:
    from mmact_oneshot.harness.runtime.progress import Silent

    return Reading(_train(path, Silent()))


def _train(path: Path, watcher: Any) -> str:
    from mmact_oneshot.harness.encoders.build import state_digest
    from tests.helpers.toys import toy_task
    from tests.training.test_loop import build, run

    task = toy_task()
    method = build(task)
    trained = run(task, method, path, watcher=watcher)
    return f"{state_digest(method)} {trained.validations} {trained.losses} {trained.best_step}"


# what may happen to archives of torch and to safetensors


def another_network(content: bytes, random: Random) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save(torch.nn.Linear(3, 3).state_dict(), stream)
    return stream.getvalue()


def tensors_in_a_list(content: bytes, random: Random) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save([torch.ones(3), 5], stream)
    return stream.getvalue()


def not_a_number_inside(content: bytes, random: Random) -> bytes:
    import torch

    found = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    values = next(iter(found.values())) if not isinstance(found.get("state_dict"), dict) else found["state_dict"]
    for value in list(values.values())[:3]:
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            value.fill_(float("nan"))
    stream = io.BytesIO()
    torch.save(found, stream)
    return stream.getvalue()


def shapes_without_data(content: bytes, random: Random) -> bytes:
    """A tensor of a terabyte that repeats one number."""
    import torch

    stream = io.BytesIO()
    torch.save({"state_dict": {"blocks.0.attn.qkv.weight": torch.zeros(1).expand(1 << 20, 1 << 18)}}, stream)
    return stream.getvalue()


def archive_that_swells(content: bytes, random: Random) -> bytes:
    """A storage of gigabytes that is deflated, which torch itself never does."""
    return _swollen(array_damage.SWOLLEN)


def archive_that_claims(content: bytes, random: Random) -> bytes:
    """A pickle alone, without the storage that it names."""
    return zip_of_zeros("archive/data.pkl", pickle.dumps({"a": 1}), 1 << 24)


def member_deflated(content: bytes, random: Random) -> bytes:
    """As some tools pack an archive again."""
    if not content.startswith(b"PK"):
        return one_member("a", deflated_zeros(1 << 24), 0, 1 << 24)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    return stream.getvalue()


def _swollen(size: int) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save({"a": torch.zeros(8)}, stream)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(stream.getvalue())) as old, zipfile.ZipFile(packed, "w") as new:
        for member in old.infolist():
            if "/data/" not in member.filename:
                data = old.read(member).replace(b"K\x08", b"J" + (size // 4).to_bytes(4, "little"))
                new.writestr(member.filename, data)
    return _with_member(packed.getvalue(), "archive/data/0", size)


def _with_member(archive: bytes, name: str, size: int) -> bytes:
    """An archive with one more member of so many zeros, which zipfile would take long to deflate."""
    swollen = zip_of_zeros(name, b"", size)
    local = swollen[: swollen.index(b"PK\x01\x02")]
    central = swollen[len(local) : swollen.rindex(b"PK\x05\x06")]
    end = archive.rindex(b"PK\x05\x06")
    first = int.from_bytes(archive[end + 16 : end + 20], "little")
    count = int.from_bytes(archive[end + 10 : end + 12], "little") + 1
    central = central[:42] + first.to_bytes(4, "little") + central[46:]
    listed = archive[first:end] + central
    tail = b"PK\x05\x06" + bytes(4) + count.to_bytes(2, "little") * 2
    tail += len(listed).to_bytes(4, "little") + (first + len(local)).to_bytes(4, "little") + bytes(2)
    return archive[:first] + local + listed + tail


def header_of_terabytes(content: bytes, random: Random) -> bytes:
    """The length of the header of a .safetensors file."""
    return (1 << 42).to_bytes(8, "little") + content[8:]


def offsets_swapped(content: bytes, random: Random) -> bytes:
    return content.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1)


ARCHIVE: tuple[Mutation, ...] = (
    another_network, tensors_in_a_list, shapes_without_data, archive_that_swells, archive_that_claims, member_deflated,
)  # fmt: skip
TENSORS: tuple[Mutation, ...] = (header_of_terabytes, offsets_swapped, another_network)
SUBJECTS = (
    *(
        Subject(
            f"released weights, {kind}",
            partial(make_released, name=name),
            name,
            partial(read_released, name=name),
            own=TENSORS if kind == ".safetensors" else (*ARCHIVE, not_a_number_inside),
            raw=True,
        )
        for kind, name in ((".safetensors", "w.safetensors"), (".pth", "w.pth"), (".pth before 2020", "old.pth"))
    ),
    Subject("weights of a run", make_trained, "encoders/*.safetensors", read_trained, own=TENSORS),
    Subject("feature cache", make_trained, "features/*.safetensors", read_features, own=TENSORS),
    Subject("state of a training cut off", make_cut_off, "cut.state", read_cut_off, own=ARCHIVE),
)  # fmt: skip
