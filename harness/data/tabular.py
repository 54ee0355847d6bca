"""Tables as CSV files for the user."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mmact_oneshot.harness.runtime.cells import cell_text
from mmact_oneshot.harness.runtime.errors import HarnessError


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table with a header and no index; the folder is made. Texts are cells, as
    :func:`mmact_oneshot.harness.runtime.cells.cell_text` makes them.

    Raises:
        HarnessError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = table.select_dtypes(include=["object", "string"])
        table = table.assign(**{str(name): column.map(_cell) for name, column in texts.items()})
        table.to_csv(path, index=False, lineterminator="\n")
    except OSError as error:
        raise HarnessError(
            f"The file cannot be written ({error.strerror}).", where=path, remedy="Name another file."
        ) from error


def _cell(value: object) -> object:
    return cell_text(value) if isinstance(value, str) else value
