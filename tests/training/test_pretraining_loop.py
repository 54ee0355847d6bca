"""The pre-training loop: interrupted or not, the same result; only the clips of the training classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, LossTerms, Pretraining
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import state_digest
from mmact_oneshot.harness.runtime.errors import DivergedError
from mmact_oneshot.harness.training.optimiser import build_pretraining_optimiser
from mmact_oneshot.harness.training.pretraining_draws import mask_draws, rows_of_step
from tests.helpers.pretrainings import BOTH, BUDGET, Guessing, Recording, Steps, autoencoding, pretrained
from tests.helpers.toys import CPU, toy_task

MAKE = pytest.mark.parametrize(
    "make", [lambda _: Guessing(), lambda task: autoencoding(task, *BOTH)], ids=["stub", "mu_mae"]
)


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


@pytest.mark.slow
@MAKE
def test_the_loss_falls(task: Task, tmp_path: Path, make: Callable[[Task], Pretraining]) -> None:
    network = make(task)
    trained = pretrained(task, network, tmp_path / "x.state", budget=BUDGET.model_copy(update={"epochs": 10}))
    first, last = (sum(means.values()) for _, means in (trained.losses[0], trained.losses[-1]))
    assert last < 0.9 * first
    assert network.training
    assert (trained.steps, trained.clips, trained.resumed) == (30, 720, 0)


def test_probes_see_the_network_in_hand_and_outlast_a_cut(task: Task, tmp_path: Path) -> None:
    def size(network: Pretraining) -> dict[str, float]:
        return {"video": float(sum(value.square().sum() for value in network.states()["video"].values()))}

    budget = BUDGET.model_copy(update={"probes": 3})
    whole = pretrained(task, autoencoding(task, "video"), tmp_path / "whole.state", budget=budget, probe=size)
    assert [step for step, _ in whole.probes] == [0, 2, 4, 6]
    assert len({shares["video"] for _, shares in whole.probes}) == 4
    cut = tmp_path / "cut.state"
    with pytest.raises(KeyboardInterrupt):
        pretrained(
            task, autoencoding(task, "video"), cut, budget=budget, probe=size, watcher=Steps(interrupted_after=5)
        )
    assert pretrained(task, autoencoding(task, "video"), cut, budget=budget, probe=size).probes == whole.probes
    assert (
        pretrained(task, autoencoding(task, "video"), tmp_path / "none.state", budget=BUDGET, probe=size).probes == []
    )


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 2, 5])
@pytest.mark.parametrize("cause", ["interrupt", "source"])
@MAKE
def test_a_pretraining_that_was_cut_off_ends_bit_for_bit_as_if_it_had_not_been(
    task: Task, tmp_path: Path, step: int, cause: str, make: Callable[[Task], Pretraining]
) -> None:
    cut, expected = make(task), make(task)
    uncut = pretrained(task, expected, tmp_path / "whole.state")
    state = tmp_path / "cut.state"
    if cause == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            pretrained(task, cut, state, watcher=Steps(interrupted_after=step))
    else:
        source = Recording(task, cut.modalities, fails_at=step - 1)
        with pytest.raises(OSError, match="the disk is gone"):
            pretrained(task, cut, state, source=source)
    assert state.exists() == (step > 2), "the state of the last checkpoint that was completed"
    steps = Steps()
    again_network = make(task)
    again = pretrained(task, again_network, state, watcher=steps)
    assert steps.done == list(range(1 if step <= 2 else 5, 7))
    assert state_digest(again_network) == state_digest(expected)
    assert (again.losses, again.steps, again.clips) == (uncut.losses, 6, 6 * 24)
    assert (again.resumed, uncut.resumed) == (int(step > 2), 0)
    finished, nothing = make(task), Steps()
    assert pretrained(task, finished, state, watcher=nothing).steps == 6
    assert not nothing.done, "there is nothing left to train"
    assert state_digest(finished) == state_digest(expected), "the last state is kept until the caller has it"


def test_the_time_before_the_cut_is_added_and_the_time_between_is_not(task: Task, tmp_path: Path) -> None:
    state = tmp_path / "cut.state"
    with pytest.raises(KeyboardInterrupt):
        pretrained(task, Guessing(), state, watcher=Steps(interrupted_after=5))
    content = torch.load(state, weights_only=True)
    assert content["progress"]["seconds"] > content["progress"]["waited"] > 0
    assert content["progress"]["clips"] == 4 * 24
    content["progress"] |= {"seconds": 1000.0, "waited": 500.0}
    torch.save(content, state)
    again = pretrained(task, Guessing(), state)
    assert 1000 < again.seconds < 1100
    assert 500 < again.waited < 600


@pytest.mark.parametrize("change", ["budget", "rows", "seed", "network"])
def test_the_state_of_another_pretraining_is_not_continued(task: Task, tmp_path: Path, change: str) -> None:
    state, rows = tmp_path / "x.state", task.role_rows("base")
    with pytest.raises(KeyboardInterrupt):
        pretrained(task, Guessing(), state, watcher=Steps(interrupted_after=5))
    network = partial(Guessing, dropout=0.2) if change == "network" else Guessing
    others: dict[str, dict[str, Any]] = {
        "budget": {"budget": BUDGET.model_copy(update={"learning_rate": 0.04})},
        "rows": {"rows": rows[::-1].copy()},
        "seed": {"seed": 1},
        "network": {},
    }
    other = others[change]
    assert state.exists()
    fresh, trained = network(), network()
    pretrained(task, fresh, tmp_path / "y.state", **other)
    assert pretrained(task, trained, state, **other).resumed == 0
    assert state_digest(trained) == state_digest(fresh)


def test_a_picture_or_not_is_no_other_pretraining(task: Task, tmp_path: Path) -> None:
    state = tmp_path / "x.state"
    with pytest.raises(KeyboardInterrupt):
        pretrained(task, Guessing(), state, watcher=Steps(interrupted_after=5))
    assert pretrained(task, Guessing(), state, budget=BUDGET.model_copy(update={"picture": False})).resumed == 1


class Watching(Guessing):
    """Remembers the draws of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[Tensor] = []

    def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
        self.drawn.append(draws)
        return super().forward(clips, draws)


