"""The picture of masked and reconstructed clips: what it shows, that it is always the same, and that it stays small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Pretraining, Reconstruction
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.training import reconstruction
from mmact_oneshot.harness.training.reconstruction import draw_reconstruction
from tests.helpers.pretrainings import Guessing, autoencoding, source_of
from tests.helpers.toys import CPU, toy_task


@pytest.fixture
def task() -> Task:
    return toy_task()


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn."""
    found: list[Any] = []
    write = reconstruction._write

    def noted(figure: Any, out: Path) -> None:
        found.append(figure)
        write(figure, out)

    monkeypatch.setattr(reconstruction, "_write", noted)
    return found


def draw(
    network: Pretraining, task: Task, out: Path, rows: np.ndarray | None = None, seed: int = 0, **more: Any
) -> bytes:
    source = source_of(task, *network.modalities)
    rows = task.role_rows("base") if rows is None else rows
    draw_reconstruction(network, source, rows, out, device=CPU, seed=seed, title=f"mu_mae, seed {seed}", **more)
    return out.read_bytes()


def words(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.texts]


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [("video",), ("sensors",), ("video", "sensors")])
def test_three_clips_with_all_their_modalities(
    task: Task, tmp_path: Path, figures: list[Any], modalities: tuple[str, ...]
) -> None:
    draw(autoencoding(task, *modalities), task, tmp_path / "deep" / "x.png")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.png"]
    with Image.open(tmp_path / "deep" / "x.png") as image:
        assert image.format == "PNG"
        assert image.width > 1000
    (figure,) = figures
    lines = [label for label in (axes.get_ylabel() for axes in figure.axes) if label]
    of_video = ["as recorded", "masked", "reconstructed"] * ("video" in modalities)
    assert lines == of_video + ["acc", "gyro"] * ("sensors" in modalities)
    assert len(figure.axes) == 3 * len(lines)
    shares = {"video": "75 % of the video", "sensors": "50 % of the sensors"}
    masked = ", ".join(shares[modality] for modality in modalities)
    assert words(figure)[0] == f"mu_mae, seed 0: masked and reconstructed ({masked})"
    names = task.store.clips["clip"].iloc[task.role_rows("base")[[0, 24, 48]]]
    assert [word for word in words(figure) if "subject" in word] == list(names), "spread over the rows"


@pytest.mark.slow
def test_the_same_picture_every_time_and_another_for_another_seed(task: Task, tmp_path: Path) -> None:
    network = autoencoding(task, "video", "sensors")
    one, two, other = (draw(network, task, tmp_path / f"{k}.png", seed=seed) for k, seed in enumerate((0, 0, 1)))
    assert one == two != other
    assert network.training, "it goes on as it was"
    assert draw(network.eval(), task, tmp_path / "4.png") == one
    assert not network.training


def test_it_shows_what_the_network_reconstructed_where_it_was_masked(
    task: Task, tmp_path: Path, figures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Guessing("acc")
    noticed: list[Reconstruction] = []
    reconstruct = network.reconstruct

    def noted(*given: Any) -> dict[str, Reconstruction]:
        assert not network.training
        found = reconstruct(*given)
        noticed.append(found["acc"])
        return found

    monkeypatch.setattr(network, "reconstruct", noted)
    draw(network, task, tmp_path / "x.png")
    for clip, axes in enumerate(figures[0].axes):
        original, masked_values, rebuilt = (part[clip].numpy() for part in noticed[0])
        masked = np.isnan(masked_values).any(axis=1)
        shaded = np.zeros(len(masked), bool)
        for patch in axes.patches:
            shaded[int(patch.get_x()) : int(patch.get_x() + patch.get_width())] = True
        np.testing.assert_array_equal(shaded, masked)
        for axis in range(3):
            thick, thin = (line.get_ydata() for line in axes.lines[2 * axis : 2 * axis + 2])
            np.testing.assert_array_equal(thin, original[:, axis])
            np.testing.assert_array_equal(thick[masked], rebuilt[masked, axis])
            line = ~np.isnan(thick)
            np.testing.assert_array_equal(thick[line], rebuilt[line, axis])


def test_masked_pixels_are_grey_and_the_others_as_they_are(task: Task, tmp_path: Path, figures: list[Any]) -> None:
    network = autoencoding(task, "video")
    draw(network, task, tmp_path / "x.png")
    for first in range(0, 9, 3):
        recorded, masked, rebuilt = (
            np.stack([image.get_array() for image in axes.images]) for axes in figures[0].axes[first : first + 3]
        )
        grey = (masked == np.float32(reconstruction._MASKED)).all(axis=-1)
        assert grey.mean() == 0.75
        np.testing.assert_array_equal(masked[~grey], recorded[~grey])
        np.testing.assert_array_equal(rebuilt[~grey], recorded[~grey])
        assert not np.array_equal(rebuilt[grey], recorded[grey])


@pytest.mark.slow
def test_of_neighbouring_clips_the_most_complete_is_drawn_and_what_is_missing_is_said(
    task: Task, tmp_path: Path, figures: list[Any]
) -> None:
    store, rows = task.store, task.role_rows("base")
    network = autoencoding(task, "video", "sensors")
    store.clips.loc[rows[0], "video"] = False
    draw(network, task, tmp_path / "x.png", rows)
    assert not any(axes.texts for axes in figures[0].axes), "there was another one"
    store.clips.loc[rows, "video"] = False
    store.measured["gyro"][:] = False
    draw(network, task, tmp_path / "y.png", rows)
    missing = [axes for axes in figures[1].axes if axes.texts]
    assert len(missing) == 3 * 4
    assert {axes.texts[0].get_text() for axes in missing} == {"not recorded"}
    assert words(figures[1])[0].endswith("masked and reconstructed (50 % of the sensors)")


def test_few_clips_and_a_note(task: Task, tmp_path: Path, figures: list[Any]) -> None:
    draw(autoencoding(task, "video"), task, tmp_path / "x.png", task.role_rows("base")[:1], note="Means are known.")
    assert len(figures[0].axes) == 3
    assert "Means are known." in words(figures[0])


def test_the_picture_is_small_even_of_noise(task: Task, tmp_path: Path) -> None:
    class Noise(Guessing):
        modalities = ("video", "sensors")

        def reconstruct(self, clips: Clips, draws: Tensor) -> dict[str, Reconstruction]:
            random = torch.Generator().manual_seed(0)
            video = Reconstruction(*(torch.rand(3, 4, 3, 128, 128, generator=random) for _ in range(3)))
            return {
                "video": video,
                **{name: super(Noise, self).reconstruct(clips, draws)["acc"] for name in ("acc", "gyro")},
            }

    assert len(draw(Noise(), task, tmp_path / "x.png")) < 400_000
