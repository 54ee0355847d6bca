"""What a run survives: every kind of fault, tried, and a table of what was survived.

python -m tests.faults --moments 50 --out faults.json

Records name the commit of the code, so the checkout must stay as it is meanwhile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.file_systems import can_mount, enter_namespace

if TYPE_CHECKING:
    from tests.faults.trials import Outcome


def main() -> None:
    given = _arguments()
    enter_namespace([sys.executable, "-m", "tests.faults", *sys.argv[1:]])
    import tests.helpers.preloaded  # noqa: F401  each process that is started begins with it
    from tests.faults.kinds import KINDS, NEED_MOUNTS
    from tests.faults.place import make_place
    from tests.faults.trials import Outcome, outcome_of

    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    place = make_place(folder)
    _say("undisturbed: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in place.seconds.items()))
    outcomes: dict[str, Outcome] = {}
    for name, (trials, most) in KINDS.items():
        if given.only and name not in given.only:
            continue
        if name in NEED_MOUNTS and not can_mount():
            outcomes[name] = Outcome(impossible="no user namespace with mounts of its own here (unshare)")
        else:
            outcomes[name] = outcome_of(trials, place, most(given.moments), 1 if given.quick else None)
        _say(_line(name, outcomes[name]))
        for trial, wrong in outcomes[name].wrong.items():
            for each in wrong:
                _say(f"    {trial}: {each}")
    if given.out:
        content = {name: asdict(each) | {"survived": each.survived} for name, each in outcomes.items()}
        given.out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    if any(each.wrong for each in outcomes.values()):
        sys.exit(f"not all was survived; what the processes said is in {folder / 'logs'}")
    shutil.rmtree(folder)


def _line(name: str, outcome: Outcome) -> str:
    if outcome.impossible:
        return f"{name:<24} not possible: {outcome.impossible}"
    return f"{name:<24} tried {outcome.tried:>3}, survived {outcome.survived:>3}  ({outcome.seconds:.0f} s)"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--moments", type=int, default=50, help="at which a run, prepare and report are killed")
    parser.add_argument("--quick", action="store_true", help="one trial of each kind")
    parser.add_argument("--only", action="append", help="a kind of fault; repeatable")
    parser.add_argument("--out", type=Path, help="a JSON file of what was tried and what was not survived")
    return parser.parse_args()


if __name__ == "__main__":
    main()
