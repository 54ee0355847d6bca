"""Presets: files, what they extend, what a row changes of them, and the shipped ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.config.presets import PRESETS, load_settings, parse_settings, row_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.optimiser import rate

ROWS = '[studies.one]\nquestion = "?"\nvaries = []\nmodalities = ["video"]\nrows = [{ method = "random" }]\n'


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_file_is_a_preset_too(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "mine.toml", f"seeds = [3]\n{ROWS}"))
    assert (settings.preset, settings.seeds) == ("mine", (3,))
    assert [(row.method, row.modality_label) for row in settings.studies["one"].rows] == [("random", "video")]


def test_unknown_presets_and_files_that_are_no_toml(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Did you mean 'quick'"):
        load_settings("quik")
    with pytest.raises(HarnessError, match="not TOML"):
        load_settings(write(tmp_path, "mine.toml", "steps: 3"))


def test_a_preset_extends_a_shipped_one_and_is_merged_name_by_name(tmp_path: Path) -> None:
    text = 'extends = "quick"\nseeds = [3]\n[frozen]\nsteps = 7\n[studies.methods]\nquestion = "Mine?"\n'
    mine, quick = load_settings(write(tmp_path, "mine.toml", text)), load_settings("quick")
    assert (mine.preset, mine.seeds, mine.frozen.steps) == ("mine", (3,), 7)
    assert mine.frozen == quick.frozen.model_copy(update={"steps": 7}), "the rest of a table stays"
    assert mine.end_to_end == quick.end_to_end
    assert mine.studies["methods"].question == "Mine?"
    assert mine.studies["methods"].rows == quick.studies["methods"].rows


def test_lists_and_what_belongs_to_one_name_are_replaced(tmp_path: Path) -> None:
    base = f'[video_encoder]\nname = "resnet10t"\narguments = {{ channels = [8], stem_width = 8 }}\n{ROWS}'
    base += '[studies.one.reference]\nmethod = "random"\nmodalities = ["video"]\n'
    write(tmp_path, "base.toml", base)
    text = 'extends = "base.toml"\n[video_encoder]\narguments = { output_stride = 16 }\n'
    text += '[studies.one]\nrows = [{ method = "trx" }]\nreference = { method = "trx" }\n'
    settings = load_settings(write(tmp_path, "mine.toml", text))
    assert settings.video_encoder.name == "resnet10t"
    assert settings.video_encoder.arguments == {"output_stride": 16}
    assert [row.method for row in settings.studies["one"].rows] == ["trx"]
    assert settings.studies["one"].reference == {"method": "trx"}
    assert settings.studies["one"].modalities == ("video",)


def test_a_file_beside_the_file_comes_first_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "deep/base.toml", "way = 3\n")
    write(tmp_path, "deep/quick", "way = 4\n")
    mine = write(tmp_path, "deep/mine.toml", 'extends = "base.toml"\nshot = 2\n')
    other = write(tmp_path, "deep/other.toml", 'extends = "quick"\n')
    monkeypatch.chdir(tmp_path)
    assert (load_settings(mine).way, load_settings(mine).shot) == (3, 2)
    assert load_settings("deep/mine.toml").way == 3
    assert load_settings(other).way == 4
    further = write(tmp_path, "more/mine.toml", 'extends = "../deep/mine.toml"\nshot = 3\n')
    assert (load_settings(further).way, load_settings(further).shot) == (3, 3), "a chain of three"


def test_a_preset_that_extends_itself_is_refused_with_the_chain(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", 'extends = "b.toml"\n')
    write(tmp_path, "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(HarnessError, match=r"extends itself \(.*a\.toml -> .*b\.toml -> .*a\.toml\).*Remove `extends`"):
        load_settings(str(tmp_path / "a.toml"))
    own = write(tmp_path, "own.toml", 'extends = "own.toml"\n')
    with pytest.raises(HarnessError, match="extends itself"):
        load_settings(own)


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ('"standart"', "no preset 'standart'.*Did you mean 'standard'"),
        ('"nowhere.toml"', r"no preset 'nowhere\.toml': neither a shipped name nor a file"),
        ('["quick"]', "`extends` must name one preset"),
        ("3", "`extends` must name one preset"),
    ],
)
def test_an_unknown_base_is_refused_and_the_file_named(tmp_path: Path, extends: str, message: str) -> None:
    mine = write(tmp_path, "mine.toml", f"extends = {extends}\n")
    with pytest.raises(HarnessError, match=message) as refusal:
        load_settings(mine)
    assert mine in str(refusal.value)


def with_changes(changes: dict[str, Any], **settings: Any) -> Settings:
    rows = [{"method": "protonet", "changes": changes}, {"method": "protonet"}]
    study = {"question": "?", "varies": ["recipe"], "modalities": ["video"], "rows": rows}
    return parse_settings({"preset": "mine", "studies": {"one": study}, **settings}, "mine.toml")


def test_a_row_has_settings_of_its_own_on_top_of_the_runs() -> None:
    own = {"input": {"size": 40}, "end_to_end": {"steps": 9}, "video_encoder": {"arguments": {"output_stride": 16}}}
    settings = with_changes(own, video_encoder={"arguments": {"channels": [8]}})
    first, second = (row_settings(settings, row) for row in settings.studies["one"].rows)
    assert (first.input.size, first.input.frames) == (40, settings.input.frames), "the rest is the run's"
    assert first.budget("end_to_end").steps == 9
    assert first.video_encoder.arguments == {"output_stride": 16}, "a value is replaced, not mixed"
    assert second == settings.model_copy(update={"studies": {}})
    assert settings.input.size != 40, "the run's are left alone"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inptu": {"size": 40}}, "mine.toml, study one, row protonet: no setting 'inptu'. Did you mean 'input'"),
        ({"input": {"sise": 40}}, r"row protonet: no setting 'input\.sise'. Did you mean 'size'"),
        ({"input": {"size": "large"}}, r"row protonet: setting 'input\.size'.*integer.*got 'large'"),
        ({"input": 5}, "row protonet: setting 'input'"),
        ({"input": {"size": 57}}, "row protonet: the store keeps fewer frames or pixels"),
        ({"input": {"flip": True}}, "row protonet: 'input.flip' is the same for all rows"),
        ({"store": {"frames": 40}}, "row protonet: 'store' is the same for all rows of a run"),
        ({"way": 3}, "row protonet: 'way' is the same for all rows of a run.*A row may change input"),
        (
            {"warm_start": {"search": [0.1]}},
            "row protonet: setting 'warm_start': warm_start has no search: learning rates .*methods.$",
        ),
        ({"end_to_end": {"momentum": 0.9}}, "row protonet: setting 'end_to_end': momentum and nesterov belong"),
    ],
)
def test_a_mistyped_change_of_a_row_is_named_with_its_row(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        with_changes(changes)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_shipped_preset_parses_with_all_its_rows(preset: str) -> None:
    settings = load_settings(preset)
    assert settings.studies
    for study in settings.studies.values():
        assert study.rows
        for row in study.rows:
            row_settings(settings, row)


def test_full_extends_standard() -> None:
    full, standard = load_settings("full"), load_settings("standard")
    assert set(standard.studies) <= set(full.studies)
    assert full.end_to_end.steps > standard.end_to_end.steps
    assert full.preset == "full"


@pytest.mark.parametrize("preset", ["quick", "standard", "full"])
def test_the_main_study_compares_methods_and_nothing_else(preset: str) -> None:
    study = load_settings(preset).studies["methods"]
    assert study.varies == ("method",)
    assert {row.changes == {} for row in study.rows} == {True}
    assert {row.method for row in study.rows} >= {"mu_mae", "trx", "can", "mastaf", "cnaps", "protonet", "random"}


def test_the_published_preset_has_each_papers_own_settings() -> None:
    settings = load_settings("published")
    every = settings.studies["published"].rows
    rows = {(row.method, row.settings.get("classifier")): (row, row_settings(settings, row)) for row in every}
    papers = {
        "trx", "can", "mastaf", "cnaps", "otam", "hyrsm", "strm", "meta_baseline", "protonet", "mu_mae", "videomae",
    }  # fmt: skip
    assert {method for method, _ in rows} == {*papers, "random"}
    assert [row.settings for row in every if row.method == "mu_mae"] == [
        {"hidden": 16},
        {"as_released": True, "hidden": 16},
    ]
    mu_mae = next(row_settings(settings, row) for row in every if row.settings == {"hidden": 16})
    assert (mu_mae.input.frames, mu_mae.transformer.size, mu_mae.pretraining.epochs) == (16, "base", 801)
    trx, can, mastaf = (rows[name, None][1] for name in ("trx", "can", "mastaf"))
    assert (trx.video_encoder.name, trx.input.frames, trx.input.size, trx.video_encoder.pixel_norm) == (
        "resnet50", 8, 224, "none",
    )  # fmt: skip
    assert trx.end_to_end.learning_rate == pytest.approx(0.001 * 5 * 5), "summed over 25 queries"
    assert trx.end_to_end.steps * trx.end_to_end.episodes_per_step == 100_000
    assert [
        can.end_to_end.learning_rate * rate(step * 1200, can.end_to_end) for step in (0, 60, 70, 80)
    ] == pytest.approx([0.1, 0.006, 0.0012, 0.00024])
    assert (mastaf.video_encoder.name, mastaf.input.frames) == ("r3d_50", 16)
    strm, hyrsm = rows["strm", None][1].end_to_end, rows["hyrsm", None][1].end_to_end
    assert strm.learning_rate == pytest.approx(0.001 * 5 * 4), "summed over 20 queries"
    assert hyrsm.steps * hyrsm.episodes_per_step == 40_000
    assert [hyrsm.learning_rate * rate(step, hyrsm) for step in (2000, 6000, 9000)] == pytest.approx([1e-4, 1e-5, 1e-6])
    assert rows["meta_baseline", None][1].warm_start.objective == "classification"
    for classifier in ("generated", "mahalanobis"):
        row, own = rows["cnaps", classifier]
        assert own.budget(row.training).learning_rate == 5e-4


def test_another_network_gets_none_of_the_arguments_of_the_first(tmp_path: Path) -> None:
    """They belong to the network that the preset names: resnet10t's channels mean nothing to another."""
    assert load_settings("quick").video_encoder.arguments
    assert load_settings("quick", ["video_encoder.name=resnet18"]).video_encoder.arguments == {}
    named = ["video_encoder.name=resnet18", "video_encoder.arguments={ width = 4 }"]
    assert load_settings("quick", named).video_encoder.arguments == {"width": 4}
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "quick"\n[video_encoder]\nname = "resnet18"\n', "utf-8")
    assert load_settings(str(mine)).video_encoder.arguments == {}
