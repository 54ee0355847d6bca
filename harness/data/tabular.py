"""Tables as CSV files for the user."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mmact_oneshot.harness.runtime.errors import HarnessError


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table with a header and no index; the folder is made.

    Raises:
        HarnessError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False, lineterminator="\n")
    except OSError as error:
        raise HarnessError(
            f"The file cannot be written ({error.strerror}).", where=path, remedy="Name another file."
        ) from error
