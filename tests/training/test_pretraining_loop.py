"""The pre-training loop: interrupted or not, the same result; only the given clips; no waiting for the device."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from harness.api import Clips, LossTerms, Pretraining
from harness.cli.watch import TerminalWatcher
from harness.config.budgets import PretrainingBudget
from harness.data.task.clip_source import ClipSource, LoadedClips
from harness.data.task.task import Task
from harness.encoders.build import state_digest
from harness.runtime.errors import DivergedError
from harness.training.optimiser import build_pretraining_optimiser
from harness.training.pretraining_draws import mask_draws, rows_of_step
from harness.training.pretraining_loop import Pretrained, pretrain, progress_note, run_pretraining
from tests.helpers.pretrainings import Guessing, autoencoding, source_of
from tests.helpers.toys import CPU, toy_task

BUDGET = PretrainingBudget(epochs=2, batch=24, learning_rate=0.05, looks=3)  # six steps with 72 clips
BOTH = ("video", "sensors")
Report = Callable[[int, dict[str, float]], None]


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


class Recording(ClipSource):
    """Remembers what it was asked for, and may refuse."""

    def __init__(self, task: Task, modalities: tuple[str, ...] = ("sensors",), fails_at: int = -1) -> None:
        super().__init__(task.store, task.settings.input, modalities)
        self.asked: list[tuple[np.ndarray, tuple[int, int] | None]] = []
        self.fails_at = fails_at

    def load(self, rows: np.ndarray, step: tuple[int, int] | None = None) -> LoadedClips:
        if len(self.asked) == self.fails_at:
            raise OSError("the disk is gone")
        self.asked.append((rows, step))
        return super().load(rows, step)


def run(
    task: Task,
    network: Pretraining,
    state: Path,
    *,
    budget: PretrainingBudget = BUDGET,
    source: ClipSource | None = None,
    rows: np.ndarray | None = None,
    seed: int = 0,
    report: Report = lambda *_: None,
) -> Pretrained:
    return pretrain(
        network,
        budget,
        source or source_of(task, *network.modalities),
        task.role_rows("base") if rows is None else rows,
        device=CPU,
        seed=seed,
        state_file=state,
        report=report,
    )


def interrupt_at(step: int) -> Report:
    def report(done: int, _: dict[str, float]) -> None:
        if done == step:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("make", [lambda _: Guessing(), lambda task: autoencoding(task, *BOTH)], ids=["stub", "mu_mae"])
def test_the_loss_falls(task: Task, tmp_path: Path, make: Callable[[Task], Pretraining]) -> None:
    network = make(task)
    trained = run(task, network, tmp_path / "x.state", budget=BUDGET.model_copy(update={"epochs": 10}))
    first, last = (sum(means.values()) for _, means in (trained.losses[0], trained.losses[-1]))
    assert last < 0.9 * first
    assert network.training
    assert (trained.steps, trained.clips, trained.resumed) == (30, 720, 0)


@pytest.mark.parametrize("step", [1, 2, 3, 5])
@pytest.mark.parametrize("cause", ["report", "source"])
@pytest.mark.parametrize("make", [lambda _: Guessing(), lambda task: autoencoding(task, *BOTH)], ids=["stub", "mu_mae"])
def test_a_pretraining_that_was_cut_off_ends_bit_for_bit_as_if_it_had_not_been(
    task: Task, tmp_path: Path, step: int, cause: str, make: Callable[[Task], Pretraining]
) -> None:
    whole, expected = make(task), make(task)
    uncut = run(task, expected, tmp_path / "whole.state")
    state = tmp_path / "cut.state"
    if cause == "report":
        with pytest.raises(KeyboardInterrupt):
            run(task, whole, state, report=interrupt_at(step))
    else:
        source = Recording(task, whole.modalities, fails_at=step - 1)
        with pytest.raises(OSError, match="the disk is gone"):
            run(task, whole, state, source=source)
    assert state.exists() == (step > 2), "the state of the last look that was completed"
    steps: list[int] = []
    again_network = make(task)
    again = run(task, again_network, state, report=lambda done, _: steps.append(done))
    assert steps == list(range(1 if step <= 2 else 3 if step <= 4 else 5, 7))
    assert state_digest(again_network) == state_digest(expected)
    assert (again.losses, again.steps, again.clips) == (uncut.losses, 6, 6 * 24)
    assert (again.resumed, uncut.resumed) == (int(step > 2), 0)
    finished = make(task)
    assert run(task, finished, state, report=lambda *_: pytest.fail("there is nothing left to train")).steps == 6
    assert state_digest(finished) == state_digest(expected), "the last state is kept until the caller has it"


def test_the_time_before_the_cut_is_added_and_the_time_between_is_not(task: Task, tmp_path: Path) -> None:
    state = tmp_path / "cut.state"
    with pytest.raises(KeyboardInterrupt):
        run(task, Guessing(), state, report=interrupt_at(5))
    content = torch.load(state, weights_only=True)
    assert content["trained"]["seconds"] > content["trained"]["waited"] > 0
    assert content["trained"]["clips"] == 4 * 24
    content["trained"] |= {"seconds": 1000.0, "waited": 500.0}
    torch.save(content, state)
    again = run(task, Guessing(), state)
    assert 1000 < again.seconds < 1100
    assert 500 < again.waited < 600


@pytest.mark.parametrize("change", ["budget", "rows", "seed", "network"])
def test_the_state_of_another_pretraining_is_not_continued(task: Task, tmp_path: Path, change: str) -> None:
    state, rows = tmp_path / "x.state", task.role_rows("base")
    with pytest.raises(KeyboardInterrupt):
        run(task, Guessing(), state, report=interrupt_at(5))
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
    run(task, fresh, tmp_path / "y.state", **other)
    assert run(task, trained, state, **other).resumed == 0
    assert state_digest(trained) == state_digest(fresh)


def test_a_picture_or_not_is_no_other_pretraining(task: Task, tmp_path: Path) -> None:
    state = tmp_path / "x.state"
    with pytest.raises(KeyboardInterrupt):
        run(task, Guessing(), state, report=interrupt_at(5))
    assert run(task, Guessing(), state, budget=BUDGET.model_copy(update={"picture": False})).resumed == 1


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
        run(task, network, tmp_path / "x.state", source=source, **changes)
        return source, network

    (short, of_short), (long, of_long) = course(), course(budget=BUDGET.model_copy(update={"epochs": 5, "looks": 1}))
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
def test_every_clip_is_seen_once_in_every_epoch_and_no_other_clip_ever(
    task: Task, tmp_path: Path, epochs: int, batch: int
) -> None:
    budget, rows, source = (
        BUDGET.model_copy(update={"epochs": epochs, "batch": batch}),
        task.role_rows("base"),
        Recording(task),
    )
    trained = run(task, Guessing(), tmp_path / "x.state", budget=budget, source=source)
    asked = np.concatenate([rows for rows, _ in source.asked])
    assert len(asked) == trained.clips == budget.passes(len(rows)) == trained.steps * batch
    assert set(asked) <= set(rows) < set(range(len(task.store.clips))), (
        "the classes of validation and test are not read"
    )
    seen = Counter(asked.tolist())
    whole, rest = divmod(len(asked), len(rows))
    assert abs(epochs * len(rows) - len(asked)) < batch
    assert sum(count == whole + 1 for count in seen.values()) == rest
    assert all(seen[row] >= whole for row in rows.tolist())
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
    budget = BUDGET.model_copy(update={"epochs": 20, "batch": 72, "warmup": 0.2, "learning_rate": 1e-3, "looks": 20})
    rates: dict[int, float] = {}

    def report(step: int, scalars: dict[str, float]) -> None:
        rates[step - 1] = scalars["learning rate"] / (1e-3 * 72 / 256)

    run(task, Guessing(), tmp_path / "x.state", budget=budget, report=report)
    assert [rates[step] for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert rates[12] == pytest.approx(0.5)
    assert rates[19] == pytest.approx(0.5 * (1 + math.cos(math.pi * 15 / 16)))


def test_looks_report_the_mean_of_each_term_since_the_look_before(task: Task, tmp_path: Path) -> None:
    class Counting(Guessing):
        calls = 0

        def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
            self.calls += 1
            terms = super().forward(clips, draws)
            return {"call": 0 * terms["guess"] + self.calls, "half": 0 * terms["guess"] + self.calls / 2}

    reported: list[tuple[int, dict[str, float]]] = []
    budget = BUDGET.model_copy(update={"epochs": 7, "batch": 72, "looks": 3})
    trained = run(
        task, Counting(), tmp_path / "x.state", budget=budget, report=lambda *given: reported.append(given)
    )  # fmt: skip
    means = [(3, 2.0), (5, 4.5), (7, 6.5)]
    assert trained.losses == [(step, {"loss call": mean, "loss half": mean / 2}) for step, mean in means]
    assert [step for step, _ in reported] == [1, 2, 3, 4, 5, 6, 7]
    told = {step: {k: v for k, v in scalars.items() if k != "learning rate"} for step, scalars in reported if scalars}
    assert told == dict(trained.losses)


def test_a_loss_that_is_not_finite_ends_it_with_a_remedy(task: Task, tmp_path: Path) -> None:
    class Diverging(Guessing):
        def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
            return {"guess": super().forward(clips, draws)["guess"] / 0}

    with pytest.raises(DivergedError, match=r"not finite between steps 0 and 2.*Lower the learning rate"):
        run(task, Diverging(), tmp_path / "x.state")


def test_the_gradient_is_cut_where_the_budget_says_so(task: Task, tmp_path: Path) -> None:
    def state(clip: float) -> str:
        network = Guessing()
        run(task, network, tmp_path / "x.state", budget=BUDGET.model_copy(update={"clip": clip}))
        return state_digest(network)

    assert state(0) == state(1e6) != state(1e-3)


class Reads(TorchDispatchMode):
    """Notes every operation whose result or shape the CPU has to wait for, were the tensors on a GPU."""

    WAITS = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "is_nonzero",
        "equal",
        "bincount",
        "_linalg_check_errors",
    )

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(part is not None and part.dtype == torch.bool for part in args[1])
        if name in self.WAITS or name.startswith(("unique", "_unique")) or by_mask:
            self.found.append(name)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("modalities", [("video",), ("sensors",), BOTH])
def test_the_device_is_waited_for_at_looks_only(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modalities: tuple[str, ...]
) -> None:
    """The fused optimiser keeps its count of steps where the weights are, as it does on a GPU."""
    network = autoencoding(task, *modalities)
    adamw, main = torch.optim.AdamW, threading.get_ident()
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, **given: adamw(groups, **given | {"fused": True}))
    reads = Reads()

    def noting(name: str) -> Callable[..., Any]:
        real = getattr(Tensor, name)

        def noted(tensor: Tensor, *given: Any, **more: Any) -> Any:
            if threading.get_ident() == main:  # the thread that reads ahead has no business with the device
                reads.found.append(name)
            return real(tensor, *given, **more)

        return noted

    for name in ("cpu", "numpy", "tolist", "item", "__float__", "__bool__", "__int__"):
        monkeypatch.setattr(Tensor, name, noting(name))
    waits: dict[int, list[str]] = {}

    def report(step: int, _: dict[str, float]) -> None:
        waits[step] = reads.found.copy()
        reads.found.clear()

    budget = BUDGET.model_copy(update={"clip": 1.0})
    with reads:
        run(task, network, tmp_path / "x.state", budget=budget, report=report)
    reads.found.clear()
    assert all(waits[step] for step in (2, 4, 6)), "else this test sees nothing"
    assert not [wait for step in (1, 3, 5) for wait in waits[step]]


def test_the_note_says_how_fast_it_goes_and_how_long_it_takes() -> None:
    half = Pretrained(seconds=40.0, waited=1.2, clips=8480, steps=50)
    assert progress_note(half, 100) == "212 clips/s, 3 % waiting for data, 40 s left"
    assert progress_note(half, 50) == "212 clips/s, 3 % waiting for data"
    assert progress_note(half, 500) == "212 clips/s, 3 % waiting for data, 6 min left"
    assert progress_note(half, 50050) == "212 clips/s, 3 % waiting for data, 11.1 h left"
    assert progress_note(Pretrained(seconds=10, clips=64, steps=1), 2) == "6.4 clips/s, 0 % waiting for data, 10 s left"
    assert progress_note(Pretrained(seconds=1, clips=12345, steps=1), 1).startswith("12,345 clips/s")
    assert progress_note(Pretrained(), 0) == "0.0 clips/s, 0 % waiting for data"


def test_whoever_watches_sees_every_step_and_reads_a_note_at_every_look(task: Task, tmp_path: Path) -> None:
    class Steps(TerminalWatcher):
        steps: tuple[int, ...] = ()

        def advance(self, done: int, total: int | None = None, note: str = "") -> None:
            self.steps += (done,)
            super().advance(done, total, note)

    output, curves = StringIO(), dict[int, dict[str, float]]()
    watcher = Steps(Console(file=output, width=200))

    def attempt(**changes: Any) -> Pretrained:
        given: dict[str, Any] = {"curves": curves.__setitem__, "source": source_of(task, "sensors")} | changes
        return run_pretraining(
            Guessing(), BUDGET, rows=task.role_rows("base"), device=CPU, seed=0, state_file=tmp_path / "x.state",
            title="pre-training of a stub", watcher=watcher, **given,
        )  # fmt: skip

    trained = attempt()
    assert watcher.steps == (1, 2, 3, 4, 5, 6)
    lines = [line.strip() for line in output.getvalue().splitlines()]
    assert [line.split(",")[0] for line in lines[:3]] == [f"pre-training of a stub: step {step}" for step in (2, 4, 6)]
    assert all(" s left" in line for line in lines[:2])
    assert lines[3].startswith("pre-training of a stub, ")
    assert len(lines) == 4
    assert list(curves) == [2, 4, 6]
    names = {"loss guess", "loss size", "learning rate", "clips per second", "waiting share"}
    assert all(set(scalars) == names for scalars in curves.values())
    assert curves[6]["clips per second"] == pytest.approx(trained.rate)
    assert curves[6]["waiting share"] == pytest.approx(trained.waiting)
    assert {name: curves[6][name] for name in trained.losses[-1][1]} == trained.losses[-1][1]

    (tmp_path / "x.state").unlink()
    with pytest.raises(OSError, match="the disk is gone"):
        attempt(source=Recording(task, fails_at=4))
    assert output.getvalue().splitlines()[-1].strip().startswith("pre-training of a stub, "), "the piece is ended"
    assert attempt().resumed == 1
    assert watcher.steps[-2:] == (5, 6)
