"""Files that would run code: no reader runs any, and each refuses them by name."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from mmact_oneshot.harness.benchmark.joining import joined_preset
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.sensors.mat_file import read_inertial_mat
from mmact_oneshot.harness.data.store import open_store
from mmact_oneshot.harness.data.video.reader import read_clip
from mmact_oneshot.harness.encoders.video import make_backbone
from mmact_oneshot.harness.encoders.weights import read_weights
from mmact_oneshot.harness.evaluation.predictions_file import read_predictions
from mmact_oneshot.harness.records import RecordFolder, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.checkpoint import load_state
from tests.helpers.small_runs import HALF, add_seeds, add_suite, rewrite

ROOT = Path(__file__).parents[2]
FOLDERS = ("harness", "methods", "baselines", "mmact_oneshot")


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """It exists once code of a file has run."""
    path = tmp_path / "ran"
    pickle.loads(pickle.dumps(Trap(path)))
    assert path.is_file(), "the trap works"
    path.unlink()
    return path


def archive(path: Path, trap: Trap, legacy: bool) -> Path:
    content = {"state_dict": {"weight": torch.zeros(2)}, "trap": trap}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def objects(path: Path, trap: Trap, name: str) -> Path:
    """An NPZ file with an array of objects, which is a pickle."""
    np.savez(path, **{name: np.array([trap], dtype=object)})  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
def test_weights(tmp_path: Path, marker: Path, suffix: str, legacy: bool) -> None:
    with pytest.raises(HarnessError, match="not readable as weights"):
        read_weights(archive(tmp_path / f"weights{suffix}", Trap(marker), legacy))
    assert not marker.exists()


def test_a_bare_pickle_is_no_file_of_weights(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(HarnessError):
        read_weights(path)
    assert not marker.exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_training_states(tmp_path: Path, marker: Path, legacy: bool) -> None:
    with pytest.raises(HarnessError, match="not a readable training state"):
        load_state(archive(tmp_path / "row.state", Trap(marker), legacy))
    assert not marker.exists()


def test_predictions_and_episodes(tmp_path: Path, marker: Path) -> None:
    episodes = add_suite(tmp_path, 4)
    (suite,) = RecordFolder(tmp_path).all(SuiteRecord)
    with pytest.raises(HarnessError, match="not an archive of plain arrays"):
        read_predictions(objects(tmp_path / "theirs.npz", Trap(marker), "predicted"), suite, episodes)
    stream = io.BytesIO()
    np.savez(stream, support=np.array([Trap(marker)], dtype=object))
    path = tmp_path / "suite" / suite.episodes
    path.write_bytes(stream.getvalue())
    own = suite.model_copy(update={"episodes_digest": hashlib.sha256(stream.getvalue()).hexdigest()})
    with pytest.raises(HarnessError, match="not an archive of arrays"):
        RecordFolder(tmp_path).read_episodes(own)
    assert not marker.exists()


def test_stores(tmp_path: Path, marker: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 2}))
    objects(tmp_path / "index.npz", Trap(marker), "clips/clip")
    with pytest.raises((HarnessError, ValueError)):
        open_store(tmp_path)
    assert not marker.exists()


def test_matlab_files_hold_numbers_or_nothing(tmp_path: Path) -> None:
    cells = np.empty((2, 6), dtype=object)
    cells[:] = 1.0
    savemat(tmp_path / "inertial.mat", {"d_iner": cells})
    savemat(tmp_path / "depth.mat", {"d_depth": np.full((4, 4, 2), 1.0).astype(object)})
    read = read_inertial_mat(tmp_path / "inertial.mat", SensorSpec("acc", "m/s2", 50.0, "wrist"), slice(0, 3))
    assert [defect.kind for defect in read.defects] == ["sensor-file-unreadable"]
    with pytest.raises(HarnessError, match="holds no numbers"):
        read_clip(tmp_path / "depth.mat", 2, 4)


def test_a_postscript_program_is_no_frame(tmp_path: Path) -> None:
    """Pillow would hand it to Ghostscript, whatever its name."""
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(HarnessError, match="cannot identify image file"):
        read_clip(folder, 1, 8)


@pytest.mark.parametrize("argument", ["checkpoint_path", "pretrained_cfg", "cache_dir", "pretrained"])
def test_a_preset_loads_no_weights_past_the_records(argument: str) -> None:
    with pytest.raises(HarnessError, match=f"{argument} would load weights"):
        make_backbone(VideoEncoderSpec(name="resnet10t", arguments={argument: "weights.pth"}), 4, 32)


def test_records_never_decide_which_code_runs(tmp_path: Path) -> None:
    """A joined run has the settings of its records, and those may name a Python file."""
    override = f"video_encoder.name={tmp_path / 'theirs.py'}"
    add_seeds(tmp_path / "records", "half", HALF)
    rewrite(tmp_path / "records", TrainingRecord, settings={"overrides": [override]})
    with pytest.raises(HarnessError, match="made with Python code"):
        joined_preset(tmp_path, None)
    assert joined_preset(tmp_path, None, [override]) == ("quick", (override,))


def test_studies_of_a_preset_name_files_of_their_own(tmp_path: Path) -> None:
    preset = tmp_path / "theirs.toml"
    preset.write_text('extends = "quick"\n[studies."../../x"]\nquestion = "?"\nvaries = ["method"]\nrows = []\n')
    with pytest.raises(HarnessError, match="cannot be the name of a file"):
        load_settings(str(preset))


@pytest.mark.parametrize("identity", ["../x", "/x", "..", "a/b", "a\\b", "a\0b"])
def test_ids_leave_no_folder(tmp_path: Path, identity: str) -> None:
    with pytest.raises(HarnessError, match="cannot be the name of a file"):
        RecordFolder(tmp_path).has(TrainingRecord, identity)


def calls(path: Path) -> list[tuple[str, set[str]]]:
    """Every call of a file by its dotted name, with its named arguments."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), {str(each.arg) for each in node.keywords}) for node in nodes]


def test_no_reader_is_added_that_would_run_code() -> None:
    wanted = {"torch.load": "weights_only", "np.load": "allow_pickle", "Image.open": "formats"}
    never = {"eval", "exec", "os.system", "pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load"}
    seen, wrong = set(), []
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for name, given in calls(path):
            seen.add(name)
            own = path.name == "reconstruction.py"  # opens a picture that it has just drawn
            if name in never or "shell" in given or (name in wanted and wanted[name] not in given and not own):
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []
    assert set(wanted) <= seen


def test_archives_of_the_tests_are_archives(tmp_path: Path, marker: Path) -> None:
    assert zipfile.is_zipfile(archive(tmp_path / "a.pt", Trap(marker), legacy=False))
    assert not zipfile.is_zipfile(archive(tmp_path / "b.pt", Trap(marker), legacy=True))