def test_clips_and_masks_depend_on_seed_and_step_alone(task: Task, tmp_path: Path) -> None:
    def course(**changes: Any) -> tuple[Recording, Watching]:
        source, network = Recording(task), Watching()
        pretrained(task, network, tmp_path / "x.state", source=source, **changes)
        return source, network

    (short, of_short), (long, of_long) = (
        course(),
        course(budget=BUDGET.model_copy(update={"epochs": 5, "checkpoints": 1})),
    )
    (other, of_other) = course(seed=1)
    assert (len(short.asked), len(long.asked)) == (6, 15)
    for step in range(6):
        assert short.asked[step][1] == long.asked[step][1] == (0, step), "the key of the augmentation"
        np.testing.assert_array_equal(short.asked[step][0], long.asked[step][0])
        assert torch.equal(of_short.drawn[step], of_long.drawn[step])
        assert not np.array_equal(short.asked[step][0], other.asked[step][0])
        assert not torch.equal(of_short.drawn[step], of_other.drawn[step])
    assert (
        len({tuple(rows) for rows, _ in long.asked}) == len({draws.numpy().tobytes() for draws in of_long.drawn}) == 15
    )


@pytest.mark.parametrize(("epochs", "batch"), [(3, 24), (3, 20), (2, 72), (7, 50), (1, 100), (5, 100)])
def test_every_clip_is_read_once_in_every_epoch_and_no_other_clip_ever(
    task: Task, tmp_path: Path, epochs: int, batch: int
) -> None:
    budget, rows, source = (
        BUDGET.model_copy(update={"epochs": epochs, "batch": batch}),
        task.role_rows("base"),
        Recording(task),
    )
    trained = pretrained(task, Guessing(), tmp_path / "x.state", budget=budget, source=source)
    asked = np.concatenate([rows for rows, _ in source.asked])
    assert len(asked) == trained.clips == budget.passes(len(rows)) == trained.steps * batch
    assert set(asked) <= set(rows) < set(range(len(task.store.clips))), (
        "the classes of validation and test are not read"
    )
    counts = Counter(asked.tolist())
    whole, rest = divmod(len(asked), len(rows))
    assert abs(epochs * len(rows) - len(asked)) < batch
    assert sum(count == whole + 1 for count in counts.values()) == rest
    assert all(counts[row] >= whole for row in rows.tolist())
    for epoch in range(whole):
        assert sorted(asked[epoch * len(rows) : (epoch + 1) * len(rows)]) == sorted(rows)


