"""Embedders: an aligned crop becomes a unit vector."""

from __future__ import annotations

import numpy as np

from homeface.errors import ModelError
from homeface.inference.types import Tensor, Vectors


def unit_rows(values: Tensor) -> Vectors:
    """(N, D) float32 rows of unit length. Raises ``ModelError`` when a row is not finite or all zero."""
    rows = np.asarray(values, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ModelError("The embedding network gave a vector that is not finite or has no length.")
    unit: Vectors = (rows / lengths).astype(np.float32)
    return unit
