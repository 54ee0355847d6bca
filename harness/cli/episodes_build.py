"""`oneshot episodes build`: write fixed episodes to a file, for tools outside this harness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmact_oneshot.harness.data.episodes.suites import Suite


def command(
    suite: Annotated[str, typer.Argument(help="The suite.")] = "test",
    split: Annotated[str, typer.Option("--split", help="mmact, utd-mhad or generated.")] = "mmact",
    out: Annotated[Path | None, typer.Option("--out", help="A CSV file; by default SPLIT-SUITE.csv.")] = None,
) -> None:
    """Write a suite as CSV: one row per clip of an episode (episode, role, query, label, class, clip).

    Example: oneshot episodes build test --split mmact --out episodes.csv
    """
    import pandas as pd

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.data.episodes.table import episode_table
    from mmact_oneshot.harness.data.tabular import write_csv

    built, impossible = suites_of(split, [suite])
    if impossible:
        from mmact_oneshot.harness.runtime.errors import HarnessError

        raise HarnessError(impossible[0])
    path = out or Path(f"{split}-{suite}.csv")
    table: pd.DataFrame = episode_table(built[suite])
    write_csv(table, path)
    console.print(f"{path}: {built[suite].spec.episodes:,} episodes, digest {built[suite].digest}", soft_wrap=True)


def suites_of(split_name: str, names: list[str] | None) -> tuple[dict[str, Suite], list[str]]:
    """Build suites of a clip list that ships with the package; reasons for those that are impossible."""
    from mmact_oneshot.harness.data.episodes.suites import SUITES, build_suite, shipped_clips, suite_spec
    from mmact_oneshot.harness.runtime.errors import HarnessError

    split, clips = shipped_clips(split_name)
    built, impossible = {}, []
    for name in names or list(SUITES):
        spec = suite_spec(name)
        try:
            built[name] = build_suite(spec, split, clips)
        except HarnessError as error:
            impossible.append(str(error))
    return built, impossible
