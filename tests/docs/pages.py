"""What pages hold: fenced blocks, tables, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block; ``title`` is the file that it shows, where it shows one."""

    language: str
    title: str
    text: str
    place: str


@cache
def tokens(page: Path) -> list[Any]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))


def blocks(page: Path) -> Iterator[Block]:
    for token in tokens(page):
        place = f"{page.name}:{token.map[0] + 1 if token.map else 0}"
        assert token.type != "code_block", f"{place}: indented, so nobody knows the language: use a fence"
        if token.type == "fence":
            known = re.fullmatch(r'(bash|python|toml|text)(?: title="([\w./-]+)")?', token.info)
            assert known, f"{place}: unknown info string {token.info!r}"
            yield Block(known[1], known[2] or "", token.content, place)


def table(page: str, first: str) -> list[list[str]]:
    """Cells of the one table of a page whose first heading is ``first``."""
    found: list[list[list[str]]] = []
    cell = False
    for token in tokens(ROOT / "docs" / page):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            cell = True
        elif token.type == "inline" and cell:
            found[-1][-1].append(token.content)
            cell = False
    (chosen,) = [each for each in found if each[0][0] == first]
    return chosen[1:]


def names(rows: list[list[str]]) -> list[str]:
    """What stands between backticks in the first column."""
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]


def anchors(page: Path) -> set[str]:
    titles = [
        after.content
        for before, after in zip(tokens(page), tokens(page)[1:], strict=False)
        if before.type == "heading_open"
    ]
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}
