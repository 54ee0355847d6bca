"""VideoMAE: a video transformer that was pre-trained by masked autoencoding, under a prototype head.

Tong, Song, Wang, Wang, "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
Pre-Training", NeurIPS 2022 (arXiv 2203.12602): tokens are cubes of 2 frames and 16 x 16 pixels; 90 % of the places are
masked, the same at all times (tube masking); the encoder gets the rest only, and a light decoder predicts the masked
cubes, each at zero mean and unit deviation in each colour, under a mean squared error. It is Mu-MAE's pre-training
without sensors (``methods/mu_mae/pretraining.py``), and that is what runs here.

The paper classifies; for one shot the clip's vector (LayerNorm of the mean token) goes to a prototypical network
(``protonet.py``, eq. 1-2 of Snell et al. 2017), so that the row differs from ProtoNet's in the encoder alone.

Published recipe: ViT-B on 16 frames of 224 px; pre-training with AdamW, betas (0.9, 0.95), weight decay 0.05, learning
rate 1.5e-4 per 256 clips, cosine schedule, multi-scale crops, 800 to 2,400 epochs; fine-tuning with layer-wise decay of
the rate. Deviations: sizes, clips and budget are the run's, and the augmentation is that of all rows.

Original code: MCG-NJU/VideoMAE (CC BY-NC 4.0); nothing of it is used here. Its weights can be read
(``initialisation`` of a row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.harness.api import Clips, Features, Needs, Pretraining, Setup
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.methods.mu_mae.precomputed import PrecomputedVectors
from mmact_oneshot.methods.mu_mae.pretraining import MaskedAutoencoding
from mmact_oneshot.methods.mu_mae.prior import build_prior, clip_layout

BIBTEX = """@inproceedings{tong2022videomae,
  title = {{VideoMAE}: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video Pre-Training},
  author = {Tong, Zhan and Song, Yibing and Wang, Jue and Wang, Limin},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2022}
}"""


class VideoMAE(ProtoNet):
    """Class means of the transformer's vectors, squared distance to the query.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        projection: width of a linear layer on the normalised vector; 0 leaves the vector as it is.
        global_loss: weight of a linear classification of the queries over all training classes; 0 leaves it out.
        video_ratio: share of the places that the pre-training hides.

    Raises:
        NotApplicable: clips that cannot be cut into tokens, or pre-trained weights that do not fit.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=(), modalities=("video",))

    def __init__(
        self, setup: Setup, *, projection: int = 0, global_loss: float = 0.0, video_ratio: float = 0.9
    ) -> None:
        stand_in = PrecomputedVectors(SIZES[setup.transformer.size].width)
        super().__init__(replace(setup, encoders={"video": stand_in}), projection=projection, global_loss=global_loss)
        del self.encoders["video"]  # the transformer is the method's own
        self.transformer = build_prior(setup, clip_layout(setup))

    @classmethod
    def pretraining(cls, setup: Setup, **settings: Any) -> Pretraining | None:
        return MaskedAutoencoding(setup, **{name: settings[name] for name in ("video_ratio",) if name in settings})

    def own_encoders(self) -> Sequence[nn.Module]:
        return (self.transformer,)

    def encode_own(self, clips: Clips) -> Features:
        """The clip's vector (B, D)."""
        return {"video.vector": self.transformer(clips), "video.present": clips.present["video"]}