def test_the_draws_are_those_of_a_counter_and_will_stay() -> None:
    assert rows_of_step(np.arange(100, 110), 6, 0, 0).tolist() == [100, 101, 103, 105, 107, 108]
    assert rows_of_step(np.arange(100, 110), 6, 0, 1).tolist() == [104, 106, 109, 102, 105, 104]
    assert mask_draws((1, 4), 0, 0)[0].tolist() == pytest.approx([0.5762467, 0.6363993, 0.9918689, 0.4043157])
    draws = mask_draws((200, 300), 3, 7)
    assert draws.dtype == torch.float32
    assert 0 <= draws.min() < 1e-3 < 0.999 < draws.max() < 1
    assert float(draws.mean()) == pytest.approx(0.5, abs=0.01)
    assert torch.equal(mask_draws((4, 300), 3, 7), draws[:4])


def test_matrices_decay_and_vectors_do_not(task: Task) -> None:
    network = autoencoding(task, *BOTH)
    optimiser, _ = build_pretraining_optimiser(network, BUDGET, 6, CPU)
    decay = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert len(decay) == len(list(network.parameters()))
    without = {name for name, parameter in network.named_parameters() if decay[id(parameter)] == 0}
    assert {decay[id(p)] for n, p in network.named_parameters() if n not in without} == {BUDGET.weight_decay}
    vectors = {n for n, _ in network.named_parameters() if n.endswith(("bias", "mask_token")) or "norm" in n}
    assert without == vectors
    assert all(group["betas"] == BUDGET.betas for group in optimiser.param_groups)


def test_the_rate_warms_up_and_falls_to_zero_and_is_in_proportion_to_the_batch(task: Task, tmp_path: Path) -> None:
    budget = BUDGET.model_copy(
        update={"epochs": 20, "batch": 72, "warmup": 0.2, "learning_rate": 1e-3, "checkpoints": 20}
    )
    rates: dict[int, float] = {}

    def log(step: int, scalars: dict[str, float]) -> None:
        rates[step - 1] = scalars["learning rate"] / (1e-3 * 72 / 256)

    pretrained(task, Guessing(), tmp_path / "x.state", budget=budget, log=log)
    assert [rates[step] for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert rates[12] == pytest.approx(0.5)
    assert rates[19] == pytest.approx(0.5 * (1 + math.cos(math.pi * 15 / 16)))


def test_checkpoints_report_the_mean_of_each_term_since_the_one_before(task: Task, tmp_path: Path) -> None:
    class Counting(Guessing):
        calls = 0

        def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
            self.calls += 1
            terms = super().forward(clips, draws)
            return {"call": 0 * terms["guess"] + self.calls, "half": 0 * terms["guess"] + self.calls / 2}

    reported: list[tuple[int, dict[str, float]]] = []
    budget = BUDGET.model_copy(update={"epochs": 7, "batch": 72, "checkpoints": 3})
    trained = pretrained(
        task, Counting(), tmp_path / "x.state", budget=budget, log=lambda *given: reported.append(given)
    )  # fmt: skip
    means = [(3, 2.0), (5, 4.5), (7, 6.5)]
    assert trained.losses == [(step, {"loss call": mean, "loss half": mean / 2}) for step, mean in means]
    terms = {step: {k: v for k, v in scalars.items() if k.startswith("loss")} for step, scalars in reported}
    assert terms == dict(trained.losses)


def test_a_loss_that_is_not_finite_ends_it_with_a_remedy(task: Task, tmp_path: Path) -> None:
    class Diverging(Guessing):
        def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
            return {"guess": super().forward(clips, draws)["guess"] / 0}

    with pytest.raises(DivergedError, match=r"not finite between steps 0 and 2.*Lower the learning rate"):
        pretrained(task, Diverging(), tmp_path / "x.state")


def test_the_gradient_is_cut_where_the_budget_says_so(task: Task, tmp_path: Path) -> None:
    def state(clip: float) -> str:
        network = Guessing()
        pretrained(task, network, tmp_path / "x.state", budget=BUDGET.model_copy(update={"clip": clip}))
        return state_digest(network)

    assert state(0) == state(1e6) != state(1e-3)
