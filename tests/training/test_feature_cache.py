"""The cache of features on disk: what is put there comes back, and only its own tables make room."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.training.feature_cache import FeatureCache

ROWS = np.array([2, 5, 7])
CPU = torch.device("cpu")


def table(seed: int) -> FeatureTable:
    made = FeatureTable(ROWS, 10)
    made.write(0, {"vector": torch.randn(3, 400, generator=torch.Generator().manual_seed(seed))})
    made.seconds = 12.5
    return made


def size_of_one(folder: Path) -> int:
    """Bytes of a table's file."""
    FeatureCache(folder, 1 << 20).put("any", table(0))
    (path,) = folder.glob("*.safetensors")
    size = path.stat().st_size
    path.unlink()
    return size


def put_in_order(cache: FeatureCache, keys: str) -> None:
    """One table for each letter, the first used least recently."""
    for age, key in enumerate(keys):
        before = set(cache.folder.glob("*.safetensors"))
        cache.put(key, table(age))
        for path in set(cache.folder.glob("*.safetensors")) - before:
            os.utime(path, (age, age))


def held(cache: FeatureCache, keys: str) -> str:
    return "".join(key for key in keys if cache.get(key) is not None)


def test_features_come_back_as_they_were(tmp_path: Path) -> None:
    cache, put = FeatureCache(tmp_path, 1 << 20), table(3)
    cache.put({"encoder": "a", "classes": "base"}, put)
    found = cache.get({"classes": "base", "encoder": "a"})
    assert found is not None
    assert (found.size, found.dtype, found.seconds) == (10, torch.float16, 12.5)
    np.testing.assert_array_equal(found.rows, ROWS)
    torch.testing.assert_close(found.gather(ROWS, CPU), put.gather(ROWS, CPU), rtol=0, atol=0)
    assert cache.get({"encoder": "b", "classes": "base"}) is None


def test_what_was_used_least_recently_makes_room(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, int(2.5 * size_of_one(tmp_path)))
    put_in_order(cache, "ab")
    assert cache.get("a") is not None  # now b is the one
    put_in_order(cache, "c")
    assert held(cache, "abc") == "ac"


def test_the_table_that_was_just_put_stays(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, size_of_one(tmp_path))
    put_in_order(cache, "ab")
    assert held(cache, "ab") == "b"


@pytest.mark.parametrize("limit", [0, 100])
def test_a_table_beyond_the_limit_is_not_kept(tmp_path: Path, limit: int) -> None:
    FeatureCache(tmp_path, limit).put("a", table(0))
    assert not list(tmp_path.iterdir())


def test_what_somebody_else_keeps_there_never_makes_room(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, int(1.5 * size_of_one(tmp_path)))
    others = [tmp_path / name for name in ("model.safetensors", f"{'a' * 23}.safetensors", f"{'g' * 24}.safetensors")]
    for path in others:
        path.write_bytes(b"weights" * 1000)
        os.utime(path, (0, 0))
    put_in_order(cache, "ab")
    assert held(cache, "ab") == "b"
    assert all(path.is_file() for path in others)


def test_a_damaged_table_is_computed_again(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, 1 << 20)
    cache.put("a", table(0))
    (path,) = tmp_path.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert cache.get("a") is None
    cache.put("a", table(0))
    assert cache.get("a") is not None, "a whole one takes its place"
