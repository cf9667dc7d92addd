"""Which templates of a person to compare with: several that differ, day and infra-red apart, no outliers.

Nothing here forgets anything: what is not chosen rests in the store, is told, and may be chosen again
when a better neighbour is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration, threshold_for
from homeface.core.gallery import Gallery, Template

PHOTOS_PER_KIND = 20
"""Photos of one person compared with, by day and again under infra-red light."""
ADAPTED_PER_KIND = 5
"""Learned templates of one person and kind that are kept besides; the oldest goes when a new one comes."""
SAME_PICTURE = 0.98
"""From here on two templates show one picture: saved again, made smaller, or the next frame of a burst."""
_LIKE_ANOTHER_RATE = 0.003
_TIGHT = 5.0
_LEAST_SCATTER = 0.04


class Kind(StrEnum):
    """The light a template was made in; each kind has its own bound and its own choice."""

    DAY = "day"
    INFRARED = "infrared"


def kind_of(template: Template) -> Kind:
    """The template's kind."""
    return Kind.INFRARED if template.infrared else Kind.DAY


@dataclass(frozen=True, slots=True)
class Limits:
    """Cosine similarities of the embedding model in use.

    ``agreement``: least median similarity of a photo with the person's others; ``another``: a photo that is
    so like somebody else, and more so than like its own person, is told.
    """

    agreement: float
    another: float


def limits_for(calibration: Calibration) -> Limits:
    """Those that 0.3 % of strangers' looks reach: at one subject's photos, and at one subject's score."""
    another = max(calibration.support, threshold_for(calibration.single, _LIKE_ANOTHER_RATE))
    return Limits(agreement=calibration.support, another=another)


@dataclass(frozen=True, slots=True)
class Outlier:
    """A photo that hardly shows its person. ``fit``: median similarity with the person's other photos.

    ``like``: the person it is more like (with ``like_score``), if there is one.
    ``copy_of``: it is that template's picture again, stored under another person.
    """

    template_id: str
    subject_id: str
    fit: float
    needed: float
    like: str | None = None
    like_score: float = 0.0


def fits(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) median cosine of each of (N, D) unit rows with the others; 1 where there is no other."""
    rows = np.asarray(vectors, dtype=np.float32)
    if len(rows) < 2:
        return np.ones(len(rows))
    similarity = (rows @ rows.T).astype(np.float64)
    np.fill_diagonal(similarity, np.nan)
    return np.asarray(np.nanmedian(similarity, axis=1))


def odd_ones(vectors: NDArray[np.float32], agreement: float) -> NDArray[np.bool_]:
    """True for rows that do not belong to the majority of (N, D) unit rows.

    The worst is taken out until every one left has a median similarity of at least ``agreement`` with the
    others; then whoever lies far below the scatter of what is left (``needed_fit``) goes, too. Without a
    majority (two that differ; three and three) nobody can know: then nobody is called odd.
    """
    count = len(vectors)
    kept = list(range(count))
    while len(kept) > 1:
        own = fits(vectors[kept])
        worst = int(np.argmin(own))
        if own[worst] >= needed_fit(np.delete(own, worst), agreement):
            break
        del kept[worst]
    odd = np.ones(count, dtype=bool)
    odd[kept] = False
    return odd if 2 * len(kept) > count else np.zeros(count, dtype=bool)


def needed_fit(others: NDArray[np.float64], agreement: float) -> float:
    """The fit a photo needs beside others with these: ``agreement``, or more where the others agree closely.

    With four or more others: their median less five scatters (MAD·1.4826, at least 0.04): nothing that
    chance does in a gallery of hundreds, but a brother's photo among ten of one's own.
    """
    if len(others) < 4:
        return agreement
    middle = float(np.median(others))
    scatter = max(_LEAST_SCATTER, 1.4826 * float(np.median(np.abs(others - middle))))
    return max(agreement, middle - _TIGHT * scatter)


def outliers(gallery: Gallery, limits: Limits) -> tuple[Outlier, ...]:
    """Photos that fit their own person badly, by subject; learned templates neither count nor are judged.

    A photo that is more like another person, and like enough to be taken for that one, is told with that
    person even when its own person's photos are too few or too mixed to say which ones are wrong.
    """
    photos = Gallery(gallery.subjects.values(), _photos(gallery.templates), gallery.model_id)
    if photos.is_empty:
        return ()
    owners = np.array([template.subject_id for template in photos.templates])
    others = photos.score_matrix(photos.matrix)
    found: list[Outlier] = []
    for column, subject_id in enumerate(photos.candidate_ids):
        rows = np.flatnonzero(owners == subject_id)
        own = fits(photos.matrix[rows])
        odd = odd_ones(photos.matrix[rows], limits.agreement)
        foreign = np.delete(others[rows], column, axis=1)
        names = [candidate for candidate in photos.candidate_ids if candidate != subject_id]
        for index, row in enumerate(rows):
            best = int(np.argmax(foreign[index])) if names else -1
            score = float(foreign[index][best]) if names else 0.0
            alike = score >= limits.another and score > own[index] and len(rows) > 1
            if odd[index] or alike:
                found.append(
                    Outlier(
                        photos.templates[row].template_id,
                        subject_id,
                        float(own[index]),
                        needed_fit(np.delete(own, index), limits.agreement),
                        names[best] if alike else None,
                        score if alike else 0.0,
                    )
                )
    return tuple(found)


def copies(gallery: Gallery, same_picture: float = SAME_PICTURE) -> tuple[tuple[Template, Template], ...]:
    """Pairs of templates that show one picture, the older first; of one person or of two."""
    if gallery.is_empty:
        return ()
    similarity = np.triu(gallery.matrix @ gallery.matrix.T, 1)
    pairs = []
    for first, second in zip(*np.nonzero(similarity > same_picture), strict=True):
        two = sorted((gallery.templates[first], gallery.templates[second]), key=lambda t: t.created_at)
        pairs.append((two[0], two[1]))
    return tuple(pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What recognition compares with, and what rests."""

    used: tuple[Template, ...]
    resting: tuple[Template, ...]


