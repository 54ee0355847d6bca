"""The whole page: blocks go in, the template gives them their form."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from mmact_oneshot.harness.report.charts import palette
from mmact_oneshot.harness.report.charts.figure import Figure, inline
from mmact_oneshot.harness.report.model.blocks import Block, Column, Document, Link
from mmact_oneshot.harness.runtime.names import printable

ENLARGED = 1.2  # a figure that is wide scrolls on its own, so that its text can have the size of the page's
IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
TYPES = {".csv": "text/csv", ".tex": "application/x-tex", ".bib": "application/x-bibtex"}
PACKAGE = "mmact_oneshot.harness.report.writers.html"


def html(document: Document, downloads: Mapping[str, str]) -> str:
    """The report as one page: no request leaves it, and it can be read without scripts.

    Args:
        downloads: files that the page holds, by name.
    """
    text: str = _template().render(
        style=Markup(_style()),
        script=Markup(_file("script.js")),
        policy=_policy(),
        document=document,
        downloads=[Link(name, name, _data_uri(name, content)) for name, content in downloads.items()],
    )
    return printable(text)


def kind(block: Block) -> str:
    """``paragraph``, ``items``, ``table``, ``chart``, ``picture``, ``links`` or ``section``."""
    return type(block).__name__.lower()


def code(text: str) -> Markup:
    """Plain text with what stands between backticks set as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    parts = [Markup("<code>{}</code>").format(each) if odd % 2 else escape(each) for odd, each in enumerate(pieces)]
    return Markup("").join(parts)


def groups(columns: Sequence[Column]) -> list[tuple[str, int, bool]]:
    """(name, columns, whether all of them may be left out) of every group of neighbours."""
    return [(name, len(list(each)), False) for name, each in groupby(columns, key=lambda column: column.group)]


def panels(figure: Figure, identity: str) -> list[tuple[str, Markup]]:
    """(heading, SVG) of every panel."""
    zoom = ENLARGED if figure.wide else 1.0
    return [
        (panel.heading, Markup(inline(panel, f"{identity}-{number}", figure.title, zoom)))
        for number, panel in enumerate(figure.panels)
    ]


def image_uri(content: bytes) -> str:
    """A picture as a URI that holds it; empty where it is neither PNG nor JPEG."""
    for start, media in IMAGES.items():
        if content.startswith(start):
            return f"data:{media};base64,{b64encode(content).decode()}"
    return ""


def _data_uri(name: str, content: str) -> str:
    media = TYPES.get(name[name.rfind(".") :], "text/plain")
    return f"data:{media};charset=utf-8;base64,{b64encode(content.encode()).decode()}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(PACKAGE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": code, "groups": groups, "image": image_uri}
    environment.tests |= {
        name: (lambda block, wanted=name: kind(block) == wanted)
        for name in ("paragraph", "items", "table", "chart", "picture", "links", "section")
    }
    environment.globals |= {"panels": panels}
    return environment.get_template("page.html.j2")


@cache
def _file(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text("utf-8")


@cache
def _style() -> str:
    """Light, dark where the reader's system is, light on paper; then what charts and page have in common."""
    light, dark = palette.variables(palette.LIGHT), palette.variables(palette.DARK)
    return "\n".join(
        [
            f":root{{color-scheme:light dark;{light}}}",
            f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}",
            f"@media print{{:root{{{light}}}}}",
            palette.RULES,
            _file("style.css"),
        ]
    )


@cache
def _policy() -> str:
    """What the page may do: run its own script and style, show pictures that it holds, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(_style())}'; script-src '{_hash(_file('script.js'))}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
