"""CNAPs and Simple CNAPs: a network that adapts the encoder's last stage to the support set, and a classifier from it.

Requeima, Gordon, Bronskill, Nowozin, Turner, "Fast and Flexible Multi-Task Classification Using Conditional Neural
Adaptive Processes", NeurIPS 2019 (arXiv 1906.07697), section 2: a task representation is the mean of a small network
over the support; FiLM layers are generated from it, and the classifier's weights from the class means of the adapted
support. Bateni, Goyal, Masrani, Wood, Sigal, "Improved Few-Shot Visual Classification", CVPR 2020 (arXiv 1912.03432),
section 4, replace that classifier by a Mahalanobis distance with a regularised covariance for each class.

Published recipe: ResNet-18 pre-trained on ImageNet and frozen, every stage modulated, 84 px images; Adam, 5e-4, 16
tasks a step. Deviations: by default the encoder's last stage is adapted, on maps that are computed once per clip
(``stage = "stage:0"`` adapts every stage after the stem); the task representation comes from those maps, of all
modalities together; the clip's vectors are fused as for every other head; a learned scale on the logits, since their
size depends on the width (it starts at 1 / width).

With one example of a class, the released Simple CNAPs takes the D values of that example for D observations of one
variable and adds their variance, a scalar, to every entry of the covariance. ``scalar_covariance`` does the same; by
default the covariance of a single example is zero.

Original code: cambridge-mlg/cnaps and peymanbateni/simple-cnaps (both MIT); nothing of it is used here.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, NotApplicable, Setup, Targets
from mmact_oneshot.harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{requeima2019fast,
  title = {Fast and Flexible Multi-Task Classification Using Conditional Neural Adaptive Processes},
  author = {Requeima, James and Gordon, Jonathan and Bronskill, John and Nowozin, Sebastian and Turner, Richard E.},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2019}
}

@inproceedings{bateni2020improved,
  title = {Improved Few-Shot Visual Classification},
  author = {Bateni, Peyman and Goyal, Raghav and Masrani, Vaden and Wood, Frank and Sigal, Leonid},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2020}
}"""


class CNAPs(FewShotMethod):
    """FiLM-adapted last stage and a classifier made from the support.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        classifier: "generated" (CNAPs) or "mahalanobis" (Simple CNAPs).
        stage: output of the encoder after which its layers are modulated.
        task_width: of the task representation.
        film_penalty: weight of the squared scales of the generated FiLM layers.
        scalar_covariance: as released, with one example of a class (see above).
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("stage:-2",))

    def __init__(
        self,
        setup: Setup,
        *,
        classifier: Literal["generated", "mahalanobis"] = "generated",
        stage: str = "stage:-2",
        task_width: int = 64,
        film_penalty: float = 0.001,
        scalar_covariance: bool = False,
    ) -> None:
        super().__init__(setup)
        self.stage, self.needs = stage, Needs(outputs=(stage,))
        self.task_encoder, self.film = nn.ModuleDict(), nn.ModuleDict()
        for name, encoder in setup.encoders.items():
            widths = encoder.film_widths(stage) if stage in encoder.widths else ()
            if not widths:
                raise NotApplicable(f"the {name} encoder has no normalisation layer to modulate after {stage}")
            width = encoder.widths[stage]
            self.task_encoder[name] = nn.Sequential(
                nn.GroupNorm(1, width), nn.Linear(width, task_width), nn.ReLU(), nn.Linear(task_width, task_width)
            )
            self.film[name] = FilmGenerator(task_width, widths)
        self.fusion = Fusion(setup, "vector")
        width = self.fusion.width
        self.generator = ClassifierGenerator(width) if classifier == "generated" else None
        self.log_scale = nn.Parameter(-torch.tensor(float(width)).log())
        self.film_penalty, self.scalar_covariance = film_penalty, scalar_covariance

    def embed(self, encoded: Features) -> Features:
        """The maps as they are, and each clip's part of the task representation, (B, task width)."""
        task = [
            torch.where(
                encoded[f"{name}.present"][:, None], network(encoded[f"{name}.{self.stage}"].mean(dim=(2, 3, 4))), 0
            )
            for name, network in self.task_encoder.items()
        ]
        return encoded | {"task": torch.stack(task).sum(dim=0)}

    def score(self, support: Features, query: Features) -> Tensor:
        episodes, way, shot = support["task"].shape[:3]
        task = support["task"].float().mean(dim=(1, 2))
        clips = {name: torch.cat([support[name].flatten(1, 2), query[name]], dim=1) for name in support}
        count = clips["task"].shape[1]
        adapted: Features = {}
        for name, generate in self._film_generators().items():
            film = [(g.repeat_interleave(count, 0), b.repeat_interleave(count, 0)) for g, b in generate(task)]
            value = clips[f"{name}.{self.stage}"].flatten(0, 1).float()
            adapted[f"{name}.vector"] = self.setup.encoders[name].tail(self.stage, value, film)
            adapted[f"{name}.present"] = clips[f"{name}.present"].flatten()
        vectors = self.fusion(adapted).float().unflatten(0, (episodes, count))
        examples, queries = vectors[:, : way * shot].unflatten(1, (way, shot)), vectors[:, way * shot :]
        if self.generator is not None:
            weight, bias = self.generator(examples.mean(dim=2))
            logits = queries @ weight.transpose(1, 2) + bias.unsqueeze(1)
        else:
            logits = mahalanobis(examples, queries, scalar_covariance=self.scalar_covariance)
        scores: Tensor = logits * self.log_scale.exp()
        return scores

    def _film_generators(self) -> dict[str, FilmGenerator]:
        return {name: module for name, module in self.film.items() if isinstance(module, FilmGenerator)}

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        penalty = torch.stack([film.penalty() for film in self._film_generators().values()]).sum()
        return super().loss(support, query, targets) | {"film": self.film_penalty * penalty}


