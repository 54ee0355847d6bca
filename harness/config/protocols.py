"""Protocols: which classes are trained on, and which state of a training is kept and tested."""

from __future__ import annotations

from dataclasses import dataclass

PAPER_SUITE = "test-paper"


@dataclass(frozen=True)
class Protocol:
    """A training protocol.

    Attributes:
        classes: role of the training classes, such as "base" or "base+validation".
        selection: which state is kept, in words.
        validates: whether the state is selected on the validation suite; otherwise the last one is kept.
    """

    name: str
    classes: str
    selection: str
    validates: bool


HEADLINE = Protocol("headline", "base", "best accuracy on the val suite, ties to the earliest", True)
PAPER = Protocol("paper", "base+validation", "last state", False)
PROTOCOLS = {protocol.name: protocol for protocol in (HEADLINE, PAPER)}


def protocol_of(suite: str) -> Protocol:
    """The paper suite is trained for as the released Mu-MAE code trains; all other suites share one training."""
    return PAPER if suite == PAPER_SUITE else HEADLINE
