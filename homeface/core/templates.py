"""Which templates of a person to compare with: several that differ, day and infra-red apart, no outliers.

Nothing here forgets anything: what is not chosen rests in the store, is told, and may be chosen again
when a better neighbour is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
_TIGHT = 6.0
_LEAST_SCATTER = 0.05


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
    """A photo that hardly shows its person.

    ``fit``: median similarity with the person's other photos, of which ``needed`` would do. ``like``: the
    subject it is more like than its own person's other photos, with ``like_score``; None: nobody.
    ``aside``: it is not compared with. False for twins, whose photos fit both.
    """

    template_id: str
    subject_id: str
    fit: float
    needed: float
    like: str | None = None
    like_score: float = 0.0
    aside: bool = True


def fits(vectors: NDArray[np.float32], infrared: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """(N,) how well each of (N, D) unit rows fits the others: the median cosine; 1 where there is no other.

    With ``infrared``, a row that has two others in its own light may be judged by those alone, if it is at
    least half as like all the others: infra-red pictures are less like day pictures of the same face.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    if len(rows) < 2:
        return np.ones(len(rows))
    similarity = (rows @ rows.T).astype(np.float64)
    np.fill_diagonal(similarity, np.nan)
    fit = np.nanmedian(similarity, axis=1)
    if infrared is None or infrared.all() or not infrared.any():
        return np.asarray(fit)
    for light in (True, False):
        own = np.flatnonzero(infrared == light)
        if len(own) > 2:
            among = np.nanmedian(similarity[np.ix_(own, own)], axis=1)
            fit[own] = np.maximum(fit[own], np.minimum(among, 2.0 * fit[own]))
    return np.asarray(fit)


