"""Lists of what there is, in the terminal or as JSON: a name, a sentence, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True)
class Entry:
    """One thing of a list.

    Attributes:
        about: a sentence.
        facts: name -> value, in the order of the list; values that are empty are left out.
        error: why it cannot be used here.
    """

    name: str
    about: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def show_list(entries: Iterable[Entry], json: bool, hints: Sequence[str] = ()) -> None:
    """Print a list.

    Args:
        hints: sentences below it, in the terminal alone.
    """
    if json:
        from json import dumps

        content = [
            {"name": each.name, "about": each.about, **each.facts, **({"error": each.error} if each.error else {})}
            for each in entries
        ]
        typer.echo(dumps(content, indent=1, default=str))
        return
    from rich.padding import Padding
    from rich.text import Text

    from mmact_oneshot.harness.cli.console import console

    for each in entries:
        said = (("cannot be used", "red"), f": {each.error}") if each.error else (each.about,)
        console.print(Text.assemble((each.name, "bold"), "  ", *said))
        for name, value in each.facts.items():
            if value not in ("", None, (), [], {}):
                console.print(Padding(f"{name}: {_text(value)}", (0, 0, 0, 4)))
        console.print()
    for hint in hints:
        console.print(hint)


def plugin_entries(kind_name: str) -> list[Entry]:
    """The plugins of a kind, with their origins."""
    from mmact_oneshot.harness.plugins.kinds import KINDS
    from mmact_oneshot.harness.plugins.registry import listing

    return [
        Entry(each.name, _about(each.found), {"origin": "; ".join(each.origins)}, each.error)
        for each in listing(KINDS[kind_name])
    ]


def first_sentence(documented: object) -> str:
    """The first line of a docstring."""
    import inspect

    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _about(plugin: object) -> str:
    return "" if plugin is None else str(getattr(plugin, "about", "")) or first_sentence(plugin)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each!r}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
