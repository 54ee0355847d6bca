"""Every setting of a run, frozen: from a preset file (TOML) and overrides such as ``training.steps=50``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.config.budgets import Budget, PretrainingBudget
from harness.config.overrides import apply_override, names_at
from harness.config.specs import Frozen, InputSpec, SensorEncoderSpec, StoreSpec, TransformerSettings, VideoEncoderSpec
from harness.runtime.errors import HarnessError, nearest

PRESETS = ("quick", "standard", "full", "published")
Modality = Literal["video", "sensors"]
SCRATCH, LONGER = "scratch", "longer"
EACH = (("video",), ("sensors",), ("video", "sensors"))
MODALITIES = 'modalities must be ["video"], ["sensors"], ["video", "sensors"] or "each" (three rows)'


class Row(Frozen):
    """One row of the table: a method, what it sees and what of it is trained."""

    method: str
    modalities: tuple[Modality, ...]
    regime: Literal["frozen", "tuned"] = Field("frozen", description="shared encoders frozen, or trained with the head")
    encoder: Literal["default", "transformer"] | None = Field(
        None,
        description="shared encoders: video_encoder and sensor_encoder, or the transformer of `transformer`; none: as "
        "the run has it",
    )
    initialisation: str = Field(
        SCRATCH,
        description="what transformers start from: scratch; longer (from scratch, the shared encoders trained for as "
        "many more clips as a pre-training passes); a method with a pre-training; or a file of released weights",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="of the method")
    changes: dict[str, Any] = Field(
        default_factory=dict, description="settings of the run that are others in this row (published recipe only)"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Row:
        if self.modalities not in EACH:
            raise ValueError(MODALITIES)
        return self

    @property
    def modality_label(self) -> str:
        return "both" if len(self.modalities) == 2 else self.modalities[0]


ROW_SETTINGS = (
    "initialisation",
    "input",
    "video_encoder",
    "sensor_encoder",
    "transformer",
    "pretraining",
    "encoder_training",
    "training",
    "tuning",
)


class Settings(Frozen):
    """All settings of a run."""

    preset: str
    recipe: Literal["matched", "published"] = Field(
        "matched", description="the same conditions for every row, or in each row those of its paper"
    )
    initialisation: Literal["shared", "fresh"] = Field(
        "shared", description="encoders trained beforehand for all rows, or in their own initial state or weights"
    )
    encoder: Literal["default", "transformer"] = Field("default", description="of all rows that do not name theirs")
    way: int = Field(5, ge=2)
    shot: int = Field(1, ge=1)
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    suites: tuple[str, ...] = ("test", "test-cross-subject")
    episodes: int | None = Field(
        None, ge=2, description="use only the first so many episodes of each suite (smoke runs)"
    )
    removed_episodes: int = Field(
        1_000, ge=0, description="episodes of the headline suite that are scored with something removed; 0: none"
    )
    remove: Literal["modalities", "sensors"] = Field(
        "sensors", description="in turn: video and all sensors; or every single sensor as well"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on CUDA, float32 on CPU"
    )
    batch: int = Field(64, ge=1, description="clips encoded at a time outside training")
    store: StoreSpec = StoreSpec()
    input: InputSpec = InputSpec()
    video_encoder: VideoEncoderSpec = VideoEncoderSpec()
    sensor_encoder: SensorEncoderSpec = SensorEncoderSpec()
    transformer: TransformerSettings = TransformerSettings()
    pretraining: PretrainingBudget = Field(PretrainingBudget(), description="of every network that is pre-trained")
    encoder_training: Budget = Field(Budget(), description="of the shared encoders, by the neutral objective")
    training: Budget = Field(Budget(), description="of every head on frozen encoders")
    tuning: Budget = Field(Budget(), description="of every head together with the encoders, from the shared state")
    rows: tuple[Row, ...] = ()

    @field_validator("rows", mode="before")
    @classmethod
    def _each(cls, rows: Any) -> Any:
        """A row with ``modalities = "each"`` stands for three: video, sensors, and both."""
        if not isinstance(rows, (list, tuple)):
            return rows
        expanded: list[Any] = []
        for row in rows:
            seen = row.get("modalities") if isinstance(row, dict) else None
            if isinstance(seen, str) and seen != "each":
                raise ValueError(f'{MODALITIES}, not "{seen}"')
            expanded += [{**row, "modalities": each} for each in EACH] if seen == "each" else [row]
        return expanded

    @model_validator(mode="after")
    def _fitting(self) -> Settings:
        """Refuse an input that the store cannot give or that is too short to pool, and encoders that learn nothing."""
        if self.store.frames < self.input.frames or self.store.short_side < self.input.size:
            raise ValueError(
                "the store keeps fewer frames or pixels than the input wants: raise store.frames, store.short_side"
            )
        if self.video_encoder.segments > self.input.frames:
            raise ValueError("video_encoder.segments exceeds input.frames")
        if self.video_encoder.pooling == "dynamics" and self.video_encoder.segments == 1:
            raise ValueError(
                "video_encoder.pooling = dynamics takes off the mean over the clip, so that a single segment "
                "has a mean of zero: raise video_encoder.segments"
            )
        if self.video_encoder.norm == "frozen-batch" and not self.video_encoder.weights:
            raise ValueError(
                "video_encoder.norm = frozen-batch normalises by the statistics of released weights: name a file in "
                "video_encoder.weights, or choose group"
            )
        if self.sensor_encoder.segments > self.input.sensor_length >> self.sensor_encoder.blocks:
            raise ValueError("sensor_encoder.segments exceeds the length that its blocks leave of input.sensor_length")
        return self

    @model_validator(mode="after")
    def _fair(self) -> Settings:
        """Refuse what the recipe does not allow."""
        if self.encoder_training.search:
            raise ValueError("encoder_training has no search: learning rates are searched for heads")
        if self.recipe == "matched":
            if self.initialisation != "shared":
                raise ValueError("the matched recipe starts from shared encoders: initialisation must be 'shared'")
            for row in self.rows:
                if row.changes:
                    raise ValueError(f"row {row.method}: a matched row has no changes of its own")
        return self

    def budget(self, regime: str) -> Budget:
        """The budget of a row's training."""
        return self.tuning if regime == "tuned" else self.training

    def for_row(self, row: Row, where: str = "") -> Settings:
        """The settings that hold for a row: the run's, with the row's own changes.

        Raises:
            HarnessError: an unknown setting (with the nearest right name), a wrong value, or a setting that is the
                same for all rows of a run; the row is named.
        """
        own = self if row.encoder is None else self.model_copy(update={"encoder": row.encoder})
        if not row.changes:
            return own
        where = f"{where}{', ' * bool(where)}row {row.method}"
        content = own.model_dump(exclude={"rows"})
        for name, value in row.changes.items():
            if name in content and name not in ROW_SETTINGS:
                raise HarnessError(f"{name!r} is the same for all rows of a run.", where=where)
            if isinstance(value, Mapping) and isinstance(content.get(name), Mapping):
                value = {**content[name], **value}
            content[name] = value
        settings = parse_settings(content, where)
        if settings.input.flip != self.input.flip:  # it is off where a class of the split depends on left and right
            raise HarnessError("'input.flip' is the same for all rows of a run.", where=where)
        return settings


