"""Losses against their formulas, written out one face at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from homeface.errors import ModelError
from homeface.lab.training.embedding.losses import (
    Distillation,
    LossSettings,
    MarginHead,
    SemiHardTriplets,
    loss_of,
)

LABELS = torch.tensor([0, 1, 2, 1])


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(3)) * 5


@pytest.mark.parametrize(("kind", "margin"), [("arcface", 0.5), ("cosface", 0.35)])
def test_a_margin_makes_the_right_person_harder(kind: str, margin: float, vectors: torch.Tensor) -> None:
    head = loss_of(LossSettings(kind, scale=16.0), 8, 3)
    assert isinstance(head, MarginHead)
    centres = head.centres.detach().numpy()
    expected = []
    for vector, label in zip(vectors.numpy(), LABELS.tolist(), strict=True):
        scores = []
        for number, centre in enumerate(centres):
            cosine = float(vector @ centre / np.linalg.norm(vector) / np.linalg.norm(centre))
            if number == label:
                cosine = math.cos(math.acos(cosine) + margin) if kind == "arcface" else cosine - margin
            scores.append(16 * cosine)
        expected.append(math.log(sum(math.exp(s) for s in scores)) - scores[label])
    assert float(head(vectors, LABELS).detach()) == pytest.approx(float(np.mean(expected)), rel=1e-4)


def test_an_angle_beyond_pi_still_gets_worse_the_farther_it_is() -> None:
    head = MarginHead(2, 2, angular=True, margin=0.5, scale=1.0)
    angles = torch.tensor([math.pi - 0.6, math.pi - 0.4, math.pi - 0.2, math.pi])
    with torch.no_grad():
        head.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        rows = torch.stack([angles.cos(), angles.sin()], dim=1)
        own = head.logits(rows, torch.zeros(4, dtype=torch.long))[:, 0]
    assert torch.all(own[1:] < own[:-1])
    assert torch.isfinite(own).all()


def test_gradients_are_finite_where_a_face_lies_on_its_centre() -> None:
    head = MarginHead(2, 2, angular=True, margin=0.5, scale=64.0)
    with torch.no_grad():
        head.centres.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    head(rows, torch.tensor([0, 1])).backward()
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()


def test_triplets_take_the_nearest_negative_beyond_the_positive() -> None:
    # on a circle, by angle: two of person 0 at 0° and 20°, strangers at 10° (too near), 40°, 170°
    angles = torch.deg2rad(torch.tensor([0.0, 20.0, 10.0, 40.0, 170.0]))
    rows = torch.stack([angles.cos(), angles.sin()], dim=1)

    def apart(degrees: float) -> float:
        return 2 - 2 * math.cos(math.radians(degrees))

    first = apart(20) - apart(40) + 0.2  # anchor at 0°: 40° is the nearest beyond
    second = apart(20) - apart(150) + 0.2  # anchor at 20°: 10° and 40° are as near or nearer, 170° is beyond
    expected = (max(0.0, first) + max(0.0, second)) / 2
    loss = SemiHardTriplets(0.2)(rows, torch.tensor([0, 0, 1, 2, 3]))
    assert float(loss) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_a_batch_without_triplets_teaches_nothing(labels: list[int], vectors: torch.Tensor) -> None:
    vectors.requires_grad_()
    loss = SemiHardTriplets(0.2)(vectors, torch.tensor(labels))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_a_student_like_its_teacher_has_nothing_to_learn(vectors: torch.Tensor) -> None:
    assert float(Distillation(8, 8)(3 * vectors, vectors)) == pytest.approx(0.0, abs=1e-5)
    assert float(Distillation(8, 8)(vectors, vectors.flip(0))) > 0.1


@pytest.mark.parametrize(
    ("settings", "people", "told"),
    [
        (LossSettings("hinge"), 5, "no loss called 'hinge'. Known: arcface, cosface, softmax, triplet"),
        (LossSettings("softmax"), 1, "There is 1 person to tell apart"),
    ],
)
def test_what_cannot_be_taught(settings: LossSettings, people: int, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        loss_of(settings, 8, people)
