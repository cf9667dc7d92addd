"""A made household: each member a colour pattern, each photo with noise of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from homeface.inference.manifest import Kind, find_spec
from homeface.lab.training.embedding.aligned import WIDE_PX
from homeface.lab.training.embedding.networks import backbone_named, build
from homeface.lab.training.household.data import HouseholdData, Lot
from homeface.lab.training.household.run import HouseholdLesson

BACKBONE = backbone_named("mobilefacenet").sized(32, 16)


def make_household(members: int = 2, photos: int = 6) -> HouseholdData:
    """Members, and as many strangers of one picture each as there are photos."""
    dice = np.random.default_rng(0)
    patterns = dice.integers(0, 255, (members, 3, 8, 8))

    def lot() -> Lot:
        faces, labels = [], []
        for label in range(members + 1):
            for _ in range(photos):
                pattern = patterns[label] if label < members else dice.integers(0, 255, (3, 8, 8))
                noisy = np.clip(pattern + dice.normal(0, 20, pattern.shape), 0, 255).astype(np.uint8)
                faces.append(noisy.repeat(WIDE_PX // 8, axis=1).repeat(WIDE_PX // 8, axis=2))
                labels.append(label)
        return Lot(np.stack(faces), np.array(labels, np.int64))

    return HouseholdData(tuple(f"Member {n}" for n in range(members)), lot(), lot())


def lesson_for(folder: Path) -> HouseholdLesson:
    """The smallest network, at random; its weights lie in ``folder``."""
    torch.manual_seed(0)
    weights = folder / "tiny.pt"
    torch.save(build(BACKBONE).state_dict(), weights)
    return HouseholdLesson(
        backbone=BACKBONE,
        weights=weights,
        embedder=find_spec("mobilefacenet", Kind.EMBEDDER),
        models=(),
        views=2,
        repeat=2,
    )
