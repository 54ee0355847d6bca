"""Leases whose holders are gone, and those whose holders live: what a process that wants them does and says."""

from __future__ import annotations

import os
import re
import time

from mmact_oneshot.harness.runtime import lease as leases
from tests.faults.place import Place, changed
from tests.faults.processes import Process, start_function
from tests.faults.trials import Trials, cut_off, success
from tests.helpers.run_folders import lasting_files

DURATION = 4.0  # seconds, in place of a minute


def stale_leases(place: Place, count: int) -> Trials:
    """A run is killed while it holds a lease; the marker that it leaves is made that of another holder."""
    for name, change, waits in (
        ("a holder that was killed here", lambda text, pid: text, False),
        ("a holder on a machine that died", lambda text, pid: _with_host(text, "elsewhere.example"), True),
        ("a process number that another program has now", lambda text, pid: _with_pid(text, pid), False),
        ("a lease that was cut off while it was written", lambda text, pid: text[:9], True),
    ):
        out = place.new(f"lease {name}")
        process = place.run(out, patch=_short)
        process.until(lambda: any(out.glob("checkpoints/*.state")))  # noqa: B023
        process.kill()
        repeated = cut_off(out)
        place.strewn()
        locks = list(out.glob("locks/*.lock"))
        wrong = [] if locks else ["no lease was left by the process that was killed"]
        for lock in locks:
            lock.write_text(change(lock.read_text(), os.getpid()))
        began = time.monotonic()
        process = place.run(out, patch=_short)
        wrong += success(process) + place.lost_in_run(out, repeated)
        took = time.monotonic() - began
        if waits and "elsewhere" in name + "".join(process.printed):
            wrong += _said(process, "elsewhere.example")
        if not waits and took > place.seconds["run"] + DURATION:
            wrong.append(f"it waited: {took:.1f} s")
        yield name, wrong


def forced(place: Place, count: int) -> Trials:
    """``--force`` beside a run that is in the middle of a step: it waits for it, and both end well."""
    out = place.new("forced")
    first = place.run(out)
    first.until(lambda: any(out.glob("checkpoints/*.state")))
    first.stop()  # in the middle of a step, for as long as the other needs to come to it
    try:
        second = place.run(out, "--force")
        second.until(lambda: "waiting:" in second.printed)
    finally:
        first.go_on()
    wrong = success(first) + success(second)
    if not re.search(r"waiting: .* is being done by process", second.printed):
        wrong.append(f"it did not wait: {second.printed[-300:]!r}")
    left = [str(path.relative_to(out)) for path in out.rglob("*") if path.suffix in {".tmp", ".lock", ".state"}]
    whole, found = lasting_files(place.undisturbed), lasting_files(out)
    wrong += changed(whole, found)
    lacking = sorted(set(whole) - set(found))
    yield (
        "a run beside one that is forced",
        wrong + [f"{each} was left" for each in left] + [f"{each} is missing" for each in lacking],
    )


def held(place: Place, count: int) -> Trials:
    """A holder that lives is waited for, however long; whoever waits is told who, where, since when and what to do."""
    out = place.new("held")
    path = out / "locks" / "records.lock"

    def hold() -> None:
        _short()
        with leases.lease(path, "something"):
            time.sleep(2.5 * DURATION)

    holder = start_function(hold, out / "holder.log", place.temporary)
    holder.until(path.exists)
    process = place.run(out, patch=_short)
    wrong = success(process)
    if not holder.over():
        wrong.append("a lease was taken from a process that lives")
    wrong += _said(process, f"process {holder.pid} on", "(this machine)", "sign of life", "records.lock")
    wrong += success(holder)
    (out / "holder.log").unlink()
    yield "a holder that lives", wrong + place.lost_in_run(out)


def _said(process: Process, *phrases: str) -> list[str]:
    said = " ".join(process.printed.split())
    return [f"{phrase!r} is not said: {said[-300:]!r}" for phrase in phrases if phrase not in said]


def _short() -> None:
    leases.DURATION = DURATION


def _with_host(text: str, host: str) -> str:
    return re.sub(re.escape(_field(text, 1)), host, text)


def _with_pid(text: str, pid: int) -> str:
    return re.sub(re.escape(_field(text, 0)), str(pid), text, count=1)


def _field(text: str, number: int) -> str:
    return text.splitlines()[number]