class FilmGenerator(nn.Module):
    """FiLM parameters of some normalisation layers from a task representation (Requeima et al. 2019, section 2).

    Layers of the same width share the first linear layer, as the layers of a ResNet stage do in the paper.

    Args:
        task_width: of the representation.
        widths: channels of each layer.
    """

    def __init__(self, task_width: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = widths
        self.shared = nn.ModuleDict({str(width): nn.Linear(task_width, width) for width in dict.fromkeys(widths)})
        self.gamma = nn.ModuleList(ScaledResidual(width) for width in widths)
        self.beta = nn.ModuleList(ScaledResidual(width) for width in widths)

    def forward(self, task: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(E, task width) -> for every layer gamma (E, C) and beta (E, C)."""
        hidden = {width: F.relu(layer(task)) for width, layer in self.shared.items()}
        film = []
        for width, gamma, beta in zip(self.widths, self.gamma, self.beta, strict=True):
            film.append((gamma(hidden[str(width)]) + 1, beta(hidden[str(width)])))
        return film

    def penalty(self) -> Tensor:
        """Sum of the squared scales: how far the adaptation may go from none."""
        return torch.stack([part.scale.square().sum() for part in (*self.gamma, *self.beta)]).sum()


class ScaledResidual(nn.Module):
    """Three residual linear layers, times a learned scale that starts near zero: no adaptation at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual1, self.residual2, self.residual3 = (nn.Linear(width, width) for _ in range(3))
        self.scale = nn.Parameter(torch.randn(width) * 0.001)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.residual1(x) + x)
        x = F.relu(self.residual2(x) + x)
        scaled: Tensor = (self.residual3(x) + x) * self.scale
        return scaled


class ClassifierGenerator(nn.Module):
    """A linear classifier from class means (Requeima et al. 2019, section 2).

    Args:
        width: D, of the vectors.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Sequential(
            nn.Linear(width, width), nn.ELU(), nn.Linear(width, width), nn.ELU(), nn.Linear(width, width)
        )
        self.bias = nn.Sequential(nn.Linear(width, 1), nn.ELU(), nn.Linear(1, 1), nn.ELU(), nn.Linear(1, 1))

    def forward(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """(E, K, D) -> weights (E, K, D) and biases (E, K); the weights start from the class mean itself."""
        return self.weight(means) + means, self.bias(means).squeeze(-1)


def covariance_rows(support: Tensor, *, scalar_covariance: bool) -> Tensor:
    """Rows A of each class with A' A = lam S_class + (1 - lam) S_task, where lam = N / (N + 1) (Bateni et al. 2020).

    The covariances are unbiased; that of a single example is zero or, with ``scalar_covariance``, the variance of its
    values in every entry.

    Args:
        support: (E, K, N, D).

    Returns:
        (E, K, R, D): far fewer rows than columns, so nothing of size D x D is ever inverted.
    """
    episodes, way, shot, width = support.shape
    lam = shot / (shot + 1)
    everyone = support.flatten(1, 2)
    task = (everyone - everyone.mean(dim=1, keepdim=True)) * ((1 - lam) / (way * shot - 1)) ** 0.5
    rows = [task.unsqueeze(1).expand(-1, way, -1, -1)]
    if shot > 1:
        rows.append((support - support.mean(dim=2, keepdim=True)) * (lam / (shot - 1)) ** 0.5)
    elif scalar_covariance:
        rows.append((lam * support.var(dim=3, keepdim=True)).sqrt().expand(episodes, way, 1, width))
    return torch.cat(rows, dim=2)


def mahalanobis(support: Tensor, query: Tensor, *, scalar_covariance: bool = False) -> Tensor:
    """Minus the squared Mahalanobis distance to each class mean (Bateni et al. 2020, section 4, without a factor 1/2).

    The precision (A' A + 1)^-1 is applied by Woodbury's identity, in float64: it is a difference of large numbers.

    Args:
        support: (E, K, N, D).
        query: (E, Q, D).

    Returns:
        (E, Q, K), in the precision of ``support``.
    """
    rows = covariance_rows(support.double(), scalar_covariance=scalar_covariance)
    difference = query.double().unsqueeze(1) - support.double().mean(dim=2).unsqueeze(2)  # (E, K, Q, D)
    along = difference @ rows.transpose(2, 3)  # (E, K, Q, R)
    inner = rows @ rows.transpose(2, 3) + torch.eye(rows.shape[2], dtype=rows.dtype, device=rows.device)
    explained = (along * torch.linalg.solve(inner, along, left=False)).sum(dim=3)
    scores: Tensor = explained - difference.square().sum(dim=3)
    return scores.transpose(1, 2).to(support.dtype)


def precisions(support: Tensor, *, scalar_covariance: bool = False) -> Tensor:
    """The matrices that :func:`mahalanobis` applies: (E, K, N, D) -> (E, K, D, D)."""
    rows = covariance_rows(support.double(), scalar_covariance=scalar_covariance)
    unit = torch.eye(support.shape[3], dtype=rows.dtype, device=rows.device)
    matrices: Tensor = torch.linalg.inv(rows.transpose(2, 3) @ rows + unit)
    return matrices.to(support.dtype)
