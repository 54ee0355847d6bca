"""How torch computes: every choice a switch, whose default changes no result beyond the rounding of its precision."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ComputeSpec(BaseModel):
    """What makes a GPU fast. The CPU has few of these choices; with the defaults its results stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tf32: bool = Field(
        False,
        description="products and convolutions of float32 in TF32 on CUDA, which keeps 10 bits of a fraction; scores "
        "too. Part of the conditions of a training where it is on",
    )
    channels_last: bool = Field(
        True,
        description="networks of 2-D and 3-D convolutions keep the channels of a place together (NHWC, NDHWC); with "
        "GroupNorm, on CPUs alone",
    )
    fused_optimiser: bool = Field(True, description="a step of the optimiser in one kernel, on accelerators")
    attention: Literal["auto", "math"] = Field(
        "auto", description="auto: the fastest kernel that takes the inputs; math: products and softmax one by one"
    )
    compile_pretraining: bool = Field(False, description="torch.compile the network of a pre-training")
    pinned: bool = Field(
        True,
        description="on CUDA: copy the next batch from pinned memory, by a stream of its own, while a step is computed",
    )
