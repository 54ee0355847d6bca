"""Data made by a simulated body, in MMAct's official layout: small, fair, and free to pass on."""

from harness.data.synthetic.plan import plan
from harness.data.synthetic.settings import SyntheticSettings
from harness.data.synthetic.writer import Written, synthesize

__all__ = ["SyntheticSettings", "Written", "plan", "synthesize"]
