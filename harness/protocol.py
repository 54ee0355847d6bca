"""Every setting of a run, frozen, with the digests that decide which rows may be compared.

Settings come from a preset file (TOML) and overrides such as ``training.steps=50``. Two digests are derived:

* *evaluation*: data, split, suite, way, shot, queries. Rows of one table must agree in it.
* *training*: classes seen, encoders, initialisation, input, budget, selection, regime. A ranking requires it too.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.budget import Budget as Budget
from harness.budget import PretrainingBudget as PretrainingBudget
from harness.encoders.sizes import SIZES
from harness.errors import HarnessError, nearest
from harness.overrides import apply_override, names_at

PRESETS = ("quick", "standard", "full", "published")
Modality = Literal["video", "sensors"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSpec(_Frozen):
    """What ``prepare`` keeps of every clip: more than a clip needs, so that training can vary its draws."""

    frames: int = Field(16, ge=1, description="frames kept of each video, spread evenly over it")
    short_side: int = Field(56, ge=8, description="height or width, the smaller, in pixels: 1.15 x the input")
    encoding: Literal["raw", "jpeg"] = Field("jpeg", description="packed uint8 frames, or JPEG")
    jpeg_quality: int = Field(90, ge=1, le=100)
    sensor_grid: int = Field(256, ge=8, description="instants spread evenly over a performance")
    max_gap: float = Field(
        0.1, gt=0, description="seconds without a sample beyond which a grid point is 'not measured'"
    )


class InputSpec(_Frozen):
    """What the encoders see of a stored clip."""

    frames: int = Field(8, ge=1)
    size: int = Field(48, ge=8, description="side of the square crop, pixels")
    sensor_length: int = Field(64, ge=4)
    sensor_scale: Literal["physical", "minmax"] = Field(
        "physical", description="fixed scale per unit, or per-recording min-max as some papers do"
    )
    crop: float = Field(0.8, gt=0, le=1, description="smallest share of the short side that a training crop covers")
    window: float = Field(0.85, gt=0, le=1, description="smallest share of a performance that a training clip covers")
    flip: bool = Field(
        False,
        description="mirror half of the training clips; only where no class of the split depends on direction, and "
        "only videos used without sensors, because a mirrored video shows them on the wrong side",
    )
    rotation: float = Field(5, ge=0, le=180, description="largest turn of a training clip, degrees either way")
    brightness: float = Field(0.2, ge=0, le=1, description="largest relative change of a training clip's brightness")
    contrast: float = Field(0.2, ge=0, le=1, description="largest relative change of a training clip's contrast")
    saturation: float = Field(0.2, ge=0, le=1, description="largest relative change of a training clip's saturation")
    hue: float = Field(0, ge=0, le=0.5, description="largest shift of a training clip's hue, share of the circle")


class VideoEncoderSpec(_Frozen):
    """A network over the frames of a clip: 2-D on each of them, 3-D, or a space-time transformer."""

    name: str = Field("resnet10t", description="of timm; or r3d_18, r3d_34, r3d_50, r2plus1d_18, space_time_vit")
    arguments: dict[str, Any] = Field(default_factory=dict, description="passed on to the network's constructor")
    weights: str = Field("", description="file of released weights; empty: trained from scratch")
    norm: Literal["group", "frozen-batch"] = Field(
        "group", description="in the place of BatchNorm, or BatchNorm held at the weights' statistics"
    )
    pixel_norm: Literal["imagenet", "kinetics", "torchvision-video", "none"] = Field(
        "imagenet", description="mean and deviation that the weights expect; kinetics: those of 3D-ResNets"
    )
    background: Literal["keep", "subtract"] = Field("keep", description="subtract the mean frame of the clip, or not")
    pooling: Literal["mean", "dynamics"] = Field("mean", description="over time: means, or what differs from the mean")
    segments: int = Field(2, ge=1, description="the vector concatenates the means of this many parts of the clip")
    stage_side: int = Field(7, ge=1, description="a stage's map is averaged down to this side at most, as it is kept")


class SensorEncoderSpec(_Frozen):
    """A 1-D residual network over all sensors of a clip."""

    width: int = Field(64, ge=8)
    blocks: int = Field(3, ge=1)
    segments: int = Field(2, ge=1)


class TransformerSettings(_Frozen):
    """The transformer that masked autoencoders train, and what it makes tokens of; see also ``pretraining``."""

    size: str = Field("tiny", description=f"one of {', '.join(SIZES)}")
    patch: int = Field(8, ge=1, description="side of a video token, pixels")
    tubelet: int = Field(2, ge=1, description="frames of a video token")
    sensor_tokens: int = Field(16, ge=1, description="tokens of each sensor")
    pixel_norm: Literal["imagenet", "kinetics", "torchvision-video", "none"] = "imagenet"
    background: Literal["keep", "subtract"] = Field("keep", description="subtract the mean frame of the clip, or not")

    @field_validator("size")
    @classmethod
    def _known(cls, size: str) -> str:
        if size not in SIZES:
            raise ValueError(f"no size {size!r}. Known: {', '.join(SIZES)}")
        return size


SCRATCH, LONGER = "scratch", "longer"
EACH = (("video",), ("sensors",), ("video", "sensors"))
MODALITIES = 'modalities must be ["video"], ["sensors"], ["video", "sensors"] or "each" (three rows)'


class Row(_Frozen):
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


class Settings(_Frozen):
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
            (resources.files("harness.presets") / f"{preset}.toml").read_text("utf-8"),
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


def digest(content: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def evaluation_digest(data: str, split: str, suite: str) -> str:
    """Digest of what a row was tested on; a suite's digest covers way, shot, queries and every drawn clip."""
    return digest({"data": data, "split": split, "suite": suite})


