"""Docstrings name what they refer to as :class:`module.Name`; the site shows the name as code."""

from __future__ import annotations

import re
from typing import Any


def on_page_content(html: str, **_: Any) -> str:
    """A page, once its Markdown is HTML."""
    return re.sub(r":(?:attr|class|func|meth|mod):(<code>)~?(?:mmact_oneshot\.)?", r"\1", html)
