"""100 test sets of three worlds; all worlds: `harness/report/statistics/simulation/coverage.py`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from mmact_oneshot.harness.report.statistics.simulation import coverage as simulation
from mmact_oneshot.harness.report.statistics.simulation.worlds import WORLDS, replicate, truth


@pytest.mark.slow
@pytest.mark.parametrize("name", ["UTD B", "UTD C, unequal", "MMAct C"])
def test_coverage(name: str) -> None:
    """A headline that truly covers 92 % has fewer hits once in a thousand; the interval for these clips is far off.

    No number of hits in 100 tells 99 % from more, so that intervals which are too wide are known by their error. The
    standard deviation of 100 means is off by 7 %.
    """
    found = simulation.outcome(WORLDS[name], 100, truth_episodes=100_000)
    headline, clips = found.intervals["headline"], found.intervals["clips"]
    assert binom.ppf(0.001, 100, simulation.LEAST) <= headline.covered
    assert 0.8 < headline.mean_standard_error / found.true_sd < 1.4
    assert clips.covered <= binom.ppf(0.999, 100, 0.55)
    for kind in ("performances", "subjects", "deletion"):
        assert found.intervals[kind].mean_standard_error == pytest.approx(found.true_sd, rel=0.35)


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_truth_is_the_mean_over_test_sets(name: str) -> None:
    """40 test sets against 40,000 fresh episodes: within four standard errors of the two."""
    expected, error = truth(WORLDS[name], 0, 40_000)
    means = [replicate(WORLDS[name], 0, index, 2_000)[0].mean() for index in range(40)]
    assert abs(np.mean(means) - expected) < 4 * (np.var(means, ddof=1) / 40 + error**2) ** 0.5


def test_a_replicate_depends_on_its_number_alone() -> None:
    world = WORLDS["UTD C"]
    once, identities = replicate(world, 0, 7, 50)
    again, _ = replicate(world, 0, 7, 50)
    assert (once == again).all()
    assert (once != replicate(world, 0, 8, 50)[0]).any()
    assert (identities.performances.support[..., 0] != identities.performances.query).all()


def test_unequal_classes_differ() -> None:
    for name, least, most in (("UTD B", 0.0, 0.12), ("UTD B, unequal", 0.25, 1.0)):
        shares = []
        correct, identities = replicate(replace(WORLDS[name]), 0, 0)
        for label in range(7):
            shares.append(correct[identities.classes.query == label].mean())
        assert least <= max(shares) - min(shares) <= most + 0.2 * (most < 1)


@pytest.mark.slow
def test_the_command_writes_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "outcome", partial(simulation.outcome, truth_episodes=20_000))
    out = tmp_path / "coverage.json"
    simulation.main(["--replicates", "12", "--worlds", "UTD B", "--out", str(out)])
    record = json.loads(out.read_text("utf-8"))
    assert record["worlds"][0]["replicates"] == 12
    assert "--worlds 'UTD B'" in record["command"]
    assert capsys.readouterr().out.startswith("UTD B ")
