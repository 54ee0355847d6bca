"""Settings: overrides by dotted name, mistyped names, and what does not fit together."""

from __future__ import annotations

from typing import Any

import pytest

from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.runtime.errors import HarnessError


def test_a_preset_takes_overrides() -> None:
    overrides = ["frozen.steps=7", "input.sensor_scale=minmax", "seeds=[5, 6]", "shot = 2"]
    settings = load_settings("quick", overrides)
    assert settings.frozen.steps == 7
    assert settings.input.sensor_scale == "minmax"
    assert settings.seeds == (5, 6)
    assert settings.shot == 2
    assert settings.studies["methods"].rows
    assert settings.overrides == tuple(overrides), "they are recorded"
    untouched = load_settings("quick")
    assert untouched.overrides == ()
    assert settings.warm_start == untouched.warm_start
    assert settings.frozen == untouched.frozen.model_copy(update={"steps": 7})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sede=3", "no setting 'sede'.*Did you mean 'seeds'"),
        ("frosen.steps=3", "no setting 'frosen'.*Did you mean 'frozen'"),
        ("frozen.step=3", r"no setting 'frozen\.step'.*Did you mean 'steps'"),
        ("video_encoder.segment=3", r"no setting 'video_encoder\.segment'.*Did you mean 'segments'"),
        ("way.steps=3", r"setting 'way'.*valid integer"),
        ("frozen.steps", "has no '='"),
        ("frozen.steps=many", r"setting 'frozen\.steps'.*integer.*got 'many'"),
        ("frozen.steps=0", r"setting 'frozen\.steps'.*greater than or equal to 1"),
        ("input.crop=1.5", r"setting 'input\.crop'.*less than or equal to 1"),
        ("input.sensor_scale=min-max", r"setting 'input\.sensor_scale'.*'physical' or 'minmax'"),
        ("ablate=sensor", "setting 'ablate'.*'modalities' or 'sensors'"),
        ("frozen=5", "setting 'frozen'"),
        ("seeds=[]", "setting 'seeds'"),
        ("episodes=1", "setting 'episodes'.*greater than or equal to 2"),
        ("frozen.xyz=1", r"no setting 'frozen\.xyz'\. Known: "),
        ("seeds=[1.5]", r"setting 'seeds\.0'"),
        ("frozen.schedule=linear", r"setting 'frozen\.schedule'.*'cosine', 'constant' or 'steps'"),
        ("frozen.schedule=steps", r"setting 'frozen': schedule 'steps' needs milestones"),
        ("frozen.milestones=[0.5]", r"setting 'frozen': schedule 'steps' needs milestones, and no other"),
        ("frozen.momentum=0.9", r"setting 'frozen': momentum and nesterov belong to optimiser 'sgd'"),
        ("frozen.search=[0.1, 0.1]", r"setting 'frozen': search names a learning rate twice"),
        ("frozen.search=[0]", r"setting 'frozen\.search\.0'.*greater than 0"),
        ("warm_start.search=[0.1]", "warm_start has no search"),
        ("warm_start.objective=classes", r"setting 'warm_start\.objective'.*'prototype', 'classification' or 'none'"),
        ("studies.methods.rows.0.trainin=frozen", r"no setting 'studies\.methods\.rows\.0\.trainin'.*'training'"),
        ("studies.methods.rows.99.training=frozen", "no setting 'studies.methods.rows.99.training': there is no '99'"),
        ("studies.methods.rows.0=frozen", "name a part, such as studies.methods.rows.0.training"),
        ("studies.methods.vary=[]", r"no setting 'studies\.methods\.vary'.*Did you mean 'varies'"),
    ],
)
def test_a_mistyped_override_is_named_with_the_nearest_right_name(override: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load_settings("quick", [override])


def test_rows_can_be_overridden_by_number() -> None:
    overrides = ["studies.published.rows.1.training=frozen", "studies.published.rows.0.settings.width=7"]
    rows = load_settings("published", [*overrides, "warm_start.objective=prototype"]).studies["published"].rows
    assert rows[1].training == "frozen"
    assert rows[0].settings["width"] == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("input.frames=17", "the store keeps fewer frames"),
        ("input.size=64", "the store keeps fewer frames or pixels"),
        ("input.frames=2", "segments exceeds input.frames"),
        ("input.sensor_length=8", "segments exceeds the length"),
        ("video_encoder.pooling=dynamics video_encoder.segments=1", r"raise video_encoder\.segments"),
        ("video_encoder.norm=frozen-batch", r"name a file in video_encoder\.weights"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(override: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load_settings("quick", override.split())


def test_settings_cannot_be_changed_later() -> None:
    settings = load_settings("quick")
    with pytest.raises(ValueError, match="frozen"):
        settings.way = 3  # type: ignore[misc]


def test_each_training_has_a_budget_of_its_own() -> None:
    settings = load_settings("quick", ["frozen.steps=7", "end_to_end.steps=8"])
    assert (settings.budget("frozen").steps, settings.budget("end_to_end").steps) == (7, 8)


def test_a_budget_counts_its_clips() -> None:
    budget = Budget(steps=6, episodes_per_step=2, queries=1)
    assert (budget.clips_per_step(5, 1), budget.clips(5, 1), budget.clips(5, 3)) == (20, 120, 240)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "steps", "milestones": (0.5, 0.25)}, "milestones must increase"),
        ({"schedule": "steps", "milestones": (0.5, 0.75), "decay": (0.1,)}, "one factor for each milestone"),
        ({"schedule": "steps", "milestones": (1.0,)}, "less than 1"),
        ({"optimiser": "sgd", "nesterov": True}, "nesterov needs momentum"),
    ],
)
def test_a_budget_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**changes)


def test_a_budget_with_the_rate_fixed_has_no_search() -> None:
    budget = Budget(search=(0.1, 0.2)).at(0.2)
    assert (budget.learning_rate, budget.search) == (0.2, ())


@pytest.mark.parametrize("order", [1, -1])
def test_a_network_keeps_the_arguments_that_are_given_with_its_name_in_either_order(order: int) -> None:
    overrides = ["video_encoder.arguments={ widen_factor = 2.0 }", "video_encoder.name=r3d_18"]
    encoder = load_settings("quick", overrides[::order]).video_encoder
    assert (encoder.name, encoder.arguments) == ("r3d_18", {"widen_factor": 2.0})
    assert load_settings("quick", overrides[1:]).video_encoder.arguments == {}, "those of the preset belong to another"
