"""A linear layer over unit vectors, found in one go: a frozen backbone needs no training in steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.second_opinion import softmax

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``weights`` (classes, D) and ``bias`` (classes,)."""

    weights: Vectors
    bias: Vectors

    def logits(self, vectors: Vectors) -> Vectors:
        """(N, classes)."""
        return np.asarray(vectors @ self.weights.T + self.bias, np.float32)

    def scaled(self, factor: float) -> Linear:
        """With all logits multiplied."""
        return Linear(self.weights * np.float32(factor), self.bias * np.float32(factor))


def fit_linear(vectors: Vectors, labels: NDArray[np.int64], classes: int, decay: float = 1e-3) -> Linear:
    """Softmax regression in which every class weighs alike, whatever its number of faces; deterministic.

    ``decay`` draws the weights to zero: the fewer the faces, the more it matters.
    """
    import torch
    import torch.nn.functional as f

    x, y = torch.from_numpy(vectors), torch.from_numpy(labels)
    share = 1 / torch.bincount(y, minlength=classes).clamp_min(1).float()
    weights = torch.zeros(classes, vectors.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = f.cross_entropy(f.linear(x, weights, bias), y, weight=share) + decay * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Linear(weights.detach().numpy(), bias.detach().numpy())


def tempered(linear: Linear, vectors: Vectors, labels: NDArray[np.int64]) -> Linear:
    """The same decisions with probabilities that faces not learned from bear out (Guo et al., 2017)."""
    factors = np.exp(np.linspace(np.log(0.05), np.log(20), 121))
    losses = [cross_entropy(linear.scaled(float(factor)).logits(vectors), labels) for factor in factors]
    return linear.scaled(float(factors[int(np.argmin(losses))]))


def cross_entropy(logits: Vectors, labels: NDArray[np.int64]) -> float:
    """Mean over the faces."""
    own = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, 1e-12)).mean())
