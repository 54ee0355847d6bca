"""The gate: a method that breaks the contract is not trained; run unchecked, it has no rank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.benchmark.conformance import gate
from mmact_oneshot.harness.benchmark.conformance.gate import require_conformance
from mmact_oneshot.harness.benchmark.plan import Plan, make_plan
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.records import TrainingRecord
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import Titles, run, study, workspace
from tests.helpers.toys import toy_store, toy_task

HONEST = (Path(__file__).parents[2] / "methods" / "template.py").read_text("utf-8")
CHEAT = HONEST.replace(
    'prototypes = F.normalize(support["vector"].mean(dim=2), dim=-1)',
    'prototypes = F.normalize(support["vector"].mean(dim=2) + query["vector"].mean(dim=1, keepdim=True), dim=-1)',
)
DEAD = HONEST.replace(
    "self.log_scale = ", "self.unused = nn.Parameter(torch.zeros(3))\n        self.log_scale = "
)  # breaks the contract, and no figure


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def planned(folder: Path, store: Store, text: str, unchecked: bool = False, **row: Any) -> tuple[Workspace, Plan]:
    """A study with one row, of a plugin file."""
    plugin = folder / "mine.py"
    plugin.write_text(text, "utf-8")
    rows = [{"method": str(plugin), "modalities": ["sensors"], **row}]
    place = workspace(folder / "run", toy_task(store, studies=study(rows)), Titles())
    return place, make_plan(place, ["toy"], unchecked)


def titles(place: Workspace) -> list[str]:
    assert isinstance(place.watcher, Titles)
    return place.watcher.titles


def test_a_method_that_cheats_is_refused_with_the_check_its_meaning_and_the_remedy(
    store: Store, tmp_path: Path
) -> None:
    place, plan = planned(tmp_path, store, CHEAT)
    with pytest.raises(HarnessError) as refusal:
        require_conformance(place, plan.jobs)
    text = str(refusal.value)
    assert "mine.py, sensors, check 'inductive'" in text
    assert "do not depend on the other queries" in text
    assert "scores of a query depend on the other queries (2 shots, 7 queries): differs by" in text
    assert "declare `transductive = True`" in text
    assert "--unchecked" in text
    assert not place.records.has(TrainingRecord, plan.jobs[0].id)


def test_settings_of_the_row_are_those_that_are_checked(store: Store, tmp_path: Path) -> None:
    broken = HONEST.replace("return query[", "return (float('nan') if self.temperature > 50 else 1) * query[").replace(
        "super().__init__(setup)", "super().__init__(setup)\n        self.temperature = temperature"
    )
    require_conformance(*_jobs(planned(tmp_path, store, broken)))
    with pytest.raises(HarnessError, match="finite"):
        require_conformance(*_jobs(planned(tmp_path, store, broken, settings={"temperature": 60.0})))


def test_what_has_passed_in_a_run_is_not_checked_again_with_the_same_code(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "code_commit", lambda: {"commit": "c", "changed": False})
    place, plan = planned(tmp_path, store, HONEST)
    require_conformance(place, plan.jobs)
    assert titles(place) == ["checking mine on sensors"]
    run(place, ["toy"])
    record = place.records.read(TrainingRecord, plan.jobs[0].id)
    place.records.write(record.model_copy(update={"provenance": {**record.provenance, "commit": "c"}}))
    titles(place).clear()
    require_conformance(place, plan.jobs)
    assert titles(place) == []
    require_conformance(*_jobs(planned(tmp_path, store, HONEST + "\n# edited\n")))
    monkeypatch.setattr(gate, "code_commit", lambda: {"commit": "another", "changed": False})
    require_conformance(place, plan.jobs)
    assert titles(place) == ["checking mine on sensors"]


def test_ours_are_checked_again_where_their_file_is_changed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"method": "protonet", "modalities": ["sensors"]}]
    place = workspace(tmp_path, toy_task(store, studies=study(rows)), Titles())
    plan = make_plan(place, ["toy"])
    monkeypatch.setattr(gate, "is_changed", lambda file: False)
    require_conformance(place, plan.jobs)
    assert titles(place) == []
    monkeypatch.setattr(gate, "is_changed", lambda file: file.name == "baselines")
    require_conformance(place, plan.jobs)
    assert titles(place) == ["checking protonet on sensors"]


def test_an_unchecked_row_is_another_training_and_has_no_rank(store: Store, tmp_path: Path) -> None:
    place, plan = planned(tmp_path, store, HONEST)
    _, unchecked = planned(tmp_path, store, DEAD, unchecked=True)
    same = planned(tmp_path, store, HONEST, unchecked=True)[1]
    assert plan.jobs[0].id != same.jobs[0].id
    require_conformance(place, unchecked.jobs)
    assert titles(place) == [], "nothing is checked"
    place, plan = planned(tmp_path, store, DEAD, unchecked=True)
    from mmact_oneshot.harness.benchmark.run import run_plan
    from mmact_oneshot.harness.benchmark.steps import pending_steps

    run_plan(place, plan, pending_steps(place, plan))
    assert place.records.read(TrainingRecord, plan.jobs[0].id).unchecked
    (row,) = read_report(place.folder).studies[0].suites[0].rows
    assert row.rank is None
    assert any(note.startswith("unchecked") for note in row.notes)


def _jobs(made: tuple[Workspace, Plan]) -> tuple[Workspace, Any]:
    return made[0], made[1].jobs


def test_a_method_that_raises_is_refused_with_the_line(store: Store, tmp_path: Path) -> None:
    broken = HONEST.replace("        prototypes = F", "        raise ValueError('oops')\n        prototypes = F")
    line = broken[: broken.index("raise ValueError")].count("\n") + 1
    with pytest.raises(HarnessError) as refusal:
        require_conformance(*_jobs(planned(tmp_path, store, broken)))
    assert f"ValueError: oops (mine.py, line {line})" in str(refusal.value)
    assert "It raises no exception." in str(refusal.value)


IN_THREES = HONEST.replace(
    "        self.fusion = Fusion",
    """        if setup.shape.samples % 3:
            raise NotApplicable("too few samples")
        self.fusion = Fusion""",
).replace("import Features,", "import NotApplicable, Features,")


def test_a_method_that_applies_to_no_clip_of_the_checks_is_not_run_unchecked_by_itself(
    store: Store, tmp_path: Path
) -> None:
    place, plan = planned(tmp_path, store, IN_THREES, changes={"input": {"sensor_length": 30}})
    with pytest.raises(HarnessError, match=r"could not be checked, and was not run: .*too few samples") as refusal:
        require_conformance(place, plan.jobs)
    assert "--unchecked" in refusal.value.remedy
    place, plan = planned(tmp_path, store, IN_THREES)  # which does not apply to its row either
    require_conformance(place, plan.jobs)


def test_settings_reach_the_checks_as_they_reach_the_run(store: Store, tmp_path: Path) -> None:
    """A list of TOML is a tuple for a setting that is one."""
    text = HONEST.replace("temperature: float = 10.0)", "temperature: float = 10.0, sizes: tuple[int, ...] = (1,))")
    text = text.replace("        self.fusion = Fusion", "        sizes + (2,)\n        self.fusion = Fusion")
    place, plan = planned(tmp_path, store, text, settings={"sizes": [3, 4]})
    require_conformance(place, plan.jobs)
    assert titles(place) == ["checking mine (sizes [3, 4]) on sensors"]
