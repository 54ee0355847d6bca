"""What transformers start from: the states that a pre-training left, or a file of released weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Encoder
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder, by_modality
from mmact_oneshot.harness.encoders.sensor_transformer import SensorTransformer
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.space_time_vit import SpaceTimeViT
from mmact_oneshot.harness.encoders.state_differences import differences
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.encoders.videomae_names import videomae_names
from mmact_oneshot.harness.encoders.weights import read_weights, require_finite
from mmact_oneshot.harness.runtime.errors import HarnessError

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")  # of the released Mu-MAE, as MMAct's layouts call them
SENSOR_SAMPLES = 8  # of a token there: 128 in 16 tokens
DECODERS = ("phone_decoder.", "watch_decoder.", "gyro_decoder.", "ori_decoder.")


def start_from(encoder: Encoder, states: Mapping[str, Mapping[str, Tensor]], where: Path | str | None = None) -> bool:
    """Give a transformer the state of its modality: all of it or an error, never a part.

    Args:
        states: modality -> state, as :meth:`mmact_oneshot.harness.api.Pretraining.states` gives them.
        where: the file that they come from, to be named in errors.

    Returns:
        Whether there was one; the encoder is left as it is where there is none.

    Raises:
        HarnessError: the encoder is no transformer with joint attention, or its state differs in names or shapes; all
            differences are listed.
    """
    transformer = _transformer(encoder)
    state = states.get(encoder.modality)
    if state is None:
        return False
    if wrong := differences(transformer.state_dict(), state):
        raise HarnessError(
            f"what the transformer of {encoder.modality} is to start from does not fit it: {'; '.join(wrong)}.",
            where=where,
            remedy="Check transformer.size, patch, tubelet and sensor_tokens, and input.sensor_length.",
        )
    transformer.load_state_dict(state)
    return True


def read_states(path: Path, sensors: tuple[str, ...]) -> dict[str, dict[str, Tensor]]:
    """Modality -> state out of a file of released weights, in the names of :class:`MultimodalEncoder`.

    VideoMAE (original pre-training and fine-tuning, and Hugging Face) has a state of the video; pre-training
    checkpoints of Mu-MAE (lxhit/mu-mae) have states of video and sensors. Decoders, mask token and classifier are left
    out. The release makes a sensor's token of every 16th sample; its weights fit tokens of as many consecutive samples
    as well, since only the number of values is part of the weights.

    Args:
        sensors: of the data; weights that embed sensors fit MMAct's four alone.

    Raises:
        HarnessError: no such file, unreadable, no such transformer, one that is not whole (all names that are missing,
            unexpected or of a wrong shape are listed), or other sensors than its own.
    """
    left_out = (*SpaceTimeViT.dropped, *DECODERS)
    given = {name: value for name, value in read_weights(path).items() if not name.startswith(left_out)}
    try:
        state = videomae_names(given)
    except HarnessError as error:
        raise HarnessError(error.problem, where=path) from error
    embedded = [name for name in state if name.startswith("sensor_embed.")]
    state |= {
        name: state[name].squeeze(2) for name in embedded if state[name].ndim == 3
    }  # were convolutions of width 1
    if wrong := differences(_whole(state, path, SENSORS if embedded else ()), state):
        raise HarnessError(
            f"is not a whole transformer of VideoMAE or Mu-MAE: {'; '.join(wrong)}.",
            where=path,
            remedy="Give a checkpoint as it was released.",
        )
    require_finite(state, path)
    if embedded and set(sensors) != set(SENSORS):
        raise HarnessError(
            f"embeds the sensors {', '.join(SENSORS)}; these data have {', '.join(sensors) or 'none'}.",
            where=path,
            remedy="Start from a file of VideoMAE, or from a pre-training on these data.",
        )
    return by_modality(state)


def _transformer(encoder: Encoder) -> nn.Module:
    if isinstance(encoder, SensorTransformer):
        return encoder.transformer
    backbone = encoder.backbone if isinstance(encoder, VideoEncoder) else None
    if isinstance(backbone, SpaceTimeViT) and not backbone.divided:
        return backbone
    raise HarnessError(
        f"the {encoder.modality} encoder is no transformer that could start from a state.",
        remedy='Set encoder = "transformer".',
    )


def _whole(state: Mapping[str, Tensor], path: Path, sensors: tuple[str, ...]) -> dict[str, Tensor]:
    """What a transformer of the width, depth and patches of ``state`` consists of, as shapes."""
    kernel = state.get("patch_embed.proj.weight", torch.empty(0))
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    if kernel.ndim != 5 or not kernel.numel() or not blocks:
        raise HarnessError(
            "holds no transformer of VideoMAE or Mu-MAE: no blocks, or no patch_embed.proj.weight of five axes.",
            where=path,
            remedy=f"Its names begin with {', '.join(list(state)[:3]) or 'nothing'}.",
        )
    width, _, tubelet, patch, _ = kernel.shape
    layout = Layout(
        frames=tubelet,
        size=patch,
        tubelet=tubelet,
        patch=patch,
        sensors=sensors,
        samples=SENSOR_SAMPLES,
        sensor_tokens=1,
    )
    with torch.device("meta"):
        return MultimodalEncoder(layout, Size(width, len(blocks), 1, 1, 1)).state_dict()
