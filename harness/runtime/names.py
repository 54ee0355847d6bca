"""Names from files and plugins: what of them may stand in text that is shown, and what may be the name of a file."""

from __future__ import annotations

import re

from mmact_oneshot.harness.runtime.errors import HarnessError

# control characters but tab and line break, ends of lines that only some readers know, marks that turn the direction
# of writing, and halves of characters, which no encoding holds
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Text in which nothing steers what shows it: the code of such a sign stands in its place, as ``[U+001B]``."""
    return _STEERING.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def without_steering(text: str) -> str:
    """The same with nothing in its place, which keeps the width of the text."""
    return _STEERING.sub("", text)


def file_name(name: str, what: str) -> str:
    """A name that becomes that of a file, or a part of it, as it is.

    Args:
        what: it names, for the message.

    Raises:
        HarnessError: it could lead into another folder, or no file can be called so.
    """
    if name in {"", ".", ".."} or printable(name) != name or set("/\\\t\n") & set(name):
        raise HarnessError(
            f"{what} {printable(name)!r} cannot be the name of a file.",
            remedy="Use letters, digits, spaces, hyphens and underscores.",
        )
    return name
