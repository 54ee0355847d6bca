"""Settings: presets, overrides, mistyped names, and the two digests that say which rows may be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.protocol import (
    HEADLINE_REGIMEN,
    PAPER_REGIMEN,
    Row,
    Settings,
    digest,
    evaluation_digest,
    load_settings,
    regimen_of,
    training_protocol,
)

ROW = Row(method="protonet", modalities=("video",))


def training_digest(settings: Settings, row: Row = ROW, data: str = "d", split: str = "s") -> str:
    return digest(training_protocol(settings, row, HEADLINE_REGIMEN, {"data": data, "split": split}, shared=True))


def test_the_quick_preset_is_valid_and_takes_overrides() -> None:
    settings = load_settings("quick", ["training.steps=7", "input.sensor_scale=minmax", "seeds=[5, 6]", "shot = 2"])
    assert settings.training.steps == 7
    assert settings.input.sensor_scale == "minmax"
    assert settings.seeds == (5, 6)
    assert settings.shot == 2
    assert settings.rows
    untouched = load_settings("quick")
    assert settings.encoder_training == untouched.encoder_training


def test_a_file_is_a_preset_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('seeds = [3]\n[[rows]]\nmethod = "random"\nmodalities = ["sensors"]\n')
    settings = load_settings(str(path))
    assert (settings.preset, settings.seeds, settings.rows[0].modality_label) == ("mine", (3,), "sensors")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sede=3", "no setting 'sede'.*Did you mean 'seeds'"),
        ("traning.steps=3", "no setting 'traning'.*Did you mean 'training'"),
        ("training.step=3", r"no setting 'training\.step'.*Did you mean 'steps'"),
        ("video_encoder.segment=3", r"no setting 'video_encoder\.segment'.*Did you mean 'segments'"),
        ("way.steps=3", r"setting 'way'.*valid integer"),
        ("training.steps", "has no '='"),
        ("training.steps=many", r"setting 'training\.steps'.*integer.*given 'many'"),
        ("training.steps=0", r"setting 'training\.steps'.*greater than or equal to 1"),
        ("input.crop=1.5", r"setting 'input\.crop'.*less than or equal to 1"),
        ("input.sensor_scale=min-max", r"setting 'input\.sensor_scale'.*'physical' or 'minmax'"),
        ("recipe=mached", "setting 'recipe'.*'matched' or 'published'"),
        ("training=5", "setting 'training'"),
        ("seeds=[]", "setting 'seeds'"),
        ("episodes=1", "setting 'episodes'.*greater than or equal to 2"),
        ("training.xyz=1", r"no setting 'training\.xyz'\. Known: "),
        ("seeds=[1.5]", r"setting 'seeds\.0'"),
    ],
)
def test_a_mistyped_override_is_named_with_the_nearest_right_name(override: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load_settings("quick", [override])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('metod = "x"\nmodalities = ["video"]', r"no setting 'rows\.0\.metod'.*Did you mean 'method'"),
        ('method = "x"\nmodalitis = ["video"]', r"no setting 'rows\.0\.modalitis'.*Did you mean 'modalities'"),
        ('method = "x"\nmodalities = ["video"]\nregim = "tuned"', r"'rows\.0\.regim'.*Did you mean 'regime'"),
        ('method = "x"\nmodalities = ["sound"]', r"setting 'rows\.0\.modalities\.0'.*'video' or 'sensors'"),
        ('method = "x"\nmodalities = ["sensors", "video"]', r"setting 'rows\.0': modalities must be"),
        ('method = "x"\nmodalities = []', r"setting 'rows\.0': modalities must be"),
        ('method = "x"\nmodalities = ["video"]\nregime = "thawed"', r"setting 'rows\.0\.regime'.*'frozen' or 'tuned'"),
    ],
)
def test_a_mistyped_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[[rows]]\n{row}\n")
    with pytest.raises(HarnessError, match=message) as refusal:
        load_settings(str(path))
    assert str(path) in str(refusal.value)


def test_unknown_presets_and_files_that_are_no_toml(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Did you mean 'quick'"):
        load_settings("quik")
    path = tmp_path / "mine.toml"
    path.write_text("steps: 3")
    with pytest.raises(HarnessError, match="not TOML"):
        load_settings(str(path))


@pytest.mark.parametrize(
    "override",
    [
        "training.steps=7",
        "training.learning_rate=0.1",
        "encoder_training.steps=7",
        "input.frames=5",
        "store.frames=9",
        "video_encoder.segments=1",
        "way=4",
        "shot=2",
    ],
)
def test_whatever_changes_the_training_changes_its_digest(override: str) -> None:
    assert training_digest(load_settings("quick", [override])) != training_digest(load_settings("quick"))


def test_settings_that_do_not_fit_together_are_refused() -> None:
    for override, told in (
        ("input.frames=17", "the store keeps fewer frames"),
        ("input.size=64", "the store keeps fewer frames or pixels"),
        ("input.frames=3", "segments exceeds input.frames"),
        ("input.sensor_length=8", "segments exceeds the length"),
    ):
        with pytest.raises(HarnessError, match=told):
            load_settings("quick", [override])


@pytest.mark.parametrize("override", ["seeds=[9]", 'suites=["test"]', "episodes=50", "sensor_encoder.width=32"])
def test_seeds_suites_and_an_unused_encoder_do_not(override: str) -> None:
    assert training_digest(load_settings("quick", [override])) == training_digest(load_settings("quick"))


def test_the_method_is_what_a_training_digest_leaves_out() -> None:
    settings = load_settings("quick")
    other = Row(method="random", modalities=("video",), settings={"x": 1})
    assert training_digest(settings, other) == training_digest(settings)
    for change in ({"regime": "tuned"}, {"modalities": ("sensors",)}):
        changed = ROW.model_copy(update=change)
        assert training_digest(settings, changed) != training_digest(settings)
    assert training_digest(settings, data="e") != training_digest(settings)
    assert training_digest(settings, split="t") != training_digest(settings)


def test_a_sensor_row_depends_on_the_sensor_encoder_alone() -> None:
    row = Row(method="protonet", modalities=("sensors",))
    base = training_digest(load_settings("quick"), row)
    assert training_digest(load_settings("quick", ["sensor_encoder.width=32"]), row) != base
    assert training_digest(load_settings("quick", ["video_encoder.segments=1"]), row) == base


def test_an_evaluation_digest_depends_on_data_split_and_suite_alone() -> None:
    parts = {"data": "d", "split": "s", "suite": "e"}
    base = evaluation_digest(**parts)
    assert base == evaluation_digest(**parts)
    assert len({base, *(evaluation_digest(**{**parts, name: "x"}) for name in parts)}) == 4


def test_the_paper_suite_is_trained_apart() -> None:
    assert regimen_of("test-paper") == PAPER_REGIMEN
    assert {regimen_of(name) for name in ("test", "val", "test-5shot")} == {HEADLINE_REGIMEN}
    settings = load_settings("quick")
    both = [training_protocol(settings, ROW, r, {"data": "d"}, shared=True) for r in (HEADLINE_REGIMEN, PAPER_REGIMEN)]
    assert both[0] != both[1]


def test_a_digest_ignores_the_order_of_keys() -> None:
    content: dict[str, Any] = {"a": 1, "b": [1, 2]}
    assert digest(content) == digest(dict(reversed(content.items())))
    assert digest(content) != digest({"a": 1, "b": [2, 1]})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_settings_cannot_be_changed_later() -> None:
    settings = load_settings("quick")
    with pytest.raises(ValueError, match="frozen"):
        settings.way = 3  # type: ignore[misc]
