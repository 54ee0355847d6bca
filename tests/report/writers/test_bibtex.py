"""References: data, methods and the statistics, each once."""

from __future__ import annotations

import re
from pathlib import Path

from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.writers.bibtex import bibtex
from tests.helpers.small_runs import DATA, HALF, add, add_seeds, answers

PAPER = "@article{trx,\n  title = {TRX}\n}\n"


def keys(folder: Path) -> list[str]:
    return re.findall(r"@\w+\{(\w+),", bibtex(read_report(folder)))


def test_every_paper_is_named_once(tmp_path: Path) -> None:
    add_seeds(tmp_path, "trx", HALF, bibtex=PAPER)
    add_seeds(tmp_path, "can", HALF, bibtex="@article{can,\n  title = {CAN}\n}")
    add(tmp_path, "trx again", 0, answers(HALF[0]), bibtex=PAPER)
    add_seeds(tmp_path, "mine", HALF)
    assert keys(tmp_path) == ["chen2015utdmhad", "can", "trx", "wager2014confidence"]
    text = bibtex(read_report(tmp_path))
    assert text.count("{") == text.count("}")


def test_data_without_a_paper_and_both_layouts_of_mmact(tmp_path: Path) -> None:
    for layout in ("mmact", "mmact-flat", "my-layout"):
        add(tmp_path, layout, 0, answers(HALF[0]), data=DATA | {"layout": layout})
    assert keys(tmp_path) == ["kong2019mmact", "wager2014confidence"]
