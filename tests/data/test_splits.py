"""Class splits: the shipped ones are what was published, and a user's own is checked before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.data.splits import UNSTATED, clip_list, clip_list_digest, default_split, load_split
from mmact_oneshot.harness.data.store import MANIFEST
from mmact_oneshot.harness.data.synthetic import SyntheticSettings
from mmact_oneshot.harness.data.synthetic.postures import POSTURES
from mmact_oneshot.harness.data.task.open_task import open_task
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.training.conditions import clip_conditions
from tests.helpers.toys import NAMES, toy_settings, toy_store

PARTS = {"base": [f"b{i}" for i in range(9)], "validation": ["v0", "v1"], "novel": ["n0", "n1"]}


def write(path: Path, **parts: object) -> str:
    path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in parts.items()))
    return str(path)


def test_mmact_has_the_published_classes_and_clips() -> None:
    split = load_split("mmact")
    assert (len(split.base), len(split.validation), len(split.novel)) == (18, 5, 10)
    assert len(split.classes) == 33
    assert split.validation == ("closing", "fall", "looking_around", "pushing", "talking")
    assert split.novel == (
        "carrying", "checking_time", "exiting", "kicking", "pointing",
        "pulling", "setting_down", "transferring_object", "walking", "waving_hand",
    )  # fmt: skip
    clips = split.clips
    assert clips is not None
    assert len(clips) == 33_970
    assert clips["performance"].nunique() == 8_668
    assert clips["clip"].is_unique
    assert clips["clip"].is_monotonic_increasing
    novel = clips[clips["class_name"].isin(split.novel)]
    assert (len(novel), novel["performance"].nunique(), novel["subject"].nunique()) == (11_678, 2_987, 20)


def test_generated_data_have_the_classes_of_mmact_and_three_postures_in_each_list() -> None:
    mmact, generated = load_split("mmact"), load_split("generated")
    for role in ("base", "validation", "novel"):
        postures = set(generated.role(role)) - set(mmact.role(role))
        assert set(mmact.role(role)) <= set(generated.role(role))
        assert len(postures) == 3
        assert postures <= set(POSTURES)
    assert set(generated.classes) == set(SyntheticSettings().classes)


def test_the_default_split_of_generated_data_is_their_own_where_they_have_all_its_classes() -> None:
    whole, few = SyntheticSettings().as_json(), SyntheticSettings(classes=("walking", "fall")).as_json()
    assert default_split("mmact", whole) == "generated"
    assert default_split("mmact", few) == "mmact"
    assert default_split("mmact", None) == "mmact"
    assert default_split("unknown", None) is None


def test_mmact_validation_is_every_third_training_class_of_scenes_1_2_4() -> None:
    split = load_split("mmact")
    assert split.clips is not None
    training = split.clips[~split.clips["class_name"].isin(split.novel)]
    scenes = training.groupby("class_name")["scene"].agg(set)
    candidates = sorted(str(name) for name, found in scenes.items() if found == {1, 2, 4})
    assert len(candidates) == 14
    assert tuple(candidates[::3]) == split.validation


def test_utd_mhad_is_cut_by_class_number() -> None:
    split = load_split("utd-mhad")
    assert (len(split.base), len(split.validation), len(split.novel)) == (15, 5, 7)
    assert split.clips is not None
    assert (len(split.clips), split.clips["performance"].nunique()) == (861, 861)
    assert {"sit2stand", "stand2sit", "lunge", "squat", "jog", "walk"} <= set(split.base)


@pytest.mark.parametrize(
    ("name", "split_digest", "list_digest"),
    [
        (
            "mmact",
            "bb82a1c35680bf1607b25e1a52f76a0b5286ce609ddd30824687e66b2d22fe06",
            "af0d04fa61577a09988e91ff3a844be8155b565967319970d365b4ea10ca4bf3",
        ),
        (
            "utd-mhad",
            "debea25d7b7cc1285096e9b3704f117b2f3ace48d3a57726a6b5f960c8f99f6b",
            "95aecfe16febfa12c5080d0d8ddca0477d2b53cb195896a6d5ecc0e749959c3c",
        ),
    ],
)
def test_the_shipped_splits_never_change(name: str, split_digest: str, list_digest: str) -> None:
    split = load_split(name)
    assert split.clips is not None
    assert (split.digest, clip_list_digest(split.clips)) == (split_digest, list_digest)


def test_roles_add_up() -> None:
    split = load_split("mmact")
    assert split.role("base+validation") == tuple(sorted(split.base + split.validation))


def test_a_users_split_is_read_and_named_after_its_file(tmp_path: Path) -> None:
    split = load_split(write(tmp_path / "mine.toml", **PARTS))
    assert (split.name, split.base[0], split.novel) == ("mine", "b0", ("n0", "n1"))
    other = load_split(write(tmp_path / "other.toml", **{**PARTS, "base": PARTS["base"][::-1]}))
    assert split.digest == other.digest, "the order of the classes says nothing"
    smaller = load_split(write(tmp_path / "smaller.toml", **{**PARTS, "base": PARTS["base"][:-1]}))
    assert split.digest != smaller.digest


def test_without_validation_classes_a_split_is_refused_with_a_proposal_that_works(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.toml", base=PARTS["base"], novel=PARTS["novel"])
    with pytest.raises(HarnessError, match="no validation classes") as refusal:
        load_split(path)
    proposal = refusal.value.remedy.partition("a proposal:\n")[2]
    (tmp_path / "proposed.toml").write_text(proposal)
    split = load_split(str(tmp_path / "proposed.toml"))
    assert split.novel == ("n0", "n1")
    assert split.validation == ("b0", "b1", "b3", "b5", "b7")
    assert split.role("base+validation") == tuple(PARTS["base"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({**PARTS, "novel": ["n0", "b3"]}, "listed twice: b3"),
        ({**PARTS, "base": ["b0", "B0"]}, "listed twice: b0"),
        ({**PARTS, "validaton": ["v3"]}, "unknown key 'validaton'.*Did you mean 'validation'"),
        ({**PARTS, "clips": "mine.csv"}, "unknown key 'clips'"),
        ({**PARTS, "base": []}, "no base classes"),
        ({"base": PARTS["base"], "validation": PARTS["validation"]}, "no novel classes"),
        ({**PARTS, "novel": "walking"}, "'novel' is not a list of class names"),
        ({**PARTS, "novel": [1, 2]}, "'novel' is not a list of class names"),
        ({**PARTS, "directional": False}, "'directional' is not a text"),
    ],
)
def test_a_wrong_split_is_refused(tmp_path: Path, parts: dict[str, object], message: str) -> None:
    path = write(tmp_path / "mine.toml", **parts)
    with pytest.raises(HarnessError, match=message) as refusal:
        load_split(path)
    assert str(path) in str(refusal.value)


def test_a_split_that_is_no_toml_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("base: [walking]")
    with pytest.raises(HarnessError, match="not TOML"):
        load_split(str(tmp_path / "mine.toml"))
    with pytest.raises(HarnessError, match="Did you mean 'mmact'"):
        load_split("mmcat")


def test_classes_that_the_data_do_not_have_are_named() -> None:
    clips = load_split("mmact").clips
    split = load_split("utd-mhad")
    alien = type(split)("mine", "", ("walkin", "running", "sitting"), ("talking",), ("kicking",))
    with pytest.raises(HarnessError, match=r"does not have: walkin\..*Did you mean 'walking'"):
        clip_list(alien, None, clips)


def test_the_clip_list_leaves_out_classes_that_are_in_no_role() -> None:
    clips = load_split("mmact").clips
    split = load_split("utd-mhad")
    few = type(split)("mine", "", ("running", "sitting"), ("talking",), ("kicking",))
    found = clip_list(few, None, clips)
    assert set(found["class_name"]) == few.classes


def test_each_split_states_whether_a_class_depends_on_direction(tmp_path: Path) -> None:
    assert "swipe_left and swipe_right" in load_split("utd-mhad").directional
    assert load_split("mmact").directional == ""
    silent, indifferent = (
        load_split(write(tmp_path / "mine.toml", **PARTS, **statement)) for statement in ({}, {"directional": ""})
    )
    assert (silent.directional, indifferent.directional) == (UNSTATED, ""), "silence is on the safe side"
    assert silent.digest == indifferent.digest


@pytest.mark.parametrize(
    ("statement", "asked", "done"),
    [
        ({}, True, False),
        ({"directional": "left is not right"}, True, False),
        ({"directional": ""}, True, True),
        ({}, False, False),
        ({"directional": ""}, False, False),
    ],
)
def test_nothing_is_mirrored_where_a_class_depends_on_direction_and_the_settings_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: dict[str, str], asked: bool, done: bool
) -> None:
    notes: list[str] = []

    class Noting(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    def task_settings(flip: bool) -> Any:
        settings = toy_settings(input={"frames": 2, "size": 12, "sensor_length": 16, "flip": flip}, store=store.spec)
        return open_task(tmp_path, settings, stores=tmp_path, watcher=Noting(), split=split).settings

    store = toy_store()
    monkeypatch.setattr("mmact_oneshot.harness.data.task.open_task.open_store", lambda _: store)
    (tmp_path / MANIFEST).touch()
    split = write(tmp_path / "mine.toml", **NAMES, **statement)
    settings = task_settings(asked)
    assert settings.model_dump()["input"]["flip"] is done
    assert clip_conditions(settings) == clip_conditions(task_settings(done)), "what was not done makes no difference"
    reason = statement.get("directional", UNSTATED)
    assert notes == ([f"input.flip is off for split mine: {reason}"] if asked and not done else [])
