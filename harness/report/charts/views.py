"""Which rows are shown together: those of one suite and, where it has both, of one recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from harness.report import words
from harness.report.columns import title
from harness.report.tables import Report, Section, SuiteTable

MATCHED, PUBLISHED = "matched", "published"


@dataclass(frozen=True)
class View:
    """Rows of a suite that are shown together.

    Attributes:
        slug: letters, digits and hyphens, unique in the report: for names of files and places in a page.
        recipe: "matched" or "published"; empty where the suite has but one of them.
        table: with the sections of that recipe; the controls belong to both.
    """

    slug: str
    recipe: str
    table: SuiteTable

    @property
    def title(self) -> str:
        return " · ".join(filter(None, [title(self.table), self.recipe and f"{self.recipe} recipe"]))


@dataclass(frozen=True)
class Suite:
    """A suite with its views, at least one. ``name`` is unique in the report."""

    slug: str
    name: str
    table: SuiteTable
    views: tuple[View, ...]


def suites(report: Report) -> list[Suite]:
    """In the order of the report."""
    names = [table.suite for table in report.suites]
    told = [
        table.suite if names.count(table.suite) == 1 else f"{table.suite} {words.short(table.evaluation_digest)}"
        for table in report.suites
    ]
    slugs: list[str] = []
    for name in told:
        found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "suite"
        slugs.append(found if found not in slugs else f"{found}-{len(slugs) + 1}")
    return [
        Suite(slug, name, table, tuple(_views(slug, table)))
        for slug, name, table in zip(slugs, told, report.suites, strict=True)
    ]


def _views(slug: str, table: SuiteTable) -> list[View]:
    kinds = [_recipe(section) for section in table.sections]
    if not {MATCHED, PUBLISHED} <= set(kinds):
        return [View(slug, "", table)]
    return [
        View(f"{slug}-{recipe}", recipe, replace(table, sections=_of(table, kinds, recipe)))
        for recipe in (MATCHED, PUBLISHED)
    ]


def _of(table: SuiteTable, kinds: list[str], recipe: str) -> tuple[Section, ...]:
    return tuple(section for section, kind in zip(table.sections, kinds, strict=True) if kind in (recipe, ""))


def _recipe(section: Section) -> str:
    """Of a section; empty for controls, of which nothing is trained."""
    return PUBLISHED if section.published else MATCHED if section.digest is not None else ""
