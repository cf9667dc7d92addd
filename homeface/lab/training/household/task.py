"""Fine-tuning of the last blocks together with the household's layer, as a task of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as f
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from homeface.lab.training.embedding.networks import Backbone
from homeface.lab.training.embedding.views import Augmentation, Cutter, movements, weather, weathered
from homeface.lab.training.household.data import HouseholdData
from homeface.lab.training.household.linear import Linear
from homeface.lab.training.schedules import EachStep, warm_cosine
from homeface.lab.training.task import Dice, Figures

POSTURES = Augmentation(turn=20, lying_chance=0.1, bent_chance=0.3, blur_chance=0.3)
"""People lie on sofas and bend over tables."""
_SMOOTH = 0.05


class Classifier(nn.Module):
    """A backbone, and a linear layer over its unit vectors: (N, 3, h, w) to (N, classes)."""

    def __init__(self, network: nn.Module, linear: Linear, frozen: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(linear.weights.shape[1], len(linear.bias))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(linear.weights))
            self.head.bias.copy_(torch.from_numpy(linear.bias))
        self._frozen = tuple(frozen)
        for name, parameter in self.network.named_parameters():
            if self._is_frozen(name):
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Classifier:
        """Batch statistics stay as they are: a household is too few faces for new ones."""
        super().train(mode)
        self.network.train(False)
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(f.normalize(self.network(pixels).float()))
        return logits

    def _is_frozen(self, name: str) -> bool:
        return any(name.startswith(f"{part}.") for part in self._frozen)


class Photos:
    """Learned faces by number; each is shown ``repeat`` times an epoch."""

    def __init__(self, data: HouseholdData, repeat: int) -> None:
        self._labels, self._repeat = data.learned.labels, repeat

    def __len__(self) -> int:
        return len(self._labels) * self._repeat

    def order(self, dice: Dice) -> Sequence[int]:
        """Shuffled."""
        return [int(index) for _ in range(self._repeat) for index in dice.permutation(len(self._labels))]

    def sample(self, index: int, dice: Dice) -> int:  # noqa: ARG002 - views are drawn on the device
        """The number itself."""
        return index

    def collate(self, samples: list[int]) -> tuple[Tensor, Tensor]:
        """Numbers of faces and their classes."""
        return torch.tensor(samples), torch.from_numpy(self._labels[samples])


class FineTuning:
    """Judged by the loss on faces that nothing is learned from; the engine's patience stops it early."""

    kind = "household"
    judged_by = "val_loss"
    better: Literal["lower", "higher"] = "lower"

    def __init__(
        self, backbone: Backbone, module: Classifier, data: HouseholdData, *, rate: float, repeat: int
    ) -> None:
        self._module, self._household, self._rate = module, data, rate
        self._data = Photos(data, repeat)
        self._cutter = Cutter(backbone)
        self._faces = torch.from_numpy(data.learned.faces)
        counts = np.bincount(data.learned.labels, minlength=len(data.names) + 1)
        self._share = torch.tensor(counts.sum() / (len(counts) * np.maximum(1, counts)), dtype=torch.float32)

    @property
    def module(self) -> nn.Module:
        """Backbone and layer."""
        return self._module

    @property
    def data(self) -> Photos:
        """The learned faces."""
        return self._data

    def optimizer(self) -> Optimizer:
        """Of what is not frozen."""
        return AdamW(
            [p for p in self._module.parameters() if p.requires_grad], lr=self._rate, weight_decay=1e-3
        )

    def schedule(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> EachStep:
        """Warm-up, then a cosine."""
        return EachStep(optimizer, warm_cosine(steps_per_epoch * epochs, steps_per_epoch // 2))

    def losses(self, module: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Each face under a new view."""
        numbers, labels = batch
        device = labels.device
        cutter = self._cutter.to(device)
        with torch.no_grad():
            moved = movements(len(labels), POSTURES).to(device)
            pixels = cutter.cut(self._faces[numbers.cpu()].to(device), moved)
            pixels = cutter.normalised(weathered(pixels, weather(len(labels), POSTURES)))
        logits = module(pixels)
        return {"class": f.cross_entropy(logits, labels, self._share.to(device), label_smoothing=_SMOOTH)}

    def stepped(self) -> None:
        """Nothing."""

    def validate(self) -> Figures:
        """On the faces that judge, as they are."""
        self._module.eval()
        device = next(self._module.parameters()).device
        judged = self._household.judged
        cutter = self._cutter.to(device)
        with torch.no_grad():
            parts = torch.split(torch.from_numpy(judged.faces), 64)
            logits = torch.cat([self._module(cutter(part.to(device))).float().cpu() for part in parts])
        labels = torch.from_numpy(judged.labels)
        return {
            "val_loss": float(f.cross_entropy(logits, labels)),
            "val_accuracy": float((logits.argmax(dim=1) == labels).float().mean()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Nothing besides."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing besides."""

    def product(self) -> dict[str, Tensor]:
        """Backbone and layer."""
        return {name: value.detach().cpu().clone() for name, value in self._module.state_dict().items()}
