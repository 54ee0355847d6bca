"""Two and three processes at once on one folder of results, and on one store."""

from __future__ import annotations

from tests.faults.place import Place
from tests.faults.trials import Trials, success


def together(place: Place, count: int) -> Trials:
    for repetition in range(count):
        for number in (2, 3):
            store = place.new(f"together prepare {number}")
            preparing = [place.prepare(store) for _ in range(number)]
            wrong = [each for process in preparing for each in success(process)] + place.lost_in_store(store)
            yield f"{number} times prepare on one store, {repetition}", wrong

            out, store = place.new(f"together run {number}"), place.new(f"together store {number}")
            running = [place.run(out, store=store) for _ in range(number)]
            wrong = [each for process in running for each in success(process)]
            yield f"{number} runs with one store and one folder, {repetition}", wrong + place.lost_in_run(out)

            out = place.new(f"together report {number}")
            reporting = [place.report(place.undisturbed, "--out", out) for _ in range(number)]
            wrong = [each for process in reporting for each in success(process)]
            left = [path.name for path in out.rglob("*") if path.suffix in {".tmp", ".lock"}]
            yield f"{number} reports into one folder, {repetition}", wrong + [f"{name} was left" for name in left]
