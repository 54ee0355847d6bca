"""Objectives of a warm start: known answers."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mmact_oneshot.harness.api import Targets
from mmact_oneshot.harness.training.objectives import OBJECTIVES, ClassificationObjective, PrototypeObjective
from tests.helpers.head_features import embedded, random
from tests.parity.arrays import FixedFeatures, setup

WIDTH, WAY, SHOT, QUERIES, CLASSES = 6, 3, 2, 4, 5


def episode(method: PrototypeObjective) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], Targets]:
    support, query = random(1, WAY, SHOT, WIDTH), random(1, QUERIES, WIDTH, seed=1)
    of_support, label = torch.tensor([[4, 0, 2]]), torch.tensor([[1, 1, 0, 2]])
    targets = Targets(label, of_support, of_support.gather(1, label))
    return *embedded(method, "vector", support, query), targets


def test_prototype_loss_is_softmax_over_scaled_distances_of_normalised_vectors() -> None:
    method = PrototypeObjective(setup(FixedFeatures(WIDTH), way=WAY, base_classes=CLASSES))
    support, query, targets = episode(method)
    prototypes = support["vector"][0].mean(dim=1)
    distance = (query["vector"][0].unsqueeze(1) - prototypes).square().sum(dim=2)
    expected = F.cross_entropy(-10 * distance, targets.label[0])
    torch.testing.assert_close(method.loss(support, query, targets)["cross_entropy"], expected)


def test_classification_loss_counts_support_and_queries_with_their_own_classes() -> None:
    torch.manual_seed(0)
    method = ClassificationObjective(setup(FixedFeatures(WIDTH), way=WAY, base_classes=CLASSES))
    support, query, targets = episode(method)
    vectors = torch.cat([support["vector"][0].flatten(0, 1), query["vector"][0]])
    wanted = torch.tensor([4, 4, 0, 0, 2, 2, 0, 0, 4, 2])
    expected = F.cross_entropy(10 * vectors @ F.normalize(method.class_vectors, dim=1).T, wanted)
    torch.testing.assert_close(method.loss(support, query, targets)["classification"], expected)


def test_both_are_validated_by_the_same_scores() -> None:
    base = setup(FixedFeatures(WIDTH), way=WAY, base_classes=CLASSES)
    first, second = (objective(base) for objective in OBJECTIVES.values())
    support, query, _ = episode(PrototypeObjective(base))
    torch.testing.assert_close(first.score(support, query), second.score(support, query))
