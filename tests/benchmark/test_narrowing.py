"""The part of a preset that a run does; what is unknown is refused with the nearest right name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.benchmark.narrowing import Narrowing, narrowed
from mmact_oneshot.harness.benchmark.steps import PretrainingStep
from mmact_oneshot.harness.config.presets import PRESETS, load_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.toy_runs import planned, workspace
from tests.helpers.toys import SPLIT, toy_clips, toy_settings, toy_store, toy_task

STUDIES: dict[str, Any] = {
    "first": {
        "question": "?", "varies": ["method", "training"], "seeds": [7], "suites": ["test-5shot"],
        "rows": [
            {"method": "protonet", "modalities": ["sensors"], "training": "frozen"},
            {"method": "sensor_nn", "modalities": ["sensors"]},
        ],
    },
    "methods": {
        "question": "?", "varies": ["method"], "training": "frozen",
        "rows": [{"method": "protonet"}, {"method": "videomae", "modalities": ["video"]}],
    },
    "mu_mae": {
        "question": "?", "varies": ["settings"], "modalities": ["video", "sensors"],
        "rows": [{"method": "mu_mae"}, {"method": "mu_mae", "settings": {"residual": True}}],
    },
}  # fmt: skip
SETTINGS = toy_settings(studies=STUDIES)


def rows(settings: Settings, study: str) -> list[tuple[str, str]]:
    return [(row.method, row.modality_label) for row in settings.studies[study].rows]


def test_without_a_name_it_is_the_main_study_or_else_the_first() -> None:
    assert narrowed(SETTINGS, Narrowing())[1] == ("methods",)
    others = {name: study for name, study in STUDIES.items() if name != "methods"}
    assert narrowed(toy_settings(studies=others), Narrowing())[1] == ("first",)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["mu_mae"], ("mu_mae",)),
        (["mu_mae", "first", "mu_mae"], ("mu_mae", "first")),
        (["all"], ("first", "methods", "mu_mae")),
        (["mu_mae", "all"], ("first", "methods", "mu_mae")),
    ],
)
def test_studies_by_name_or_all(wanted: list[str], names: tuple[str, ...]) -> None:
    assert narrowed(SETTINGS, Narrowing(studies=wanted))[1] == names


def test_nothing_asked_for_changes_nothing() -> None:
    assert narrowed(SETTINGS, Narrowing())[0] == SETTINGS


def test_a_method_has_its_rows_in_the_order_in_which_methods_are_named() -> None:
    settings, _ = narrowed(SETTINGS, Narrowing(methods=["videomae", "protonet", "videomae"]))
    assert rows(settings, "methods") == [
        ("videomae", "video"), ("protonet", "video"), ("protonet", "sensors"), ("protonet", "both"),
    ]  # fmt: skip
    assert settings.studies["mu_mae"] == SETTINGS.studies["mu_mae"], "a study that is not done stays as it is"


def test_settings_of_a_method_take_the_place_of_those_of_its_rows(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mmact_oneshot.harness.api import FewShotMethod, Setup\n"
        "class Mine(FewShotMethod):\n"
        "    def __init__(self, setup: Setup, *, width: int = 8, parts: tuple[int, ...] = (1,)) -> None:\n"
        "        super().__init__(setup)\n"
    )
    asked = ["protonet:projection=64", f"{plugin}:width=4,parts=[2,3]"]
    found = narrowed(SETTINGS, Narrowing(methods=asked, modalities="both"))[0].studies["methods"].rows
    assert [(row.method, row.settings) for row in found] == [
        ("protonet", {"projection": 64}),
        (str(plugin), {"width": 4, "parts": [2, 3]}),
    ]
    settings, _ = narrowed(SETTINGS, Narrowing(studies=["mu_mae"], methods=["mu_mae:residual=true,head=protonet"]))
    (row,) = settings.studies["mu_mae"].rows
    assert row.settings == {"residual": True, "head": "protonet"}, "rows that have become equal are one"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("protonet:projektion=64", "ProtoNet has no setting 'projektion'.*Did you mean 'projection'"),
        ("protonet:projection=wide", "setting 'projection' of ProtoNet.*integer"),
        ("protonet:projection", "'projection' is no setting.*NAME=VALUE"),
        ("protnet:projection=64", "no method 'protnet'.*Did you mean 'protonet'"),
    ],
)
def test_wrong_settings_of_a_method_are_refused(asked: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        narrowed(SETTINGS, Narrowing(methods=[asked]))


def test_a_method_without_a_row_gets_one_for_each_choice_of_modalities_that_it_can_use(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from mmact_oneshot.harness.api import FewShotMethod\nclass Mine(FewShotMethod):\n    pass\n")
    settings, _ = narrowed(SETTINGS, Narrowing(methods=["sensor_nn", str(plugin)]))
    assert rows(settings, "methods") == [
        ("sensor_nn", "sensors"), (str(plugin), "video"), (str(plugin), "sensors"), (str(plugin), "both"),
    ]  # fmt: skip
    assert {row.training for row in settings.studies["methods"].rows} == {"frozen"}, "as the study has it"


def test_a_study_of_settings_gets_no_row_of_another_method() -> None:
    settings, names = narrowed(SETTINGS, Narrowing(studies=["all"], methods=["protonet"]))
    assert names == ("first", "methods", "mu_mae")
    assert rows(settings, "mu_mae") == []
    assert rows(settings, "first") == [("protonet", "sensors")]
    with pytest.raises(HarnessError, match=r"no row is left to run.*oneshot methods"):
        narrowed(SETTINGS, Narrowing(studies=["mu_mae"], methods=["protonet"]))


def test_a_method_does_not_bring_pretrainings_of_other_studies_or_methods(tmp_path: Path) -> None:
    settings, names = narrowed(SETTINGS, Narrowing(methods=["protonet"]))
    task = toy_task(toy_store())
    here = workspace(tmp_path, type(task)(task.store, SPLIT, toy_clips(), settings))
    plan, steps = planned(here, names)
    assert {job.label for job in plan.jobs} == {"protonet"}
    assert not [step for step in steps if isinstance(step, PretrainingStep)]
    with_videomae, names = narrowed(SETTINGS, Narrowing(methods=["videomae"]))
    here = workspace(tmp_path, type(task)(task.store, SPLIT, toy_clips(), with_videomae))
    pretrainings = [step for step in planned(here, names)[1] if isinstance(step, PretrainingStep)]
    assert [step.pretraining.name for step in pretrainings] == ["videomae"]


@pytest.mark.parametrize("label", ["video", "sensors", "both"])
def test_modalities_leave_the_rows_on_them(label: str) -> None:
    settings, _ = narrowed(SETTINGS, Narrowing(modalities=label))
    assert {each for _, each in rows(settings, "methods")} == {label}
    assert ("protonet", label) in rows(settings, "methods")


def test_seeds_and_suites_hold_for_all_studies() -> None:
    settings, _ = narrowed(SETTINGS, Narrowing(seeds=2, suites=["test-paper", "test"]))
    assert (settings.seeds, settings.suites) == ((0, 1), ("test-paper", "test"))
    assert {(study.seeds, study.suites) for study in settings.studies.values()} == {(None, None)}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"studies": ["metods"]}, "preset toy has no study 'metods'.*Did you mean 'methods'"),
        ({"methods": ["protnet"]}, "no method 'protnet'.*Did you mean 'protonet'"),
        ({"methods": ["nowhere.py"]}, "no such file"),
        ({"modalities": "vido"}, "no modalities 'vido'.*Did you mean 'video'"),
        ({"suites": ["tset"]}, "no suite 'tset'.*Did you mean 'test'"),
        ({"methods": ["sensor_nn"], "modalities": "video"}, "no row is left to run"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest_right_name(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        narrowed(SETTINGS, Narrowing(**wanted))


def test_a_preset_without_studies_says_what_to_write() -> None:
    with pytest.raises(HarnessError, match=r"preset toy has no study.*\[studies\.NAME\]"):
        narrowed(toy_settings(), Narrowing())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_shipped_preset_has_something_to_do_by_itself(preset: str) -> None:
    settings, names = narrowed(load_settings(preset), Narrowing())
    assert names == (("published",) if preset == "published" else ("methods",))
    assert all(settings.studies[name].rows for name in names)
