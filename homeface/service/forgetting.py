"""Gone means gone: a person leaves the store, and so do unknown visits whose faces look like them."""

from __future__ import annotations

import logging

import numpy as np

from homeface.adapters.store import Store
from homeface.config import Config
from homeface.core.unknown_visits import LikenessScale, likeness
from homeface.errors import ModelError
from homeface.service import wiring
from homeface.service.recognition import likeness_scale

_LOG = logging.getLogger(__name__)


def forget_person(store: Store, subject_id: str, config: Config, model_id: str | None = None) -> int:
    """Blocks; returns how many unknown visits went, too. Raises GalleryError and StoreError.

    ``model_id``: the embedder in use (None: the one that the configuration names). Without figures for it
    nobody can tell who looks like whom; the person goes all the same.
    """
    alike: set[str] = set()
    try:
        model_id = model_id or wiring.wanted_models(config)[1].model_id
        alike = _looking_like(store, subject_id, model_id, likeness_scale(model_id, config))
    except ModelError as error:
        _LOG.warning("Unknown visits were not searched for this person: %s", error)
    if alike:
        store.remove_unknown_visits(sorted(alike))
    store.remove_subject(subject_id)
    return len(alike)


def _looking_like(store: Store, subject_id: str, model_id: str, scale: LikenessScale) -> set[str]:
    own = [template.vector for template in store.templates(model_id, subject_id)]
    if not own:
        return set()
    rows, found = np.stack(own), set()
    for visit in store.unknown_visits():
        vectors = [face.embedding.vector for face in visit.faces if face.embedding.model_id == model_id]
        if vectors and bool((likeness(np.stack(vectors), rows, scale) >= scale.threshold).any()):
            found.add(visit.visit_id)
    return found
