"""Methods on vectors and controls: known answers."""

from __future__ import annotations

import torch

from mmact_oneshot.baselines.matching_net import MatchingNet
from mmact_oneshot.baselines.meta_baseline import MetaBaseline
from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.baselines.random import Random
from mmact_oneshot.baselines.sensor_nn import SensorNearestNeighbour
from mmact_oneshot.baselines.video_nn import VideoNearestNeighbour
from mmact_oneshot.harness.api import Clips, Setup
from mmact_oneshot.harness.encoders.build import build_encoder
from tests.helpers.toys import toy_settings
from tests.parity.arrays import FixedFeatures, setup

SENSORS = ("acc", "gyro")
SETUP = Setup(("sensors",), SENSORS, 6, 2, 1)


def clips(values: torch.Tensor, measured: torch.Tensor) -> Clips:
    present = measured.any(dim=1)
    return Clips(
        None,
        dict.fromkeys(SENSORS, values),
        dict.fromkeys(SENSORS, measured),
        dict.fromkeys(("sensors", *SENSORS), present),
    )


def test_protonet_scores_are_scaled_distances_to_class_means() -> None:
    encoder = build_encoder("sensors", toy_settings(), SENSORS, 0)
    method = ProtoNet(Setup(("sensors",), SENSORS, 6, 2, 1, {"sensors": encoder}))
    support = {"vector": torch.tensor([[[[0.0, 0.0], [2.0, 0.0]], [[0.0, 4.0], [0.0, 4.0]]]])}  # two shots
    scores = method.score(support, {"vector": torch.tensor([[[1.0, 0.0], [0.0, 4.0]]])})
    expected = -torch.tensor([[[0.0, 17.0], [17.0, 0.0]]]) / encoder.widths["vector"]
    torch.testing.assert_close(scores, expected)


def test_the_nearest_neighbour_counts_what_both_clips_measured() -> None:
    method = SensorNearestNeighbour(SETUP)
    values = torch.zeros(4, 3, 3)
    values[1] = 1.0
    values[2] = 5.0
    values[0, 2] = 100.0  # not measured in the query, so it does not count
    measured = torch.ones(4, 3, dtype=torch.bool)
    measured[2, 2] = False
    measured[3] = False
    encoded = method.encode(clips(values, measured))
    support = {name: value[:2].view(1, 2, 1, *value.shape[1:]) for name, value in encoded.items()}
    query = {name: value[2:].unsqueeze(0) for name, value in encoded.items()}
    scores = method.score(support, query)
    torch.testing.assert_close(scores[0, 0], -torch.tensor([75.0, 48.0]))
    assert scores[0, 1].tolist() == [-1e9, -1e9], "nothing in common with anything: as far as can be"


def test_the_nearest_of_several_shots_decides() -> None:
    method = SensorNearestNeighbour(SETUP)
    values = torch.tensor([0.0, 9.0, 4.0, 4.0, 1.0]).view(5, 1, 1).expand(5, 3, 3)
    encoded = method.encode(clips(values, torch.ones(5, 3, dtype=torch.bool)))
    support = {name: value[:4].view(1, 2, 2, *value.shape[1:]) for name, value in encoded.items()}
    query = {name: value[4:].unsqueeze(0) for name, value in encoded.items()}
    torch.testing.assert_close(method.score(support, query), -torch.tensor([[[3.0, 27.0]]]))


def test_random_scores_are_uniform_and_change_with_any_bit_of_a_clip() -> None:
    method = Random(SETUP)
    values = torch.randn(600, 8, 3, generator=torch.Generator().manual_seed(0))
    values[1] = values[0]
    values[1, 3, 1] = torch.nextafter(values[0, 3, 1], torch.tensor(9.0))
    words = method.encode(clips(values, torch.ones(600, 8, dtype=torch.bool)))["hash"]
    assert len(words.unique()) == 600
    support = {"hash": words[:100].view(1, 100, 1)}
    scores = method.score(support, {"hash": words[100:].view(1, 500)})
    assert 0 <= float(scores.min()) < 0.001
    assert 0.999 < float(scores.max()) < 1
    assert abs(float(scores.mean()) - 0.5) < 4 * (1 / 12 / scores.numel()) ** 0.5
    columns = scores[0] - scores[0].mean()
    assert abs(float(torch.corrcoef(columns.T).fill_diagonal_(0).abs().max())) < 5 / 500**0.5


def test_a_class_scores_the_logarithm_of_the_attention_that_its_clips_get() -> None:
    method = MatchingNet(setup(FixedFeatures(2), way=2), scale=2.0)
    support = {"vector": torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, -1.0]]]])}
    scores = method.score(support, {"vector": torch.tensor([[[1.0, 0.0]]])})[0, 0]
    attention = torch.tensor([2.0, 0.0, -2.0, 0.0]).softmax(dim=0)
    torch.testing.assert_close(scores, torch.stack([attention[:2].sum(), attention[2:].sum()]).log())
    torch.testing.assert_close(scores.exp().sum(), torch.tensor(1.0))


def test_meta_baseline_scores_are_scaled_cosines_to_class_means() -> None:
    method = MetaBaseline(setup(FixedFeatures(2), way=2), scale=10.0)
    support = {"vector": torch.tensor([[[[3.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [2.0, 0.0]]]])}
    scores = method.score(support, {"vector": torch.tensor([[[0.0, 5.0]]])})
    torch.testing.assert_close(scores, torch.tensor([[[0.0, 10 * 0.5**0.5]]]))


def test_the_video_control_sees_postures_and_neither_motion_nor_exposure() -> None:
    method = VideoNearestNeighbour(Setup(("video",), (), 6, 2, 1))
    up, down = torch.zeros(2, 4, 3, 48, 48).unbind()
    up[:, :, :16], down[:, :, 32:] = 0.5, 0.5
    moving = torch.stack([up[0], down[0], up[0], down[0]])
    video = torch.stack([up, down, up * 0.5 + 0.1, moving, moving.flip(0)])
    encoded = method.encode(Clips(video, {}, {}, {"video": torch.ones(5, dtype=torch.bool)}))
    support = {name: value[:2].view(1, 2, 1, -1) for name, value in encoded.items()}
    query = {name: value[2:].unsqueeze(0) for name, value in encoded.items()}
    scores = method.score(support, query)[0]
    torch.testing.assert_close(scores[0, 0], torch.tensor(0.0), atol=1e-4, rtol=0)
    assert scores[0, 0] > scores[0, 1]
    torch.testing.assert_close(scores[1], scores[2])
    torch.testing.assert_close(scores[1, 0], scores[1, 1])