def load_settings(preset: str, overrides: Iterable[str] = ()) -> Settings:
    """Read a preset (a shipped name or a TOML file) and apply overrides ``dotted.name=value``.

    Raises:
        HarnessError: unknown preset, unknown setting (with the nearest right name), or a wrong value.
    """
    if preset in PRESETS:
        where, text = (
            f"preset {preset}",
            (resources.files("harness.config.presets") / f"{preset}.toml").read_text("utf-8"),
        )
    elif Path(preset).is_file():
        where, text = preset, Path(preset).read_text("utf-8")
    else:
        raise HarnessError(f"no preset {preset!r}: neither a shipped name nor a file.", remedy=nearest(preset, PRESETS))
    try:
        content = {"preset": Path(preset).stem, **tomllib.loads(text)}
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"not TOML ({error}).", where=where) from error
    for override in overrides:
        apply_override(content, override, Settings)
    return parse_settings(content, where)


def parse_settings(content: Mapping[str, Any], where: str) -> Settings:
    """Validate settings; the error names the setting and the nearest right name."""
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        # a mistyped name also leaves the right one missing: the typing error is the one to tell
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            remedy = nearest(path.rpartition(".")[2], names_at(Settings, first["loc"][:-1]))
            raise HarnessError(f"no setting {path!r}.", where=where, remedy=remedy) from error
        if not path:  # settings that do not fit together
            raise HarnessError(f"{first['msg'].removeprefix('Value error, ')}.", where=where) from error
        raise HarnessError(
            f"setting {path!r}: {first['msg'].removeprefix('Value error, ')} (given {first['input']!r}).",
            where=where,
        ) from error
    for row in settings.rows:
        settings.for_row(row, where)
    return settings
