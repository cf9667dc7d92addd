"""The pictures of the household report, as PNG. Matplotlib is imported when something is drawn."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import Gallery
from homeface.core.gallery_map import GalleryMap

_DPI = 130
# Okabe and Ito (2008): tell apart by people who see few colours; markers differ as well
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_COMPONENTS = (
    "Every template on the first two principal components of the gallery. A cross is a person's middle; "
    "hollow signs are infra-red, a red ring is a photo that does not fit. Clusters that touch are people who "
    "may be taken for each other."
)
_DISTANCES = (
    "Cosine distance between all templates, ordered by person: dark squares on the diagonal, bright "
    "elsewhere. A bright stripe inside a square is a photo that does not fit; a dark patch elsewhere, two "
    "people who look alike."
)
_SPREAD = (
    "How much each person's photos differ. Very little: nearly the same photo again and again. As much as "
    "all people together: the photos cannot all show one person."
)


def draw_components(gallery: Gallery, mapped: GalleryMap, odd: Set[str] = frozenset()) -> bytes:
    """Each template as a point on the first two principal components, a colour and a sign for each person.

    ``odd``: ids of templates that get a red ring.
    """
    with _figure(7.2, 5.2) as (figure, png):
        axes = figure.add_subplot()
        for number, (subject_id, rows) in enumerate(_people(gallery)):
            infrared = np.array([gallery.templates[row].infrared for row in rows])
            colour = _COLOURS[number % len(_COLOURS)]
            marker = _MARKERS[(number + number // len(_COLOURS)) % len(_MARKERS)]
            points = mapped.points[rows]
            for which, face in ((~infrared, colour), (infrared, "none")):
                if which.any():
                    axes.scatter(
                        *points[which].T,
                        s=42,
                        marker=marker,
                        facecolors=face,
                        edgecolors=colour,
                        label=gallery.name(subject_id) if which is not infrared or infrared.all() else None,
                    )
            axes.plot(*points.mean(axis=0), marker="+", color=colour, markersize=14, markeredgewidth=2)
        ringed = [row for row, template in enumerate(gallery.templates) if template.template_id in odd]
        if ringed:
            ring = {"facecolors": "none", "edgecolors": "red", "linewidths": 1.6, "label": "does not fit"}
            axes.scatter(*mapped.points[ringed].T, s=170, **ring)
        axes.set_xlabel(f"first component ({mapped.explained[0]:.0%} of the variance)")
        axes.set_ylabel(f"second component ({mapped.explained[1]:.0%})")
        axes.axhline(0, color="0.85", zorder=0)
        axes.axvline(0, color="0.85", zorder=0)
        _legend(axes, len(gallery.candidate_ids))
    return png.getvalue()


def draw_distances(gallery: Gallery, mapped: GalleryMap) -> bytes:
    """Cosine distance of each template to each other one, ordered by person."""
    with _figure(6.8, 5.8) as (figure, png):
        axes = figure.add_subplot()
        image = axes.imshow(mapped.distances, cmap="viridis", vmin=0.0, vmax=1.2, interpolation="nearest")
        people = _people(gallery)
        edges = [rows[0] - 0.5 for _, rows in people][1:]
        for edge in edges:
            axes.axhline(edge, color="white", linewidth=1.2)
            axes.axvline(edge, color="white", linewidth=1.2)
        middles = [float(np.mean(rows)) for _, rows in people]
        names = [gallery.name(subject_id) for subject_id, _ in people]
        axes.set_xticks(middles, names, rotation=60, ha="right")
        axes.set_yticks(middles, names)
        figure.colorbar(
            image, ax=axes, label="cosine distance (0 the same, 1 nothing in common)", shrink=0.85
        )
    return png.getvalue()


def draw_spread(gallery: Gallery, mapped: GalleryMap) -> bytes:
    """Within-group sum of squares per template of each person, and of everybody together."""
    people = _people(gallery)
    with _figure(6.8, 1.2 + 0.34 * len(people)) as (figure, png):
        axes = figure.add_subplot()
        names = [gallery.name(subject_id) for subject_id, _ in people]
        axes.barh(range(len(people)), mapped.spread, color="#0072B2", height=0.6)
        axes.set_yticks(range(len(people)), names)
        axes.invert_yaxis()
        rows = gallery.matrix.astype(np.float64)
        everybody = float(((rows - rows.mean(axis=0)) ** 2).sum() / len(rows))
        axes.axvline(everybody, color="#D55E00", linestyle="--", label="all people together")
        axes.set_xlabel("spread: within-group sum of squares per photo (0: all alike)")
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return png.getvalue()


def _people(gallery: Gallery) -> list[tuple[str, NDArray[np.intp]]]:
    owners = np.array([template.subject_id for template in gallery.templates])
    return [(subject_id, np.flatnonzero(owners == subject_id)) for subject_id in gallery.candidate_ids]


def _legend(axes: Any, people: int) -> None:
    """Beside the picture, in as many columns as it takes."""
    axes.legend(
        frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, ncols=1 + (people - 1) // 20
    )


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Any, io.BytesIO]]:
    """A figure of that many inches; its PNG is in the buffer afterwards. Opens no window."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    options: Any = {
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9,
    }
    with warnings.catch_warnings(), rc_context(options):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script the font lacks
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure, buffer
        figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": "homeface"})


def pictures(
    gallery: Gallery, mapped: GalleryMap, odd: Set[str] = frozenset()
) -> Sequence[tuple[str, str, bytes]]:
    """(name, caption, PNG) of every picture; none for an empty gallery. ``odd``: as for the first one."""
    if gallery.is_empty:
        return []
    return [
        ("components", _COMPONENTS, draw_components(gallery, mapped, odd)),
        ("distances", _DISTANCES, draw_distances(gallery, mapped)),
        ("spread", _SPREAD, draw_spread(gallery, mapped)),
    ]
