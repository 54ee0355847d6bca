"""Files of generated data: their digests, and the rows of a sensor file."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import numpy as np


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since the first row, and values, of a sensor file in MMAct's format."""
    cells = [line.split(",") for line in path.read_text().splitlines()]
    stamps = [datetime.strptime(cell[0], "%Y%m%d_%H:%M:%S.%f") for cell in cells]
    seconds = np.array([(stamp - stamps[0]).total_seconds() for stamp in stamps])
    return seconds, np.array([[float(value) for value in cell[1:]] for cell in cells])


# --- files -----------------------------------------------------------------------------------------------------
