"""Checks of how features become scores: sizes, orders, other queries and episodes, chance, memory."""

from __future__ import annotations

import random

import numpy as np
import torch

from mmact_oneshot.harness.api import Features
from mmact_oneshot.harness.benchmark.conformance.bench import EPISODES, MANY, QUERIES, SHOT, WAY, Bench, score
from mmact_oneshot.harness.benchmark.conformance.gap import described, gap_of_scores

POSITION_EPISODES = 400
STANDARD_ERRORS = 5
WAYS, SHOTS = (2, 5, 10), (1, 2, 5)
SIZES = ((SHOT, QUERIES), (1, WAY), (1, QUERIES), (5, 3 * WAY))
"""Shots and queries of an episode."""
MANY_EPISODES = 16


def shape(bench: Bench) -> str:
    """(E, Q, way) float32."""
    method, support, query = bench.task()
    scores = score(method, support, query)
    wanted = (EPISODES, QUERIES, WAY)
    if tuple(scores.shape) != wanted or scores.dtype != torch.float32:
        return f"{scores.dtype} {tuple(scores.shape)}, expected float32 {wanted}"
    return ""


def sizes(bench: Bench) -> str:
    """The same shape for every number of ways, shots and queries, one query included."""
    for way in WAYS:
        method = bench.trained(way=way)
        features = bench.features(method, bench.clips(EPISODES * (way * max(SHOTS) + QUERIES)))
        for shot in SHOTS:
            for queries in (1, QUERIES):
                case = f"{way} ways, {shot} shots, {queries} {'query' if queries == 1 else 'queries'}"
                try:
                    scores = score(method, *bench.episodes(features, shot, queries, way))
                except Exception as error:
                    return f"{case}: {described(error)}"
                if tuple(scores.shape) != (EPISODES, queries, way):
                    return f"{case}: {tuple(scores.shape)}, expected {(EPISODES, queries, way)}"
                if not scores.isfinite().all():
                    return f"{case}: scores are not finite"
    return ""


def finite(bench: Bench) -> str:
    scores = score(*bench.task())
    return "" if scores.isfinite().all() else f"{int((~scores.isfinite()).sum())} of {scores.numel()} scores"


def support_order(bench: Bench) -> str:
    method, support, query = bench.task()
    turned = {name: value.flip(2) for name, value in support.items()}
    return gap_of_scores(score(method, turned, query), score(method, support, query))


def relabelling(bench: Bench) -> str:
    method, support, query = bench.task()
    order = torch.tensor([3, 0, 4, 1, 2])
    return gap_of_scores(
        score(method, {k: v[:, order] for k, v in support.items()}, query), score(method, support, query)[..., order]
    )


def query_order(bench: Bench) -> str:
    method, support, query = bench.task()
    order = torch.tensor([4, 2, 6, 0, 5, 3, 1])
    return gap_of_scores(
        score(method, support, {k: v[:, order] for k, v in query.items()}), score(method, support, query)[:, order]
    )


def inductive(bench: Bench) -> str:
    """Scores of a query are the same when the other queries are not there: in episodes as of the bench, and as of the
    suites."""
    method = bench.trained()
    if method.transductive:
        return "not checked: the method is declared transductive"
    features = bench.features(method, bench.clips(EPISODES * max(WAY * shot + queries for shot, queries in SIZES)))
    for shot, queries in SIZES:
        support, query = bench.episodes(features, shot, queries)
        whole = score(method, support, query)
        for place in range(queries):
            alone = score(method, support, {k: v[:, place : place + 1] for k, v in query.items()})
            if found := gap_of_scores(alone, whole[:, place : place + 1]):
                return f"scores of a query depend on the other queries ({shot} shots, {queries} queries): {found}"
    return ""


def batching(bench: Bench) -> str:
    """Episodes one at a time give what all at once give."""
    method, support, query = bench.task()
    one = [score(method, _episode(support, place), _episode(query, place)) for place in range(EPISODES)]
    return gap_of_scores(torch.cat(one), score(method, support, query))


def determinism(bench: Bench) -> str:
    method, support, query = bench.task()
    first = score(method, support, query)
    return "" if torch.equal(first, score(method, support, query)) else "the same call twice gives different scores"


def memory(bench: Bench) -> str:
    """What was scored before changes nothing: neither episodes nor the features of other clips, few or many."""
    fresh, used = bench.trained(), bench.trained()
    random = torch.Generator().manual_seed(1)
    for seed in (7, 8, 9):
        before = bench.features(used, bench.clips(MANY, seed))
        rows = torch.randint(0, MANY, (MANY_EPISODES, 2 * WAY), generator=random)
        support = {name: value[rows[:, :WAY, None]] for name, value in before.items()}
        score(used, support, {name: value[rows[:, WAY:]] for name, value in before.items()})
    clips = bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    found = [score(each, *bench.episodes(bench.features(each, clips))) for each in (used, fresh)]
    difference = gap_of_scores(*found)
    return f"scores depend on what was scored before: {difference}" if difference else ""


def random_state(bench: Bench) -> str:
    """Encoding and scoring leave the global random numbers of torch, numpy and Python as they were."""
    method, clips = bench.trained(), bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    for draw in (torch.rand, np.random.rand):
        draw(1)  # what is seeded again is then seen
    random.random()
    before = _random_states()
    score(method, *bench.episodes(bench.features(method, clips)))
    after = _random_states()
    for name, state in before.items():
        if state != after[name]:
            return f"the global random numbers of {name} are drawn from, or seeded, in evaluation"
    return ""


def position(bench: Bench) -> str:
    """On clips that mean nothing, "query j is class j" is right by chance only."""
    method = bench.trained()
    pool = bench.features(method, bench.clips(64, seed=3))
    generator = torch.Generator().manual_seed(4)
    rows = torch.rand(POSITION_EPISODES, 64, generator=generator).argsort(dim=1)
    support = {k: v[rows[:, :WAY, None]] for k, v in pool.items()}
    scores = score(method, support, {k: v[rows[:, WAY : 2 * WAY]] for k, v in pool.items()})
    share = float((scores.argmax(dim=2) == torch.arange(WAY)).float().mean())
    chance = 1 / WAY
    error = (chance * (1 - chance) / (POSITION_EPISODES * WAY)) ** 0.5
    if abs(share - chance) <= STANDARD_ERRORS * error:
        return ""
    return f"query j is given to class j in {share:.1%} of cases, chance is {chance:.0%}: the position gives it away"


def _episode(features: Features, place: int) -> Features:
    return {name: value[place : place + 1] for name, value in features.items()}


def _random_states() -> dict[str, object]:
    """Of the global generators, as values that can be compared."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state(legacy=False)),  # noqa: NPY002
        "Python": random.getstate(),
    }
