"""Gone means gone: a person leaves the store, unknown visits that look like them, and the second opinion."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from homeface.adapters.store import Store
from homeface.config import Config
from homeface.core.unknown_visits import LikenessScale, likeness
from homeface.errors import ModelError
from homeface.inference.second_opinion import forget_in_opinion
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
    subject = store.require_subject(subject_id)
    if alike:
        store.remove_unknown_visits(sorted(alike))
    store.remove_subject(subject_id)
    _leave_second_opinion(config, (subject.name, *subject.aliases))
    return len(alike)


def _leave_second_opinion(config: Config, names: Sequence[str]) -> None:
    file = config.recognition.second_opinion
    if file is None:
        return
    try:
        if forget_in_opinion(file, names):
            _LOG.info("The second opinion in %s has forgotten somebody: train it anew some time.", file)
        elif file.exists():
            _LOG.warning(
                "The second opinion in %s knows nobody of the removed person's names. Was it taught their "
                "pictures under another name, it still holds what it learned of them: train it anew.",
                file,
            )
    except ModelError as error:
        _LOG.warning("%s", error)


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
