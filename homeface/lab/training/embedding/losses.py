"""What a network is taught by: (N, D) vectors and the number of each one's person become one loss.

The margin heads and the triplets are a few lines of formula each; a library would bring its own samplers,
miners and dependencies for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as f
from torch import nn

from homeface.errors import ModelError

LOSSES = ("arcface", "cosface", "softmax", "triplet")
_EPSILON = 1e-7


@dataclass(frozen=True, slots=True)
class LossSettings:
    """``margin`` None: the paper's; an angle in radians for arcface, a cosine for cosface, a squared distance
    for triplet. ``scale``: length that vectors and class centres are given (arcface, cosface).
    """

    kind: str = "arcface"
    margin: float | None = None
    scale: float = 64.0


_MARGINS = {"arcface": 0.5, "cosface": 0.35, "softmax": 0.0, "triplet": 0.2}


def loss_of(settings: LossSettings, dimension: int, classes: int) -> nn.Module:
    """The loss as a module: ``forward(vectors, labels)``. Raises ``ModelError`` for what cannot be taught."""
    if settings.kind not in LOSSES:
        raise ModelError(f"There is no loss called {settings.kind!r}. Known: {', '.join(LOSSES)}.")
    if classes < 2:
        raise ModelError(
            f"There is {classes} person to tell apart: a network learns from two people or more. "
            "Add people, or lower --least."
        )
    margin = _MARGINS[settings.kind] if settings.margin is None else settings.margin
    if settings.kind == "softmax":
        return SoftmaxHead(dimension, classes)
    if settings.kind == "triplet":
        return SemiHardTriplets(margin)
    return MarginHead(
        dimension, classes, angular=settings.kind == "arcface", margin=margin, scale=settings.scale
    )


class SoftmaxHead(nn.Module):
    """A linear layer over the vectors, and cross entropy."""

    def __init__(self, dimension: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, classes)

    def forward(self, vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy."""
        return f.cross_entropy(self.linear(vectors.float()), labels)


class MarginHead(nn.Module):
    """The right person's score is made harder before the softmax.

    ``angular``: cos(θ + m), ArcFace (Deng et al., 2019), carried on as a straight line where θ + m exceeds π;
    else cos θ - m, CosFace (Wang et al., 2018). Computed in float32 whatever the network computes in.
    """

    def __init__(self, dimension: int, classes: int, *, angular: bool, margin: float, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(classes, dimension))
        nn.init.normal_(self.centres, std=0.01)
        self._angular, self._margin, self._scale = angular, margin, scale

    def logits(self, vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(N, classes) scaled scores, the right one's with its margin."""
        with torch.autocast(vectors.device.type, enabled=False):
            cosine = f.linear(f.normalize(vectors.float()), f.normalize(self.centres.float()))
            own = cosine.gather(1, labels[:, None]).clamp(-1 + _EPSILON, 1 - _EPSILON)
            if self._angular:
                sine = torch.sqrt(1 - own.square())
                harder = own * math.cos(self._margin) - sine * math.sin(self._margin)
                beyond = own < math.cos(math.pi - self._margin)
                harder = torch.where(beyond, own - self._margin * math.sin(self._margin), harder)
            else:
                harder = own - self._margin
            return self._scale * cosine.scatter(1, labels[:, None], harder)

    def forward(self, vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy."""
        return f.cross_entropy(self.logits(vectors, labels), labels)


class SemiHardTriplets(nn.Module):
    """FaceNet's triplets (Schroff et al., 2015), chosen within the batch.

    For every pair of one person the negative is the nearest one that is farther than the positive (within the
    margin it is semi-hard); where none is farther, the farthest one. Distances are squared ones, between unit
    vectors.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self._margin = margin

    def forward(self, vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean over all pairs of one person; nothing to learn (0) in a batch without pairs or negatives."""
        with torch.autocast(vectors.device.type, enabled=False):
            unit = f.normalize(vectors.float())
            distance = (2 - 2 * unit @ unit.T).clamp_min(0)
            same = labels[:, None] == labels[None, :]
            anchor, positive = torch.nonzero(
                same & ~torch.eye(len(labels), dtype=torch.bool, device=same.device)
            ).T
            near = distance[anchor, positive][:, None]
            rows, strange = distance[anchor], ~same[anchor]
            has_strangers = strange.any(dim=1)
            farther = strange & (rows > near)
            semi_hard = rows.masked_fill(~farther, torch.inf).min(dim=1).values
            farthest = rows.masked_fill(~strange, -torch.inf).max(dim=1).values
            negative = torch.where(farther.any(dim=1), semi_hard, farthest)
            loss = (near[:, 0] - negative + self._margin).clamp_min(0)[has_strangers]
            return loss.mean() if len(loss) else vectors.float().sum() * 0


class Distillation(nn.Module):
    """A student's vectors are drawn to a teacher's of the very same pictures.

    One minus the cosine between the teacher's vector and the student's, through a linear layer where their
    lengths differ; plus how far the student's cosines between the batch's faces are from the teacher's (Park
    et al., "Relational Knowledge Distillation", 2019), since cosines are what identification compares.
    """

    def __init__(self, dimension: int, teacher_dimension: int, relations: float = 1.0) -> None:
        super().__init__()
        self.bridge: nn.Module = (
            nn.Identity()
            if dimension == teacher_dimension
            else nn.Linear(dimension, teacher_dimension, bias=False)
        )
        self._relations = relations

    def forward(self, vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean over the batch."""
        with torch.autocast(vectors.device.type, enabled=False):
            student, teacher = f.normalize(vectors.float()), f.normalize(targets.float())
            direct = 1 - (f.normalize(self.bridge(student)) * teacher).sum(dim=1).mean()
            relation = f.smooth_l1_loss(student @ student.T, teacher @ teacher.T, beta=0.1)
            return direct + self._relations * 10 * relation