def choose(templates: Iterable[Template], bound: int = PHOTOS_PER_KIND) -> Choice:
    """At most ``bound`` photos of each person, model and kind, and the newest learned templates.

    Greedy: first the best photo near the middle, then each time the one with the most of quality ×
    novelty, novelty being 1 − cosine to the nearest one already chosen (as in farthest-point sampling;
    Gonzalez 1985). Independent of the order of ``templates``.
    """
    groups: dict[tuple[object, ...], list[Template]] = {}
    for template in sorted(templates, key=lambda item: item.template_id):
        key = (template.subject_id, template.model_id, kind_of(template), template.adapted)
        groups.setdefault(key, []).append(template)
    used: list[Template] = []
    resting: list[Template] = []
    for group in groups.values():
        if group[0].adapted:
            order = sorted(group, key=lambda item: (-item.created_at, item.template_id))
            used += order[:ADAPTED_PER_KIND]
            resting += order[ADAPTED_PER_KIND:]
            continue
        chosen = _diverse(group, bound)
        used += [group[index] for index in sorted(chosen)]
        resting += [template for index, template in enumerate(group) if index not in chosen]
    return Choice(tuple(used), tuple(resting))


def chosen_gallery(gallery: Gallery, limits: Limits, bound: int = PHOTOS_PER_KIND) -> Gallery:
    """The gallery to recognise with: outliers left out (they poison every answer), the rest chosen.

    Templates of other models stay listed in ``mismatched``.
    """
    odd = {outlier.template_id for outlier in outliers(gallery, limits)}
    sound = [template for template in gallery.templates if template.template_id not in odd]
    if len(sound) == len(gallery.templates) and _small(gallery, bound):
        return gallery
    chosen = choose(sound, bound).used
    return Gallery(gallery.subjects.values(), (*chosen, *gallery.mismatched), gallery.model_id)


def _photos(templates: Sequence[Template]) -> list[Template]:
    return [template for template in templates if not template.adapted]


def _small(gallery: Gallery, bound: int) -> bool:
    """True when nobody can have too many."""
    return gallery.is_empty or int(gallery.template_counts.max()) <= min(bound, ADAPTED_PER_KIND)


def _diverse(group: Sequence[Template], bound: int) -> set[int]:
    """Indices of the chosen ones. O(N · bound) similarities."""
    if len(group) <= bound:
        return set(range(len(group)))
    rows = np.stack([template.vector for template in group]).astype(np.float32)
    quality = np.array([max(0.05, min(1.0, template.quality)) for template in group])
    middle = rows.mean(axis=0)
    first = int(np.argmax(quality * (1.0 + rows @ middle)))
    chosen = [first]
    novelty = 1.0 - rows @ rows[first]
    while len(chosen) < bound:
        worth = quality * np.maximum(novelty, 0.0)
        worth[chosen] = -1.0
        best = int(np.argmax(worth))
        chosen.append(best)
        novelty = np.minimum(novelty, 1.0 - rows @ rows[best])
    return set(chosen)
