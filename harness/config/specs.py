"""What the store keeps, what encoders see of it, and which encoders: frozen settings, explained where they stand."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mmact_oneshot.harness.config.sizes import SIZES


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSpec(Frozen):
    """What ``prepare`` keeps of every clip: more than a clip needs, so that training can vary its draws."""

    frames: int = Field(16, ge=1, description="frames kept of each video, spread evenly over it")
    short_side: int = Field(56, ge=8, description="height or width, the smaller, in pixels: 1.15 x the input")
    encoding: Literal["raw", "jpeg"] = Field("jpeg", description="packed uint8 frames, or JPEG")
    jpeg_quality: int = Field(90, ge=1, le=100)
    sensor_grid: int = Field(256, ge=8, description="instants spread evenly over a performance")
    max_gap: float = Field(
        0.1, gt=0, description="seconds without a sample beyond which a grid point is 'not measured'"
    )


class InputSpec(Frozen):
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


class VideoEncoderSpec(Frozen):
    """A network over the frames of a clip: 2-D on each of them, 3-D, or a space-time transformer."""

    name: str = Field(
        "resnet10t",
        description="of timm; r3d_10 to r3d_200, r2plus1d_18, space_time_vit; an encoder of an installed package, or a "
        ".py file with one",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="passed on to the network's constructor")
    weights: str = Field("", description="file of released weights; empty: trained from scratch")
    norm: Literal["group", "frozen-batch"] = Field(
        "group", description="in the place of BatchNorm, or BatchNorm held at the weights' statistics"
    )
    pixel_norm: Literal["imagenet", "kinetics", "torchvision-video", "none"] = Field(
        "imagenet", description="mean and deviation that the weights expect; kinetics: those of 3D-ResNets"
    )
    background: Literal["keep", "subtract", "apart"] = Field(
        "keep",
        description="subtract the mean frame of the clip, or not; apart: subtract it and show it as one more frame",
    )
    pooling: Literal["mean", "dynamics", "both"] = Field(
        "mean", description="over time: means, what differs from the mean, or both at comparable sizes"
    )
    segments: int = Field(2, ge=1, description="the vector concatenates the means of this many parts of the clip")
    stage_side: int = Field(7, ge=1, description="a stage's map is averaged down to this side at most, as it is kept")


class SensorEncoderSpec(Frozen):
    """A 1-D residual network over all sensors of a clip, or an encoder of your own."""

    name: str = Field("resnet1d", description="or an encoder of an installed package, or a .py file with one")
    arguments: dict[str, Any] = Field(default_factory=dict, description="settings of such an encoder")
    width: int = Field(64, ge=8)
    blocks: int = Field(3, ge=1)
    segments: int = Field(2, ge=1)


class TransformerSettings(Frozen):
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
