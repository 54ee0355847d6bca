"""Settings: presets, overrides, mistyped names, and the two digests that say which rows may be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from harness.config.budgets import Budget
from harness.config.presets import PRESETS, load_settings, parse_settings
from harness.config.studies import Row
from harness.config.settings import Settings
from harness.runtime.errors import HarnessError
from harness.training.conditions import HEADLINE_REGIMEN, PAPER_REGIMEN, regimen_of, training_protocol, weights_of
from harness.runtime.digests import digest
from harness.evaluation.metrics import evaluation_digest
from harness.training.optimiser import rate

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
        ("training.schedule=linear", r"setting 'training\.schedule'.*'cosine', 'constant' or 'steps'"),
        ("training.schedule=steps", r"setting 'training': schedule 'steps' needs milestones"),
        ("training.milestones=[0.5]", r"setting 'training': schedule 'steps' needs milestones, and no other"),
        ("training.momentum=0.9", r"setting 'training': momentum and nesterov belong to optimiser 'sgd'"),
        ("training.search=[0.1, 0.1]", r"setting 'training': search names a learning rate twice"),
        ("training.search=[0]", r"setting 'training\.search\.0'.*greater than 0"),
        ("encoder_training.search=[0.1]", "encoder_training has no search"),
        ("initialisation=fresh", "the matched recipe starts from shared encoders"),
        ("rows.0.regim=tuned", r"no setting 'rows\.0\.regim'.*Did you mean 'regime'"),
        ("rows.99.regime=tuned", "no setting 'rows.99.regime': there is no '99'"),
        ("rows.0=tuned", "name a part, such as rows.0.regime"),
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
        "video_encoder.segments=2",
        "training.search=[0.1, 0.01]",
        "training.clip=0",
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
    assert training_digest(load_settings("quick", ["video_encoder.segments=2"]), row) == base


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


def test_rows_can_be_overridden_by_number() -> None:
    settings = load_settings("published", ["rows.1.regime=frozen", "rows.0.settings.width=7"])
    assert settings.rows[1].regime == "frozen"
    assert settings.rows[0].settings["width"] == 7


def test_each_stands_for_three_rows() -> None:
    given = {
        "preset": "mine",
        "rows": [{"method": "trx", "modalities": "each"}, {"method": "can", "modalities": ["video"]}],
    }
    rows = parse_settings(given, "mine.toml").rows
    assert [(row.method, row.modality_label) for row in rows] == [
        ("trx", "video"),
        ("trx", "sensors"),
        ("trx", "both"),
        ("can", "video"),
    ]
    with pytest.raises(HarnessError, match='or "each"'):
        parse_settings({"preset": "mine", "rows": [{"method": "trx", "modalities": "every"}]}, "mine.toml")


def published(*rows: dict[str, Any], **changes: Any) -> Settings:
    rows = tuple({"method": "protonet", "modalities": ["video"], **row} for row in rows)
    content = {"preset": "mine", "recipe": "published", "initialisation": "fresh", "rows": rows, **changes}
    return parse_settings(content, "mine.toml")


def test_a_row_of_the_published_recipe_has_settings_of_its_own() -> None:
    own = {"input": {"size": 40}, "tuning": {"steps": 9}, "video_encoder": {"arguments": {"output_stride": 16}}}
    settings = published({"changes": own, "regime": "tuned"}, {}, video_encoder={"arguments": {"channels": [8]}})
    first, second = (settings.for_row(row) for row in settings.rows)
    assert (first.input.size, first.input.frames) == (40, settings.input.frames), "the rest is the run's"
    assert first.budget("tuned").steps == 9
    assert first.video_encoder.arguments == {"output_stride": 16}, "a value is replaced, not mixed"
    assert first.recipe == "published"
    assert second is settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inptu": {"size": 40}}, "mine.toml, row protonet: no setting 'inptu'. Did you mean 'input'"),
        ({"input": {"sise": 40}}, r"row protonet: no setting 'input\.sise'. Did you mean 'size'"),
        ({"input": {"size": "large"}}, r"row protonet: setting 'input\.size'.*integer.*given 'large'"),
        ({"input": 5}, "row protonet: setting 'input'"),
        ({"input": {"size": 57}}, "row protonet: the store keeps fewer frames or pixels"),
        ({"input": {"flip": True}}, "row protonet: 'input.flip' is the same for all rows"),
        ({"store": {"frames": 40}}, "row protonet: 'store' is the same for all rows of a run"),
        ({"way": 3}, "row protonet: 'way' is the same for all rows of a run"),
        ({"encoder_training": {"search": [0.1]}}, "row protonet: encoder_training has no search"),
        ({"tuning": {"momentum": 0.9}}, "row protonet: setting 'tuning': momentum and nesterov belong"),
    ],
)
def test_a_mistyped_change_of_a_row_is_named_with_its_row(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        published({"changes": changes})


def test_a_matched_row_has_no_changes_of_its_own() -> None:
    with pytest.raises(HarnessError, match=r"row protonet: a matched row has no changes of its own"):
        published({"changes": {"input": {"size": 40}}}, recipe="matched", initialisation="shared")


def test_the_initialisation_is_in_the_protocol_and_fresh_encoders_were_not_trained() -> None:
    shared, fresh = (published({}, initialisation=name) for name in ("shared", "fresh"))
    protocols = [training_protocol(each, each.rows[0], HEADLINE_REGIMEN, {}, shared=True) for each in (shared, fresh)]
    assert [protocol["initialisation"] for protocol in protocols] == [
        "shared encoders, trained with prototype loss",
        "each encoder's own initial state, or the weights it names",
    ]
    assert protocols[0]["encoder_training"]
    assert protocols[1]["encoder_training"] is None
    longer = published({}, encoder_training={"steps": 99})
    assert training_digest(longer, longer.rows[0]) == training_digest(fresh, fresh.rows[0]), "it plays no part"


def test_weights_enter_the_digest_by_their_content_and_not_by_their_path(tmp_path: Path) -> None:
    def of(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        settings = published({}, video_encoder={"weights": str(tmp_path / name)})
        assert weights_of(settings, "video") == {"name": name, "sha256": hashlib.sha256(content).hexdigest()}
        assert weights_of(settings, "sensors") == {}
        return training_digest(settings, settings.rows[0])

    assert of("one", b"1") == of("copy", b"1") != of("two", b"2")
    assert of("one", b"1") != of("one", b"changed")
    gone = published({}, video_encoder={"weights": str(tmp_path / "gone")})
    with pytest.raises(HarnessError, match=r"gone.*cannot be read"):
        training_digest(gone, gone.rows[0])


def test_every_shipped_preset_parses_with_all_its_rows() -> None:
    for name in PRESETS:
        settings = load_settings(name)
        for row in settings.rows:
            settings.for_row(row)


def test_the_published_preset_has_each_papers_own_settings() -> None:
    settings = load_settings("published")
    rows = {(row.method, row.settings.get("classifier")): (row, settings.for_row(row)) for row in settings.rows}
    papers = {"trx", "can", "mastaf", "cnaps", "protonet", "mu_mae", "videomae"}
    assert {method for method, _ in rows} == {*papers, "random"}
    assert [row.initialisation for row in settings.rows if row.method == "mu_mae"] == ["mu_mae", "scratch"]
    mu_mae = next(settings.for_row(row) for row in settings.rows if row.initialisation == "mu_mae")
    assert (mu_mae.input.frames, mu_mae.transformer.size, mu_mae.pretraining.epochs) == (16, "base", 801)
    trx, can, mastaf = (rows[name, None][1] for name in ("trx", "can", "mastaf"))
    assert (trx.video_encoder.name, trx.input.frames, trx.input.size, trx.video_encoder.pixel_norm) == (
        "resnet50", 8, 224, "none",
    )  # fmt: skip
    assert trx.tuning.learning_rate == pytest.approx(0.001 * 5 * 5), "summed over 25 queries"
    assert trx.tuning.steps * trx.tuning.episodes_per_step == 100_000
    assert [can.tuning.learning_rate * rate(step * 1200, can.tuning) for step in (0, 60, 70, 80)] == pytest.approx(
        [0.1, 0.006, 0.0012, 0.00024]
    )
    assert (mastaf.video_encoder.name, mastaf.input.frames) == ("r3d_50", 16)
    for classifier in ("generated", "mahalanobis"):
        row, own = rows["cnaps", classifier]
        assert own.budget(row.regime).learning_rate == 5e-4
