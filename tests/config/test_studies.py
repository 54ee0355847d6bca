"""Studies: what may differ between their rows, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.config.presets import PRESETS, load_settings, parse_settings
from mmact_oneshot.harness.config.studies import Row, Study, may_vary, modality_label
from mmact_oneshot.harness.runtime.errors import HarnessError

PROTONET, TRX = {"method": "protonet"}, {"method": "trx"}


def study(rows: list[dict[str, Any]], varies: list[str], **fields: Any) -> Study:
    content = {"question": "?", "varies": varies, "modalities": ["video"], "rows": rows, **fields}
    return parse_settings({"preset": "mine", "studies": {"one": content}}, "mine.toml").studies["one"]


@pytest.mark.parametrize(
    ("rows", "varies", "message"),
    [
        ([PROTONET, TRX], ["initialisation"], r"method \(protonet, trx\)"),
        (
            [PROTONET, {**PROTONET, "settings": {"projection": 4}}],
            ["initialisation"],
            r"settings \(none, projection 4\)",
        ),
        ([PROTONET, {**PROTONET, "training": "frozen"}], ["method"], r"training \(end_to_end, frozen\)"),
        ([PROTONET, {**PROTONET, "encoder": "transformer"}], ["method"], r"encoder \(default, transformer\)"),
        ([PROTONET, {**TRX, "initialisation": "scratch"}], ["method"], r"initialisation \(own, scratch\)"),
        (
            [PROTONET, {**TRX, "changes": {"end_to_end": {"steps": 9}}}],
            ["method"],
            r"end_to_end \(as the run has it, steps 9\)",
        ),
        (
            [{**PROTONET, "changes": {"input": {"size": 40}}}, {**TRX, "changes": {"input": {"size": 41}}}],
            ["method"],
            r"input \(size 40, size 41\)",
        ),
    ],
)
def test_rows_that_differ_in_more_than_the_study_varies_are_refused_by_name(
    rows: list[dict[str, Any]], varies: list[str], message: str
) -> None:
    with pytest.raises(HarnessError, match=rf"mine\.toml: study 'one': its rows differ in {message}.*to varies"):
        study(rows, varies)
    name = message.split(" ")[0]
    assert len(study(rows, [*varies, name]).rows) == len(rows)
    assert len(study(rows, ["recipe"]).rows) == len(rows), "a recipe is everything"


def test_a_method_brings_its_settings_and_nothing_else() -> None:
    rows = [{**PROTONET, "settings": {"projection": 4}}, {**TRX, "settings": {"width": 8}}]
    assert len(study(rows, ["method"]).rows) == 2
    assert len(study([rows[0]], []).rows) == 1, "one row differs from nothing"


def test_equal_changes_of_all_rows_are_no_difference() -> None:
    changes = {"changes": {"input": {"size": 40}}}
    assert len(study([{**PROTONET, **changes}, {**TRX, **changes}], ["method"]).rows) == 2


def test_rows_may_differ_in_their_modalities() -> None:
    rows = study([{**PROTONET, "modalities": "each"}], []).rows
    assert [row.modality_label for row in rows] == ["video", "sensors", "both"]


@pytest.mark.parametrize(
    ("varies", "name", "allowed"),
    [
        (["method"], "settings", True),
        (["method"], "pretraining.budget", True),
        (["method"], "warm_start.steps", False),
        (["initialisation"], "warm_start.steps", True),
        (["initialisation"], "budget.steps", False),
        (["training"], "training_clips", True),
        (["encoder"], "encoders.video", True),
        (["input.size"], "input.size", True),
        (["input.size"], "input.frames", False),
        (["input"], "input.frames", True),
        (["recipe"], "way", True),
        ([], "way", False),
    ],
)
def test_what_follows_from_a_setting_varies_with_it(varies: list[str], name: str, allowed: bool) -> None:
    assert may_vary(varies, name) is allowed


def test_a_study_that_varies_the_recipe_is_not_ranked() -> None:
    assert not study([PROTONET, TRX], ["recipe"]).ranked
    assert study([PROTONET, TRX], ["method"]).ranked
    shipped = {name: study.ranked for preset in PRESETS for name, study in load_settings(preset).studies.items()}
    assert [name for name, ranked in shipped.items() if not ranked] == ["published"]


def test_rows_have_the_defaults_of_their_study_unless_they_say_otherwise() -> None:
    defaults = {"training": "frozen", "encoder": "transformer", "initialisation": "scratch"}
    first, second = study([PROTONET, {**TRX, "training": "end_to_end"}], ["method", "training"], **defaults).rows
    assert (first.training, first.encoder, first.initialisation, first.modalities) == (*defaults.values(), ("video",))
    assert (second.training, second.encoder) == ("end_to_end", "transformer")
    assert Row(method="trx", modalities=("video",)).training == "end_to_end"


def test_each_stands_for_three_rows_and_is_the_default() -> None:
    content = {"question": "?", "varies": ["method"], "rows": [TRX, {"method": "can", "modalities": ["video"]}]}
    rows = parse_settings({"preset": "mine", "studies": {"one": content}}, "mine.toml").studies["one"].rows
    assert [(row.method, row.modality_label) for row in rows] == [
        ("trx", "video"), ("trx", "sensors"), ("trx", "both"), ("can", "video"),
    ]  # fmt: skip
    with pytest.raises(HarnessError, match='or "each"'):
        study([{**TRX, "modalities": "every"}], ["method"])


@pytest.mark.parametrize(
    ("modalities", "label"), [(("video",), "video"), (("sensors",), "sensors"), (("video", "sensors"), "both")]
)
def test_modalities_have_a_label(modalities: tuple[str, ...], label: str) -> None:
    assert modality_label(modalities) == label


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('metod = "x"\nmodalities = ["video"]', r"no setting 'studies\.one\.rows\.0\.metod'.*Did you mean 'method'"),
        ('method = "x"\nmodalitis = ["video"]', r"no setting 'studies\.one\.rows\.0\.modalitis'.*'modalities'"),
        ('method = "x"\nmodalities = ["video"]\ntrainin = "frozen"', r"'studies\.one\.rows\.0\.trainin'.*'training'"),
        ('method = "x"\nmodalities = ["sound"]', r"'studies\.one\.rows\.0\.modalities\.0'.*'video' or 'sensors'"),
        ('method = "x"\nmodalities = ["sensors", "video"]', r"'studies\.one\.rows\.0\.modalities': modalities must be"),
        ('method = "x"\nmodalities = []', r"'studies\.one\.rows\.0\.modalities': modalities must be"),
        ('method = "x"\nmodalities = ["video"]\ntraining = "thawed"', r"rows\.0\.training'.*'end_to_end' or 'frozen'"),
    ],
)  # fmt: skip
def test_a_mistyped_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[studies.one]\nquestion = "?"\nvaries = []\n[[studies.one.rows]]\n{row}\n')
    with pytest.raises(HarnessError, match=message) as refusal:
        load_settings(str(path))
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('varies = ["method"]', r"setting 'studies\.one\.question'"),
        ('question = "?"', r"setting 'studies\.one\.varies'"),
        ('question = "?"\nvaries = []\nmodality = "each"', r"no setting 'studies\.one\.modality'.*'modalities'"),
    ],
)
def test_a_study_needs_a_question_and_what_it_varies(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[studies.one]\n{content}\n")
    with pytest.raises(HarnessError, match=message):
        load_settings(str(path))
