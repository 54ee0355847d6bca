"""The whole page: what is shown is gathered here, how it looks is the template's."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.report import appendix, factors, further, pretraining
from harness.report.charts import palette, report_figures, suite_figures
from harness.report.charts.figure import Figure, inline
from harness.report.charts.views import View, suites
from harness.report.columns import caption, guard_sentence, key, title
from harness.report.html.front import front
from harness.report.html.prose import Part, code, parts
from harness.report.html.ranking import Ranking, ranking
from harness.report.tables import Report

DRAWN = ("Differences in pairs", "With something removed", "Accuracy by ")  # parts that figures have as tables
ENLARGED = 1.2  # a figure that is wide scrolls on its own, so that its text can have the size of the page's


@dataclass(frozen=True)
class Shown:
    """A figure, its panels drawn."""

    figure: Figure
    identity: str
    panels: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True)
class Panel:
    """What is said of the rows of one view."""

    identity: str
    recipe: str
    failed: tuple[str, ...]
    ranking: Ranking
    captions: tuple[Markup, ...]
    factors: tuple[Part, ...]
    figures: tuple[Shown, ...]
    further: tuple[Part, ...]


def html(report: Report, pictures: Mapping[str, bytes] | None = None) -> str:
    """The report as one page: no request leaves it, and it can be read without scripts.

    Args:
        pictures: of pre-trainings, by the file name that their records give (:func:`read_pictures`).
    """
    found = suites(report)
    text: str = _template().render(
        style=Markup(_style()),
        script=Markup(_file("script.js")),
        policy=_policy(),
        front=front(report),
        suites=[
            {
                "identity": f"suite-{suite.slug}",
                "name": suite.name,
                "title": title(suite.table),
                "panels": [_panel(view) for view in suite.views],
            }
            for suite in found
        ],
        key=[code(sentence) for sentence in key(report)],
        figures=[_shown(figure, "all") for figure in report_figures(report)],
        pretraining=_pretraining(report, pictures or {}),
        published=parts(appendix.published(report), links=True),
        details=[
            *parts(appendix.rows(report)),
            *parts(appendix.training_conditions(report)),
            *parts(appendix.recipes(report)),
            *parts(appendix.learning_rates(report)),
            *parts(appendix.selection(report)),
            *parts(appendix.not_run(report)),
            *parts(appendix.provenance(report)),
        ],
    )
    return text


def _pretraining(report: Report, pictures: Mapping[str, bytes]) -> list[Part]:
    """What the pre-trainings were and what they cost, then their settings and pictures."""
    blocks = pretraining.section(report)
    below = next((place for place, block in enumerate(blocks) if block.startswith("### ")), len(blocks))
    return [*parts(blocks[:below]), *parts(blocks[below:], "###", pictures)]


def _panel(view: View) -> Panel:
    identity = f"suite-{view.slug}"
    return Panel(
        identity=identity,
        recipe=view.recipe,
        failed=tuple(guard_sentence(guard) for guard in view.table.guards if guard.failed),
        ranking=ranking(view.table),
        captions=tuple(map(code, caption(view.table))),
        factors=tuple(parts(factors.section(view.table), "###")),
        figures=tuple(_shown(figure, identity) for figure in suite_figures(view.table)),
        further=tuple(part for part in parts(further.section(view.table), "###") if not part.title.startswith(DRAWN)),
    )


def _shown(figure: Figure, place: str) -> Shown:
    identity = f"{place}-{figure.name}"
    zoom = ENLARGED if figure.wide else 1.0
    drawn = (
        (panel.heading, Markup(inline(panel, f"{identity}-{number}", figure.title, zoom)))
        for number, panel in enumerate(figure.panels)
    )
    return Shown(figure, identity, tuple(drawn))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("harness.report.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


@cache
def _file(name: str) -> str:
    return files("harness.report.html").joinpath(name).read_text("utf-8")


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