@dataclass(frozen=True)
class Regimen:
    """Which classes are trained on and which state is kept."""

    name: str
    classes: str
    selection: str


HEADLINE_REGIMEN = Regimen("headline", "base", "best accuracy on the val suite, ties to the earliest")
PAPER_REGIMEN = Regimen("paper", "base+validation", "last state")


def regimen_of(suite: str) -> Regimen:
    """The paper suite is trained as the released Mu-MAE code is; every other suite shares one training."""
    return PAPER_REGIMEN if suite == "test-paper" else HEADLINE_REGIMEN


SEARCH_SEED = 0  # learning rates are searched with it, whatever the seeds of a run, so that more seeds change nothing
CODE = 3  # raised whenever the same settings would train to, or score, something else


INITIALISATIONS = {
    "shared": "shared encoders, trained with prototype loss",
    "fresh": "each encoder's own initial state, or the weights it names",
}


def encoder_protocol(
    settings: Settings, modality: str, regimen: Regimen, common: dict[str, str], start: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What decides the state of an encoder before any head is trained on it, but for the seed.

    Args:
        common: digests of data, split and val suite, and the precision.
        start: the pre-training or the file that it starts from; None from scratch.
    """
    return {
        "code": CODE,
        **common,
        "classes": regimen.classes,
        "selection": regimen.selection,
        "modality": modality,
        "encoder": _encoder(settings, modality),
        "initialisation": settings.initialisation,
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "budget": settings.encoder_training.model_dump() if settings.initialisation == "shared" else None,
        "way": settings.way,
        "shot": settings.shot,
        **(start or {}),
    }


def training_protocol(
    settings: Settings,
    row: Row,
    regimen: Regimen,
    common: dict[str, str],
    *,
    shared: bool,
    start: dict[str, Any] | None = None,
    own_transformer: bool = False,
) -> dict[str, Any]:
    """What must be equal for a matched ranking: everything about training but the method itself and the seed.

    Args:
        common: digests of data, split and val suite, and the precision.
        shared: whether the method works on the shared encoders, or has its own from scratch.
        start: the pre-training or the file that transformers start from; empty or None from scratch.
        own_transformer: the method has one, which nothing else here describes.
    """
    initialisation = INITIALISATIONS[settings.initialisation] if shared else "from scratch"
    if row.initialisation != SCRATCH:
        name = Path(row.initialisation).name
        own = f"the method's own transformer started from {name}"
        if settings.encoder == "transformer":
            own = f"transformer started from {name}"
        if row.initialisation == LONGER:
            own = "trained for as many more clips as a pre-training passes"
        initialisation = f"{initialisation}; {own}" if shared else own
    return {
        "code": CODE,
        "recipe": settings.recipe,
        **common,
        "classes": regimen.classes,
        "selection": regimen.selection,
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "modalities": list(row.modalities),
        "encoders": {name: _encoder(settings, name) for name in row.modalities} if shared else "the method's own",
        "initialisation": initialisation,
        "encoder_training": settings.encoder_training.model_dump()
        if shared and settings.initialisation == "shared"
        else None,
        "regime": row.regime,
        "training_clips": "features of the fixed rule" if row.regime == "frozen" else "augmented",
        "training": settings.budget(row.regime).model_dump(),
        "way": settings.way,
        "shot": settings.shot,
        **({"transformer": settings.transformer.model_dump()} if own_transformer else {}),
        **(start or {}),
    }


def weights_of(settings: Settings, modality: str) -> dict[str, str]:
    """Name and SHA-256 of the file that an encoder's weights come from; empty where it has none.

    Raises:
        HarnessError: it cannot be read.
    """
    if modality != "video" or settings.encoder == "transformer" or not settings.video_encoder.weights:
        return {}
    file = Path(settings.video_encoder.weights).expanduser()
    return {"name": file.name, "sha256": file_sha256(file)}


def _encoder(settings: Settings, modality: str) -> dict[str, Any]:
    """An encoder's settings, with the content of its weights in place of their path."""
    if settings.encoder == "transformer":
        read = settings.video_encoder if modality == "video" else settings.sensor_encoder
        pooled = read.model_dump(include={"pooling", "segments", "stage_side"})
        return {"transformer": settings.transformer.model_dump()} | pooled
    if modality == "sensors":
        return settings.sensor_encoder.model_dump()
    return settings.video_encoder.model_dump() | {"weights": weights_of(settings, modality).get("sha256", "")}


def file_sha256(file: Path) -> str:
    """SHA-256 of a file of weights, read once as long as it is not changed.

    Raises:
        HarnessError: it cannot be read.
    """
    return _sha256(file, file.stat().st_mtime_ns if file.is_file() else 0)


@cache
def _sha256(file: Path, _modified: int) -> str:
    from harness.encoders.weights import weights_digest  # here, because the data side reads settings without torch

    return weights_digest(file)
