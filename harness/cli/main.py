"""The command `oneshot`: one verb a file, and the one place where errors meet the user."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from mmact_oneshot.harness.cli import (
    check,
    compare,
    data_index,
    data_prepare,
    data_preview,
    data_synthesize,
    data_verify,
    doctor,
    encoders,
    episodes_audit,
    episodes_build,
    episodes_export,
    episodes_verify,
    layouts,
    merge,
    methods,
    metrics,
    new,
    presets,
    report,
    roofline,
    run,
    schema,
    score,
    suites,
)
from mmact_oneshot.harness.cli.console import errors
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.signals import Terminated, terminable

BAD_INPUT, INTERRUPTED, TERMINATED = 2, 130, 143
ROOM, ELSEWHERE = "free some space and run again", "name a folder that can be written to with --out or --store"
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: ELSEWHERE,
    errno.EACCES: ELSEWHERE,
    errno.EPERM: ELSEWHERE,
    errno.EIO: "the disk could not be read or written: look after it and run again",
    errno.ESTALE: "the folder's server has lost it: mount it again and run again",
}
"""What to do where the machine, not the input, is at fault."""
TRAINING = {"torch", "timm", "kornia", "einops", "safetensors", "tensorboard", "av"}  # the extra `train`
CLUSTER = {"dask", "distributed", "dask_jobqueue"}  # the extra `cluster`

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data = typer.Typer(
    no_args_is_help=True, help="Recordings: what is there, what is wrong with it, prepare it, generate some."
)
episodes = typer.Typer(no_args_is_help=True, help="Fixed episodes: build, verify, audit.")
app.add_typer(data, name="data")
app.add_typer(episodes, name="episodes")

VERBS: tuple[tuple[typer.Typer, str, Callable[..., None]], ...] = (
    (app, "run", run.command),
    (app, "report", report.command),
    (app, "merge", merge.command),
    (app, "compare", compare.command),
    (app, "score", score.command),
    (app, "methods", methods.command),
    (app, "encoders", encoders.command),
    (app, "layouts", layouts.command),
    (app, "metrics", metrics.command),
    (app, "suites", suites.command),
    (app, "presets", presets.command),
    (app, "schema", schema.command),
    (app, "new", new.command),
    (app, "check", check.command),
    (app, "doctor", doctor.command),
    (app, "roofline", roofline.command),
    (data, "synthesize", data_synthesize.command),
    (data, "index", data_index.command),
    (data, "verify", data_verify.command),
    (data, "prepare", data_prepare.command),
    (data, "preview", data_preview.command),
    (episodes, "build", episodes_build.command),
    (episodes, "export", episodes_export.command),
    (episodes, "verify", episodes_verify.command),
    (episodes, "audit", episodes_audit.command),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from mmact_oneshot.harness.runtime.provenance import code_commit, installed

        commit = code_commit()["commit"]
        typer.echo(f"mmact-oneshot {installed('mmact-oneshot')}{f', commit {commit}' if commit else ''}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """One-shot action recognition from video and wearable sensors: fixed episodes and equal conditions."""


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A verb whose errors end in one message: bad input with exit code 2, Ctrl-C with 130, SIGTERM with 143."""

    @wraps(command)
    def run_guarded(*args: Any, **options: Any) -> None:
        try:
            with terminable():
                command(*args, **options)
        except HarnessError as error:
            _fail(str(error), BAD_INPUT)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in {*TRAINING, *CLUSTER}:
                raise
            extra, what = ("train", "what trains") if missing in TRAINING else ("cluster", "the engines")
            _fail(f"{missing} is not installed. Install {what}: pip install 'mmact-oneshot[{extra}]'", BAD_INPUT)
        except Terminated:
            _fail("terminated. What is done is kept; the same command continues.", TERMINATED)
        except KeyboardInterrupt:
            _fail("interrupted. What is done is kept; the same command continues.", INTERRUPTED)
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0)
            if remedy is None:
                raise
            place = error.filename or "no file named"
            _fail(f"{os.strerror(error.errno or 0)} ({place}). What is done is kept; {remedy}.", BAD_INPUT)

    return run_guarded


for group, name, verb in VERBS:
    group.command(name)(guarded(verb))


def main() -> None:
    """Run the command line."""
    app(prog_name="oneshot")


def _fail(message: str, code: int) -> None:
    errors.print("error: ", style="bold red", end="")
    errors.print(message, soft_wrap=True)
    raise typer.Exit(code)
