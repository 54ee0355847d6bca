"""The command `oneshot`: one verb a file, and the one place where errors meet the user."""

from __future__ import annotations

import errno
import sys

import typer

from harness.cli import (
    check,
    data_index,
    data_prepare,
    data_preview,
    data_synthesize,
    data_verify,
    doctor,
    episodes_audit,
    episodes_build,
    episodes_verify,
    methods,
    report,
    run,
)
from harness.cli.console import errors
from harness.errors import HarnessError

BAD_INPUT, INTERRUPTED = 2, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One-shot action recognition from video and wearable sensors: fixed episodes and equal conditions.",
)
data = typer.Typer(
    no_args_is_help=True, help="Recordings: what is there, what is wrong with it, prepare it, generate some."
)
episodes = typer.Typer(no_args_is_help=True, help="Fixed episodes: build, verify, audit.")
app.add_typer(data, name="data")
app.add_typer(episodes, name="episodes")

app.command("run")(run.command)
app.command("report")(report.command)
app.command("methods")(methods.command)
app.command("check")(check.command)
app.command("doctor")(doctor.command)
data.command("synthesize")(data_synthesize.command)
data.command("index")(data_index.command)
data.command("verify")(data_verify.command)
data.command("prepare")(data_prepare.command)
data.command("preview")(data_preview.command)
episodes.command("build")(episodes_build.command)
episodes.command("verify")(episodes_verify.command)
episodes.command("audit")(episodes_audit.command)


def main() -> None:
    """Run the command line; bad input is one message and exit code 2, Ctrl-C is exit code 130."""
    try:
        app(standalone_mode=False)
    except HarnessError as error:
        _fail(str(error), BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        _fail("Interrupted. What is done is kept; the same command continues.", INTERRUPTED)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        _fail(
            f"The disk is full ({error.filename or 'no file named'}). What is done is kept; free some space and run again.",
            BAD_INPUT,
        )


def _fail(message: str, code: int) -> None:
    errors.print("[bold red]error:[/bold red] ", end="")
    errors.print(message, markup=False, soft_wrap=True)
    sys.exit(code)
