"""Every pair of a file and a mutation that once failed, and a fixed sample of the others; `make damage` tries all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.damage.cases import Bench, Case, drawn
from tests.damage.listing import SUBJECTS, preload

ONCE = (
    ("feature cache", "ones_inside"),
    ("places of sensor files", "a_link_to_nothing"),
    ("places of sensor files", "a_pipe"),
    ("preset (TOML)", "latin1"),
    ("record, training (JSON)", "number_changed"),
    ("released weights, .pth", "archive_that_swells"),
    ("scored npz", "another_array"),
    ("scored npz", "npz_that_swells"),
    ("split (TOML)", "toml_deeply_nested"),
    ("state of a training cut off", "bits_flipped"),
    ("store half done", "cut_anywhere"),
    ("store half done", "zipped"),
    ("store, JPEG frames", "a_pointer_to_it"),
    ("store, index", "another_array"),
    ("store, index", "ones_inside"),
    ("store, manifest", "deeply_nested"),
    ("store, manifest", "emptied"),
    ("store, manifest", "number_changed"),
    ("store, raw frames", "a_clip_lost"),
    ("store, raw frames", "all_zeros"),
    ("store, sensor rows", "bit_flipped"),
    ("synthetic.json", "deeply_nested"),
    ("UTD-MHAD depth .mat", "mat_that_swells"),
    ("weights of a run", "bit_flipped"),
)
SLOW = ("video", "places", "frame folder", "synthetic.json", "state of a training")
QUICK = [each for each in SUBJECTS if not each.kind.startswith(SLOW)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    preload()
    return Bench(tmp_path_factory.mktemp("damage"), 60)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mutation"), ONCE, ids=map(": ".join, ONCE))
def test_what_once_failed_is_told(bench: Bench, kind: str, mutation: str) -> None:
    (subject,) = [each for each in SUBJECTS if each.kind == kind]
    outcome, finished = bench.tried(Case(subject, mutation, 1))
    assert not outcome.failed, f"{outcome}\n{finished.output}"


@pytest.mark.slow
def test_a_sample_of_all_damage_is_told(bench: Bench) -> None:
    failed = {str(case): outcome for case in drawn(QUICK, 60, seed=7) if (outcome := bench.tried(case)[0]).failed}
    assert not failed


def test_a_reader_that_fails_is_found(bench: Bench, tmp_path: Path) -> None:
    """The judge itself: a traceback, an error that names nothing, and other values without a word."""
    from tests.damage.runner import Reading, judge, run_limited

    def raises() -> Reading:
        raise KeyError("name")

    def says_nothing() -> Reading:
        return Reading("other")

    def never_ends() -> Reading:
        while True:
            pass

    def takes_all() -> Reading:
        held = [bytes([1]) * (1 << 26) for _ in range(10)]
        return Reading(str(len(held)))

    found = [
        judge(Reading("good"), run_limited(read, tmp_path, seconds, peak), ("file",), raw=False).what
        for read, seconds, peak in (
            (raises, 30, 1 << 32),
            (says_nothing, 30, 1 << 32),
            (never_ends, 0.5, 1 << 32),
            (takes_all, 30, 1 << 29),
        )
    ]
    assert found == ["traceback", "silence", "hang", "memory"]
