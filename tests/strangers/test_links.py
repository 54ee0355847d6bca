"""Links in a folder from elsewhere: nothing is removed or written beyond them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.run_folders import files_of
from tests.helpers.scored_runs import oneshot, refused, said
from tests.helpers.small_runs import BETTER, add_seeds


@pytest.fixture
def run(tmp_path: Path) -> Path:
    add_seeds(tmp_path / "run" / "records", "good", BETTER)
    return tmp_path / "run"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of somebody who looks at the run."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("holiday.png", "drawing.svg", "report.md"):
        (folder / name).write_text("mine")
    return folder


def test_figures_of_before_are_not_removed_from_where_a_link_leads(run: Path, mine: Path, tmp_path: Path) -> None:
    (run / "figures").symlink_to(mine)
    before = files_of(mine)
    assert "figures: a link" in refused(oneshot("report", run))
    assert files_of(mine) == before
    said(oneshot("report", run, "--out", tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / "figures" / "matrix.svg").is_file()


def test_a_report_takes_the_place_of_a_link_and_not_of_the_file_it_leads_to(run: Path, mine: Path) -> None:
    (run / "report.md").symlink_to(mine / "report.md")
    before = files_of(mine)
    said(oneshot("report", run))
    assert files_of(mine) == before
    assert not (run / "report.md").is_symlink()


@pytest.mark.parametrize("name", ["records", "records.tmp"])
def test_merged_records_do_not_take_the_place_of_what_a_link_leads_to(
    run: Path, mine: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(mine)
    before = files_of(mine)
    assert f"{name}: a link" in refused(oneshot("merge", run, "--out", out))
    assert files_of(mine) == before
