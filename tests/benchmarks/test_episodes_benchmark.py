"""All of MMAct's suites drawn from the split and compared with their committed digests."""

from __future__ import annotations

from typing import Any

from mmact_oneshot.harness.data.episodes.suites import SUITES, build_suite, committed_digests, shipped_clips


def digests() -> dict[str, str]:
    split, clips = shipped_clips("mmact")
    return {name: build_suite(spec, split, clips).digest for name, spec in SUITES.items()}


def test_build_and_verify_all_suites_of_mmact(benchmark: Any) -> None:
    assert benchmark.pedantic(digests, rounds=3) == committed_digests()["mmact"]
