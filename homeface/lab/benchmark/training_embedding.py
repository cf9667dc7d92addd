"""Faces a second of our engine beside a plain PyTorch loop (``python -m`` this module).

The plain loop is what most training scripts do: a ``DataLoader`` whose workers decode pictures and augment
them one by one with torchvision, the same network, loss, optimiser and half precision, batch by batch.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from homeface.inference.manifest import Kind, find_spec
from homeface.lab.training.embedding.aligned import read_aligned, read_face
from homeface.lab.training.embedding.data import Listed
from homeface.lab.training.embedding.held_out import Examination
from homeface.lab.training.embedding.losses import LossSettings, loss_of
from homeface.lab.training.embedding.networks import backbone_named, build
from homeface.lab.training.embedding.run import EmbeddingRequest, Lesson, Source, lists_of, make_task
from homeface.lab.training.embedding.task import Course
from homeface.lab.training.engine import engine
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.settings import TrainingSettings


class _Pictures(Dataset[Any]):
    """Decoded and augmented one by one, on the processor."""

    def __init__(self, listed: Listed, side: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        from torchvision.transforms import v2

        self._listed = listed
        self._change = v2.Compose(
            [
                v2.ToImage(),
                v2.RandomAffine(12, translate=(0.03, 0.03), scale=(0.92, 1.08)),
                v2.CenterCrop(128),
                v2.Resize(side, antialias=True),
                v2.RandomHorizontalFlip(),
                v2.ColorJitter(0.3, 0.3, 0.3),
                v2.RandomGrayscale(0.15),
                v2.RandomApply([v2.GaussianBlur(5)], 0.2),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([m / 255 for m in mean], [s / 255 for s in std]),
            ]
        )

    def __len__(self) -> int:
        return len(self._listed.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self._change(read_face(self._listed.files[index])), self._listed.labels[index]


def plain(request: EmbeddingRequest, listed: Listed, seconds: float, workers: int) -> float:
    """Faces a second of the plain loop, its first ten steps not counted."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone = request.lesson.backbone
    module = nn.ModuleList([build(backbone), loss_of(request.lesson.loss, backbone.dimension, listed.people)])
    network, head = module.to(device).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=request.lesson.course.rate)
    scaler: Any = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    loader: DataLoader[Any] = DataLoader(
        _Pictures(listed, backbone.input_px, backbone.mean, backbone.std),
        batch_size=request.settings.batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )
    done, began = 0, time.perf_counter()
    while True:
        for pixels, labels in loader:
            with torch.autocast(device.type, enabled=device.type == "cuda"):
                vectors = network(pixels.to(device, non_blocking=True))
                loss = head(vectors, labels.to(device, non_blocking=True))
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            done += 1
            if done == _NOT_COUNTED:
                float(loss.detach())
                began = time.perf_counter()
            if done > _NOT_COUNTED and time.perf_counter() - began >= seconds:
                float(loss.detach())  # waits for the device
                return (done - _NOT_COUNTED) * request.settings.batch / (time.perf_counter() - began)


_NOT_COUNTED = 10


def ours(request: EmbeddingRequest, listed: Listed, folder: Path) -> float:
    """Faces a second of the engine, in the last epoch."""
    aligned = read_aligned(request.source.folder)
    apart = lists_of(request.source, aligned)[1]
    with engine(request.settings) as running:
        task, _ = make_task(request, listed, aligned, apart)
        run = RunFolder(folder)
        run.begin({}, resume=False)
        return float(running.fit(task, run).progress.history[-1]["per_second"])


def main() -> None:
    """Measure both and print JSON."""
    parser = argparse.ArgumentParser(description="Faces a second: the engine, and a plain PyTorch loop.")
    parser.add_argument("aligned", type=Path)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--backbone", default="mobilefacenet")
    given = parser.parse_args()
    backbone = backbone_named(given.backbone)
    detector = find_spec("yunet_n", Kind.DETECTOR)
    request = EmbeddingRequest(
        name="speed",
        source=Source(folder=given.aligned, aligned=given.aligned, detector=detector, models=()),
        lesson=Lesson(backbone=backbone, loss=LossSettings(), course=Course(), repeat=given.repeat),
        settings=TrainingSettings(epochs=2, batch=given.batch),
        examination=Examination(households=0),
    )
    listed = lists_of(request.source, read_aligned(given.aligned))[0]
    with tempfile.TemporaryDirectory() as folder:
        engine_rate = ours(request, listed, Path(folder))
    plain_rate = plain(request, listed, given.seconds, given.workers)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    told = {"backbone": given.backbone, "batch": given.batch, "device": device, "workers": given.workers}
    told |= {"faces_per_second": round(engine_rate, 1), "plain_loop": round(plain_rate, 1)}
    print(json.dumps(told | {"ratio": round(engine_rate / plain_rate, 2)}))


if __name__ == "__main__":
    main()
