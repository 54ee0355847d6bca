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
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import HarnessError, nearest

PRESETS = ("quick", "standard", "full")
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
    flip: bool = Field(False, description="mirror half of the training clips; wrong where a class depends on direction")


class VideoEncoderSpec(_Frozen):
    """A timm 2-D network applied to every frame."""

    name: str = "resnet10t"
    arguments: dict[str, Any] = Field(default_factory=dict, description="passed on to timm.create_model")
    norm: Literal["group", "frozen-batch"] = "group"
    background: Literal["keep", "subtract"] = Field("keep", description="subtract the mean frame of the clip, or not")
    pooling: Literal["mean", "dynamics"] = Field("mean", description="over time: means, or what differs from the mean")
    segments: int = Field(2, ge=1, description="the vector concatenates the means of this many parts of the clip")


class SensorEncoderSpec(_Frozen):
    """A 1-D residual network over all sensors of a clip."""

    width: int = Field(64, ge=8)
    blocks: int = Field(3, ge=1)
    segments: int = Field(2, ge=1)


class Budget(_Frozen):
    """Episodic optimisation with selection on the validation suite."""

    steps: int = Field(75, ge=1)
    episodes_per_step: int = Field(4, ge=1)
    queries: int = Field(2, ge=1, description="per class, in training episodes")
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps")
    looks: int = Field(5, ge=1, description="evenly spaced evaluations on validation episodes")
    micro_batch: int = Field(0, ge=0, description="clips encoded at a time in training; 0: all. Same gradients")


class Row(_Frozen):
    """One row of the table: a method, what it sees and what of it is trained."""

    method: str
    modalities: tuple[Modality, ...]
    regime: Literal["frozen", "tuned"] = Field("frozen", description="shared encoders frozen, or trained with the head")
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> Row:
        if self.modalities not in {("video",), ("sensors",), ("video", "sensors")}:
            raise ValueError('modalities must be ["video"], ["sensors"] or ["video", "sensors"]')
        return self

    @property
    def modality_label(self) -> str:
        return "both" if len(self.modalities) == 2 else self.modalities[0]


class Settings(_Frozen):
    """All settings of a run."""

    preset: str
    recipe: Literal["matched", "published"] = "matched"
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
    encoder_training: Budget = Field(Budget(), description="of the shared encoders, by the neutral objective")
    training: Budget = Field(Budget(), description="of every head on frozen encoders")
    tuning: Budget = Field(Budget(), description="of every head together with the encoders, from the shared state")
    rows: tuple[Row, ...] = ()

    @model_validator(mode="after")
    def _fitting(self) -> Settings:
        """Refuse an input that the store cannot give, or that is too short to pool."""
        if self.store.frames < self.input.frames or self.store.short_side < self.input.size:
            raise ValueError(
                "the store keeps fewer frames or pixels than the input wants: raise store.frames, store.short_side"
            )
        if self.video_encoder.segments > self.input.frames:
            raise ValueError("video_encoder.segments exceeds input.frames")
        if self.sensor_encoder.segments > self.input.sensor_length >> self.sensor_encoder.blocks:
            raise ValueError("sensor_encoder.segments exceeds the length that its blocks leave of input.sensor_length")
        return self

    def budget(self, regime: str) -> Budget:
        """The budget of a row's training."""
        return self.tuning if regime == "tuned" else self.training


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
        _apply(content, override)
    return parse_settings(content, where)


def parse_settings(content: Mapping[str, Any], where: str) -> Settings:
    """Validate settings; the error names the setting and the nearest right name."""
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        # a mistyped name also leaves the right one missing: the typing error is the one to tell
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        path = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            remedy = nearest(path.rpartition(".")[2], _known(first["loc"][:-1]))
            raise HarnessError(f"no setting {path!r}.", where=where, remedy=remedy) from error
        if not path:  # settings that do not fit together
            raise HarnessError(f"{first['msg'].removeprefix('Value error, ')}.", where=where) from error
        raise HarnessError(
            f"setting {path!r}: {first['msg'].removeprefix('Value error, ')} (given {first['input']!r}).",
            where=where,
        ) from error


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


CODE = 1  # raised whenever the same settings would train to, or score, something else


def encoder_protocol(settings: Settings, modality: str, regimen: Regimen, common: dict[str, str]) -> dict[str, Any]:
    """What decides a shared encoder, but for the seed.

    Args:
        common: digests of data, split and val suite, and the precision.
    """
    spec = settings.video_encoder if modality == "video" else settings.sensor_encoder
    return {
        "code": CODE,
        **common,
        "classes": regimen.classes,
        "selection": regimen.selection,
        "modality": modality,
        "encoder": spec.model_dump(),
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "budget": settings.encoder_training.model_dump(),
        "way": settings.way,
        "shot": settings.shot,
    }


def training_protocol(
    settings: Settings, row: Row, regimen: Regimen, common: dict[str, str], *, shared: bool
) -> dict[str, Any]:
    """What must be equal for a matched ranking: everything about training but the method itself and the seed.

    Args:
        common: digests of data, split and val suite, and the precision.
        shared: whether the method works on the shared encoders, or has its own from scratch.
    """
    encoders = {"video": settings.video_encoder, "sensors": settings.sensor_encoder}
    return {
        "code": CODE,
        "recipe": settings.recipe,
        **common,
        "classes": regimen.classes,
        "selection": regimen.selection,
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "modalities": list(row.modalities),
        "encoders": {name: encoders[name].model_dump() for name in row.modalities} if shared else "the method's own",
        "initialisation": "shared encoders, trained with prototype loss" if shared else "from scratch",
        "encoder_training": settings.encoder_training.model_dump() if shared else None,
        "regime": row.regime,
        "training_clips": "features of the fixed rule" if row.regime == "frozen" else "augmented",
        "training": settings.budget(row.regime).model_dump(),
        "way": settings.way,
        "shot": settings.shot,
    }


def _apply(content: dict[str, Any], override: str) -> None:
    """Set ``a.b=value``; the value is TOML, and a bare word is a string."""
    name, equals, text = override.partition("=")
    if not equals:
        raise HarnessError(f"override {override!r} has no '='.", remedy="Write --set training.steps=50.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = name.strip().split(".")
    target = content
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise HarnessError(
                f"no setting {name!r}: {parent!r} has no parts.",
                remedy=nearest(parent, Settings.model_fields),
            )
    target[last] = value


def _known(location: tuple[int | str, ...]) -> list[str]:
    """Names of the settings at a place in the tree of models."""
    model: Any = Settings
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = getattr(annotation, "__args__", (annotation,))
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), annotation)
    return sorted(model.model_fields)
