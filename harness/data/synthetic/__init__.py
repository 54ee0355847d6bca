"""Data made by a simulated body, in MMAct's official layout: small, fair, and free to pass on."""

from mmact_oneshot.harness.data.synthetic.plan import plan
from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings
from mmact_oneshot.harness.data.synthetic.writer import Written, synthesize

__all__ = ["SyntheticSettings", "Written", "plan", "synthesize"]
