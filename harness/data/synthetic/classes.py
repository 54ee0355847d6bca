"""Every class that can be generated: MMAct's, and postures."""

from __future__ import annotations

from mmact_oneshot.harness.data.synthetic.actions import ACTIONS, Action
from mmact_oneshot.harness.data.synthetic.postures import POSTURES

CLASSES: dict[str, Action] = ACTIONS | POSTURES