def odd_ones(
    vectors: NDArray[np.float32], agreement: float, infrared: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """True for rows that do not belong to the majority of (N, D) unit rows.

    The worst is taken out until the others fit by at least ``agreement``; then, within one light, whoever
    lies far below the scatter of the rest (``usual_fit``). Without a majority (two that differ; three and
    three) nobody can know: then nobody is called odd.
    """
    count = len(vectors)
    light = np.zeros(count, dtype=bool) if infrared is None else np.asarray(infrared, dtype=bool)
    kept = _taken_out(vectors, light, np.arange(count), lambda _others: agreement)
    if 2 * len(kept) <= count:
        return np.zeros(count, dtype=bool)
    odd = np.ones(count, dtype=bool)
    for one in (False, True):
        odd[_taken_out(vectors, light, kept[light[kept] == one], usual_fit)] = False
    return odd


def usual_fit(others: NDArray[np.float64]) -> float:
    """The fit that a photo has beside four or more others with these fits; −1 beside fewer.

    Their median less six scatters (MAD·1.4826, at least 0.05). With MobileFaceNet on LFW this and the
    agreement of 0.31 call 0.3 to 0.9 % of people's own photos odd (3 to 20 photos), find 99 % of photos of
    somebody else among them, and of the most similar of 300 people 73 to 76 % beside two or three others,
    90 % and more beside five or more.
    """
    if len(others) < 4:
        return -1.0
    middle = float(np.median(others))
    scatter = max(_LEAST_SCATTER, 1.4826 * float(np.median(np.abs(others - middle))))
    return middle - _TIGHT * scatter


def outliers(gallery: Gallery, limits: Limits) -> tuple[Outlier, ...]:
    """Photos that fit their own person badly, by subject; learned templates neither count nor are judged.

    A photo that is more like another person, and like enough to be taken for that one, is told with that
    person even when its own person's photos are too few or too mixed to say which ones are wrong.
    """
    photos = Gallery(
        gallery.subjects.values(), [t for t in gallery.templates if not t.adapted], gallery.model_id
    )
    if photos.is_empty:
        return ()
    owners = np.array([template.subject_id for template in photos.templates])
    scores = photos.score_matrix(photos.matrix)
    found: list[Outlier] = []
    for column, subject_id in enumerate(photos.candidate_ids):
        rows = np.flatnonzero(owners == subject_id)
        light = np.array([photos.templates[row].infrared for row in rows])
        own = fits(photos.matrix[rows], light)
        odd = odd_ones(photos.matrix[rows], limits.agreement, light)
        for index, row in enumerate(rows):
            like, score = _rival(photos, scores[row], column, limits)
            if like is not None and score <= left_out_score(photos, int(row)):
                like, score = None, 0.0
            if odd[index] or like is not None:
                mates = np.delete(own, index)[np.delete(light, index) == light[index]]
                needed = max(limits.agreement, usual_fit(mates))
                aside = bool(odd[index]) or own[index] < limits.agreement
                template_id = photos.templates[row].template_id
                found.append(Outlier(template_id, subject_id, float(own[index]), needed, like, score, aside))
    return tuple(found)


def left_out_score(gallery: Gallery, row: int) -> float:
    """What the template in this row scores at its own subject without it; 1 when it is the only one."""
    template = gallery.templates[row]
    others = [t for t in gallery.templates if t.subject_id == template.subject_id and t is not template]
    if not others:
        return 1.0
    rest = Gallery([gallery.subjects[template.subject_id]], others, gallery.model_id)
    return float(rest.score_matrix(gallery.matrix[row])[0, 0])


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
    odd = {outlier.template_id for outlier in outliers(gallery, limits) if outlier.aside}
    odd |= astray(gallery, limits)
    sound = [template for template in gallery.templates if template.template_id not in odd]
    chosen = choose(sound, bound).used
    if len(chosen) == len(gallery.templates):
        return gallery
    return Gallery(gallery.subjects.values(), (*chosen, *gallery.mismatched), gallery.model_id)


def astray(gallery: Gallery, limits: Limits) -> set[str]:
    """Learned templates that do not agree with the person's photos (any more), or whose person has none."""
    photos: dict[str, list[Template]] = {}
    for template in gallery.templates:
        if not template.adapted:
            photos.setdefault(template.subject_id, []).append(template)
    lost: set[str] = set()
    for template in gallery.templates:
        if template.adapted:
            own = photos.get(template.subject_id, [])
            similarity = [float(photo.vector @ template.vector) for photo in own]
            if not own or float(np.median(similarity)) < limits.agreement:
                lost.add(template.template_id)
    return lost


def _taken_out(
    vectors: NDArray[np.float32],
    infrared: NDArray[np.bool_],
    rows: NDArray[np.intp],
    needed: Callable[[NDArray[np.float64]], float],
) -> NDArray[np.intp]:
    """The rows left when the worst is taken out until it fits as ``needed`` says of the others' fits."""
    kept = rows
    while len(kept) > 1:
        own = fits(vectors[kept], infrared[kept])
        worst = int(np.argmin(own))
        if own[worst] >= needed(np.delete(own, worst)):
            break
        kept = np.delete(kept, worst)
    return kept


def _rival(
    gallery: Gallery, scores: NDArray[np.float32], column: int, limits: Limits
) -> tuple[str | None, float]:
    """The other subject of the highest score, if that is enough to be taken for this one."""
    if len(scores) < 2:
        return None, 0.0
    foreign = scores.copy()
    foreign[column] = -np.inf
    best = int(np.argmax(foreign))
    if foreign[best] < limits.another:
        return None, 0.0
    return gallery.candidate_ids[best], float(foreign[best])


def _diverse(group: Sequence[Template], bound: int) -> set[int]:
    """Indices of the chosen ones. O(N · bound) similarities."""
    if len(group) <= bound:
        return set(range(len(group)))
    rows = np.stack([template.vector for template in group]).astype(np.float32)
    quality = np.array([max(0.05, min(1.0, template.quality)) for template in group])
    middle = rows.mean(axis=0)
    first = int(np.argmax(quality * (1.0 + rows @ middle)))
    return set(most_diverse(rows, quality, bound, first))


def most_diverse(
    rows: NDArray[np.float32], quality: NDArray[np.float64], bound: int, first: int | None = None
) -> list[int]:
    """Indices of at most ``bound`` rows, each time the one with the most of quality × novelty.

    ``rows`` (N, d) unit vectors; ``quality`` (N,) above 0; novelty: 1 - cosine to the nearest one chosen.
    ``first``: where to begin; None: with the best quality.
    """
    chosen: list[int] = []
    novelty = np.ones(len(rows))
    while len(chosen) < min(bound, len(rows)):
        worth = quality * np.maximum(novelty, 1e-6)
        worth[chosen] = -1.0
        best = int(np.argmax(worth)) if chosen or first is None else first
        chosen.append(best)
        novelty = np.minimum(novelty, 1.0 - rows @ rows[best])
    return chosen
