"""`oneshot check`: does a method, or an encoder, keep the contract?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmact_oneshot.harness.benchmark.conformance.checks import Finding


def command(
    plugin: Annotated[
        str,
        typer.Argument(
            help="A method's name, or a .py file with a method or an encoder; with settings as in NAME:a=1,b=2.",
            show_default=False,
        ),
    ],
) -> None:
    """Run the conformance checks on a method, for every choice of modalities that it can use, or on an encoder.

    Exits with 1 if any fails.

    Examples:

        oneshot check ./my_method.py

        oneshot check trx:width=64
    """
    from mmact_oneshot.harness.benchmark.conformance.checks import check_method, not_checked
    from mmact_oneshot.harness.benchmark.conformance.encoder_checks import check_encoder
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.config.overrides import named_values
    from mmact_oneshot.harness.config.studies import EACH
    from mmact_oneshot.harness.encoders.plugin import modality_of
    from mmact_oneshot.harness.plugins.kinds import ENCODER, METHOD
    from mmact_oneshot.harness.plugins.registry import kind_of, load, plugin_label
    from mmact_oneshot.harness.plugins.settings import check_settings

    name, colon, text = plugin.partition(":")
    kind = kind_of(name, (METHOD, ENCODER))
    found, given = load(kind, name), named_values(text) if colon else {}
    settings = check_settings(found, given, where=plugin)
    if kind is ENCODER:
        modality = modality_of(found, name)
        findings = {modality: check_encoder(found, settings)}
    else:
        usable = [each for each in EACH if set(each) <= set(found.needs.modalities)]
        findings = {" and ".join(each): check_method(found, each, settings) for each in usable}
    failed = sum(_show(f"{plugin_label(name)} on {title}", each) for title, each in findings.items())
    if failed:
        console.print(f"{failed} checks failed.", style="red")
        raise typer.Exit(1)
    unchecked = [title for title, each in findings.items() if not_checked(each)]
    if len(unchecked) == len(findings):
        console.print("Nothing was checked: the method applies to none of the clips of the checks.", style="red")
        raise typer.Exit(1)
    left_out = f"; none could be made on {'; '.join(unchecked)}" if unchecked else ""
    console.print(f"All checks passed{left_out}.")


def _show(title: str, findings: list[Finding]) -> int:
    """A line a check; below it, of a broken one, what must hold and how it is mended. Gives how many are broken."""
    from rich.table import Table
    from rich.text import Text

    from mmact_oneshot.harness.cli.console import console

    table, broken = Table("check", "", "detail", title=title), 0
    for finding in findings:
        broken += not finding.passed
        detail = Text(finding.detail)
        if finding.rule:
            detail.append("\n").append(finding.rule, "bold").append(f" {finding.remedy}")
        table.add_row(finding.name, "passed" if finding.passed else Text("FAILED", "red"), detail)
    console.print(table)
    return broken
