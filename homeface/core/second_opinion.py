"""A second opinion: a small classifier of the household's own, asked before a name is said.

It may only take a name away. People whom it was not taught it has no opinion about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.names import name_key
from homeface.errors import ModelError

UNKNOWN = ""
"""The last class: everybody else, and what is no face."""
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class SecondOpinion:
    """A linear layer over unit vectors of ``model_id``.

    ``weights`` (K + 1, D) and ``bias`` (K + 1,): one row for each of ``names`` and a last one for everybody
    else. ``least``: a name with a smaller mean probability over a visit's looks is taken away.
    """

    model_id: str
    names: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    least: float

    def __post_init__(self) -> None:
        """Raises ModelError for parts that do not fit together."""
        count = len(self.names) + 1
        fits = self.weights.ndim == 2 and len(self.weights) == count and self.bias.shape == (count,)
        sound = fits and np.isfinite(self.weights).all() and np.isfinite(self.bias).all()
        if not sound or not self.names or len(set(self.names)) != len(self.names) or not 0 <= self.least <= 1:
            raise ModelError(
                "The second opinion is damaged: train it anew with homeface lab train-household."
            )

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, K + 1) of unit vectors (N, D); each row sums to 1. Raises ModelError for another length."""
        if vectors.shape[1] != self.weights.shape[1]:
            raise ModelError(
                f"The second opinion was trained on vectors of {self.weights.shape[1]} numbers, not "
                f"{vectors.shape[1]}: train it anew."
            )
        logits = vectors.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        return softmax(logits)

    def objects(self, name: str, vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> bool:
        """True when these looks (K, D), weighted (K,), are not ``name``'s; False for an unknown name."""
        keys = [name_key(known) for known in self.names]
        if name_key(name) not in keys:
            return False
        column = keys.index(name_key(name))
        return float(weights @ self.probabilities(vectors)[:, column]) < self.least * float(weights.sum())


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows that sum to 1."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def second_opinion_as_json(opinion: SecondOpinion, told: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for a file; ``told`` says from what it was trained."""
    return {
        "version": _VERSION,
        "model_id": opinion.model_id,
        "names": list(opinion.names),
        "weights": [[round(float(value), 6) for value in row] for row in opinion.weights],
        "bias": [round(float(value), 6) for value in opinion.bias],
        "least": opinion.least,
        "provenance": dict(told),
    }


def second_opinion_from(data: object) -> SecondOpinion:
    """Out of its JSON form. Raises ModelError when it is damaged or of another version."""
    try:
        if not isinstance(data, Mapping) or data["version"] != _VERSION:
            raise ModelError("The second opinion is of another version: train it anew.")
        return SecondOpinion(
            model_id=str(data["model_id"]),
            names=tuple(str(name) for name in data["names"]),
            weights=np.array(data["weights"], np.float32),
            bias=np.array(data["bias"], np.float32),
            least=float(data["least"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"The second opinion is damaged ({error!r}): train it anew.") from error
