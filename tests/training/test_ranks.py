"""Several processes that share a training learn what one process alone learns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from mmact_oneshot.harness.runtime import ranks
from tests.helpers.rank_steps import METHODS

ROOT = Path(__file__).parents[2]
ALONE = (sys.executable, "-m")
TWO = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
SAME = 1e-6  # of a method's largest gradient
SHARP = {"can", "mastaf", "mu_mae", "warm start: prototype"}
"""Methods with a softmax over sharpened values, which amplifies rounding: reversed episodes differ as much."""


def done(launcher: tuple[str, ...], module: str, *arguments: object) -> None:
    """Run a module of ours; what it prints comes with the error."""
    command = [*launcher, module, *(str(each) for each in arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def distances(of: dict[str, Tensor], to: dict[str, Tensor]) -> dict[str, float]:
    """Method -> largest difference of a gradient, as a share of its largest gradient."""
    largest: dict[str, float] = defaultdict(float)
    apart: dict[str, float] = defaultdict(float)
    for name, value in of.items():
        if ": gradient of " in name:
            method = name.rpartition(": gradient of ")[0]
            largest[method] = max(largest[method], float(value.abs().max()))
            apart[method] = max(apart[method], float((value - to[name]).abs().max()))
    return {method: apart[method] / largest[method] for method in largest}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    """What a step of every method leaves: by one process, by two, and by one with its episodes in another order."""
    folder = tmp_path_factory.mktemp("ranks")
    done(ALONE, "tests.helpers.rank_steps", folder / "one", folder / "reversed")
    done(TWO, "tests.helpers.rank_steps", folder / "two")
    return {name: load_file(folder / name) for name in ("one", "two", "reversed")}


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(steps: dict[str, dict[str, Tensor]]) -> None:
    one, two = steps["one"], steps["two"]
    assert set(one) == set(two)
    found, rounding = distances(one, two), distances(one, steps["reversed"])
    trained = {*METHODS, "warm start: prototype", "warm start: classification"}
    assert set(found) == trained | {"pre-training on video+sensors", "pre-training on video"}
    assert {name: share for name, share in found.items() if share > SAME and name not in SHARP} == {}
    assert {name: share for name, share in found.items() if share > max(SAME, 5 * rounding[name])} == {}


@pytest.mark.slow
def test_losses_and_statistics_are_those_of_the_whole_step(steps: dict[str, dict[str, Tensor]]) -> None:
    one, two = steps["one"], steps["two"]
    for name, value in one.items():
        if "gradient" not in name:
            torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-6, msg=name)


def test_one_process_is_the_first_and_only_one() -> None:
    assert (ranks.count(), ranks.rank(), ranks.is_first(), ranks.stream()) == (1, 0, True, ())
    assert ranks.share(6, "clips") == slice(0, 6)
    assert ranks.from_first(lambda: 3) == 3
    values, where = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True])
    assert ranks.step_mean(values, where) == 3.5
    assert ranks.step_mean(values, torch.zeros(3, dtype=torch.bool)) == 0


@pytest.mark.slow
def test_trainings_are_the_same_and_go_on_with_another_number_of_processes(tmp_path: Path) -> None:
    module = "tests.helpers.rank_trainings"
    done(ALONE, module, tmp_path / "whole")
    done(ALONE, module, tmp_path / "more", 5)
    done(TWO, module, tmp_path / "more")
    whole, found = load_file(tmp_path / "whole"), load_file(tmp_path / "more")
    assert found.pop("resumed") == 1
    for part, value in found.items():
        if not part.endswith("qkv.bias"):  # no loss depends on a bias of keys: AdamW follows their rounding
            torch.testing.assert_close(value, whole[part], rtol=1e-4, atol=1e-5, msg=part)


@pytest.mark.slow
def test_an_error_of_the_first_process_is_raised_by_all_and_an_uneven_step_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(
        "from mmact_oneshot.harness.runtime import ranks\n"
        "from mmact_oneshot.harness.runtime.errors import DivergedError, HarnessError\n"
        "def diverge():\n"
        "    assert ranks.count() == 1\n"
        "    raise DivergedError('no', remedy='Try again.')\n"
        "with ranks.joined():\n"
        "    try:\n"
        "        ranks.from_first(diverge)\n"
        "    except DivergedError as error:\n"
        "        assert str(error) == 'no Try again.'\n"
        "    else:\n"
        "        raise AssertionError\n"
        "    try:\n"
        "        ranks.share(5, 'end_to_end.episodes_per_step')\n"
        "    except HarnessError as error:\n"
        "        assert '--set end_to_end.episodes_per_step=6' in str(error)\n"
        "    else:\n"
        "        raise AssertionError\n"
        "    assert ranks.from_first(lambda: {'rank': ranks.rank()}) == {'rank': 0}\n"
    )
    done(TWO[:-1], str(file))
