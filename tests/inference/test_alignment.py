"""Crops: landmarks fall where the template says, colours turn, edges and strong shrinking are handled."""

from __future__ import annotations

import numpy as np
import pytest

from homeface.core.geometry import ARCFACE_112
from homeface.core.types import Box, Detection
from homeface.errors import ModelError
from homeface.inference.alignment import (
    TEMPLATES,
    BoxTemplate,
    PointTemplate,
    align,
    crop,
    cut,
    template_named,
)


def face_at(scale: float, x: float, y: float, degrees: float = 0.0) -> np.ndarray:
    """Landmarks of an ideal face: the template scaled, turned and moved."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((ARCFACE_112 - 56) * scale @ turn.T + (x, y)).astype(np.float32)


def dots_image(landmarks: np.ndarray, radius: float, size: tuple[int, int] = (400, 600)) -> np.ndarray:
    """Bright blurred dots at the landmarks."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.zeros((*size, 3), np.float32)
    for x, y in landmarks:
        image += (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2)))[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def centre_of_light(patch: np.ndarray, near: np.ndarray, reach: int = 7) -> np.ndarray:
    """Centroid of brightness around a place."""
    x, y = (round(float(v)) for v in near)
    window = patch[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(float)
    rows, columns = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.array([(window * columns).sum(), (window * rows).sum()]) / window.sum()


@pytest.mark.parametrize("degrees", [0.0, 25.0, -40.0])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3])
def test_landmarks_fall_on_the_template(scale: float, degrees: float) -> None:
    landmarks = face_at(scale, 300, 200, degrees)
    patch = cut(dots_image(landmarks, 3 * scale), landmarks, 112, TEMPLATES["arcface_112"])
    for place in ARCFACE_112:
        assert np.abs(centre_of_light(patch, place) - place).max() < 0.3


def test_strong_shrinking_keeps_the_place_and_averages() -> None:
    landmarks = face_at(3.0, 600, 450)
    image = dots_image(landmarks, 9, (900, 1200))
    patch = cut(image, landmarks, 112, TEMPLATES["arcface_112"])
    for place in ARCFACE_112:
        assert np.abs(centre_of_light(patch, place) - place).max() < 0.3
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3)).astype(np.uint8)
    assert cut(noise, landmarks, 112, TEMPLATES["arcface_112"]).std() < 40  # 74 when it is only sampled


def test_the_stretched_template_is_wider_and_higher() -> None:
    template = template_named("stretched")
    assert isinstance(template, PointTemplate)
    matrix = template.matrix(ARCFACE_112 * (160 / 112), 160)
    assert matrix == pytest.approx(np.array([[1.0, 0, 0], [0, 0.8, 8.0]]), abs=1e-4)


def test_crops_are_red_first() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[..., 0] = 250  # blue
    detection = Detection(Box(50, 50, 150, 150), 0.9, face_at(0.8, 100, 100))
    for template in TEMPLATES.values():
        patch = align(image, detection, 96, template)
        assert patch.shape == (96, 96, 3)
        assert patch.dtype == np.uint8
        assert (patch[..., 2] == 250).all()
        assert (patch[..., 0] == 0).all()


@pytest.mark.parametrize("place", [(0, 0), (599, 399), (-80, 200), (640, 420)])
def test_a_face_beyond_the_edge_still_gives_a_crop(place: tuple[int, int]) -> None:
    image = np.full((400, 600, 3), 90, np.uint8)
    x, y = place
    for scale in (0.4, 3.0):
        detection = Detection(Box(x - 40, y - 40, x + 40, y + 40), 0.9, face_at(scale, x, y))
        for template in TEMPLATES.values():
            assert (align(image, detection, 112, template) == 90).all()


def test_the_plain_crop_is_facenet_pytorchs() -> None:
    from facenet_pytorch.models.utils.detect_face import extract_face

    image = np.random.default_rng(1).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    box = Box(100.4, 50.2, 230.9, 260.7)
    theirs = extract_face(image[..., ::-1], np.array(box), 160, 14).numpy().transpose(1, 2, 0)
    assert crop(image, box, 160, BoxTemplate(14 / 160).margin) == pytest.approx(theirs, abs=1)


def test_an_unknown_template_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="arcface_112"):
        template_named("oval")
