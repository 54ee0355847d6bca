"""Records edited by somebody who takes their seal off, or who has those of an older version: they have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.records.reading import SEAL


def edit(path: Path, **changes: Any) -> dict[str, Any]:
    """Change fields of a record; returns what it held."""
    content: dict[str, Any] = json.loads(path.read_text())
    content["volatile"].pop(SEAL, None)
    path.write_text(json.dumps(content | changes))
    return content
