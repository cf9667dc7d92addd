"""Measured figures of the embedding models, one JSON file each: ``name.template-revision.json``."""

from __future__ import annotations
