"""Aligned faces that are made: each person a colour pattern, each picture with noise of its own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from homeface.inference.manifest import Kind, find_spec
from homeface.lab.training.embedding.aligned import INDEX, LIST, WIDE_PX
from homeface.lab.training.embedding.held_out import Examination
from homeface.lab.training.embedding.losses import LossSettings
from homeface.lab.training.embedding.networks import backbone_named
from homeface.lab.training.embedding.run import EmbeddingRequest, Lesson, Source
from homeface.lab.training.settings import TrainingSettings

QUALITY = (60.0, 0.05, 0.0, 0.0, 0.0, 120.0, 50.0, 0.0, 1.0)


def make_aligned(folder: Path, people: int = 10, pictures: int = 4) -> Path:
    """What ``homeface lab align`` leaves."""
    dice = np.random.default_rng(0)
    rows, lines = [], []
    for person in range(people):
        pattern = dice.integers(0, 255, (6, 6, 3))
        (folder / f"p{person}").mkdir(parents=True)
        for number in range(pictures):
            noisy = np.clip(pattern + dice.normal(0, 20, pattern.shape), 0, 255).astype(np.uint8)
            file = f"p{person}/{number}.jpg"
            cv2.imwrite(str(folder / file), cv2.resize(noisy, (WIDE_PX, WIDE_PX)))
            row = {"version": 1, "detector": "yunet_n", "person": f"p{person}", "picture": f"{number}.jpg"}
            row |= {"digest": f"{person}-{number}", "file": file, "score": 0.9, "box": [0, 0, 9, 9]}
            rows.append(json.dumps(row | {"quality": QUALITY}))
            lines.append(f"{file} {person}")
    (folder / INDEX).write_text("\n".join(rows) + "\n")
    (folder / LIST).write_text("\n".join(lines) + "\n")
    return folder


def request_for(
    folder: Path, *, loss: str = "arcface", epochs: int = 2, resume: bool = False
) -> EmbeddingRequest:
    """The smallest network, for a second or two."""
    detector = find_spec("yunet_n", Kind.DETECTOR)
    return EmbeddingRequest(
        name="tiny",
        source=Source(folder=folder, aligned=folder, detector=detector, models=(), held_out=3),
        lesson=Lesson(
            backbone=backbone_named("mobilefacenet").sized(32, 16),
            loss=LossSettings(loss, scale=16.0 if loss != "triplet" else 64.0),
            groups=2,
        ),
        settings=TrainingSettings(epochs=epochs, batch=8, device="cpu", clip_norm=5.0),
        examination=Examination(households=0),
        resume=resume,
    )
