"""What makes a face unusable, each reason by itself."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from homeface.core.geometry import ARCFACE_112
from homeface.core.quality import ENROLMENT_LIMITS, RECOGNITION_LIMITS, assess, judge
from homeface.core.types import Box, Detection, Quality, Reason

FRAME = (1920, 1080)


def detection(scale: float = 1.5, *, x: float = 300, score: float = 0.99) -> Detection:
    """A frontal face; at scale 1 the eyes are 35 pixels apart."""
    box = Box(x, 200, x + 112 * scale, 200 + 112 * scale)
    return Detection(box, score, (ARCFACE_112 * scale + np.float32([x, 200])).astype(np.float32))


def patch(*, blur: int = 0, brightness: float = 120, spread: float = 40, grey: bool = False) -> np.ndarray:
    """A textured patch: noise smoothed to the grain of a face, in skin colour."""
    texture = np.random.default_rng(4).normal(size=(112, 112))
    for _ in range(2 + blur):
        texture = sum(np.roll(texture, s, axis=a) for s in (-1, 0, 1) for a in (0, 1)) / 6
    texture = texture / texture.std() * spread + brightness
    tint = np.array([0, 0, 0] if grey else [25, -5, -15])
    return np.clip(texture[:, :, None] + tint, 0, 255).astype(np.uint8)


def test_a_good_face_is_usable_for_everything() -> None:
    quality = assess(detection(), patch(), FRAME)
    assert quality.usable
    assert judge(quality, ENROLMENT_LIMITS).usable
    assert quality.interocular_px == pytest.approx(35.24 * 1.5, abs=0.1)
    assert quality.brightness == pytest.approx(120, abs=8)
    assert not quality.infrared
    assert quality.score > 0.8


@pytest.mark.parametrize(
    ("seen", "picture", "reason"),
    [
        (detection(0.3), patch(), Reason.TOO_SMALL),
        (detection(), patch(blur=60), Reason.BLURRED),
        (detection(), patch(brightness=12, spread=6), Reason.TOO_DARK),
        (detection(), patch(brightness=250, spread=4), Reason.TOO_BRIGHT),
        (detection(), patch(spread=3), Reason.LOW_CONTRAST),
        (detection(x=-60), patch(), Reason.CUT_OFF),
        (detection(score=0.6), patch(), Reason.UNSURE_DETECTION),
    ],
)
def test_each_fault_has_its_reason(seen: Detection, picture: np.ndarray, reason: Reason) -> None:
    quality = assess(seen, picture, FRAME)
    assert reason in quality.reasons
    assert not quality.usable


def test_a_turned_head_is_told_and_weighs_less() -> None:
    aside = ARCFACE_112.copy()
    aside[2, 0] += 14
    turned = replace(detection(), landmarks=(aside * 1.5 + np.float32([300, 200])).astype(np.float32))
    quality = assess(turned, patch(), FRAME)
    assert Reason.TURNED_AWAY in quality.reasons
    assert quality.score < assess(detection(), patch(), FRAME).score


def test_infrared_is_the_lack_of_colour() -> None:
    assert assess(detection(), patch(grey=True), FRAME).infrared
    assert not assess(detection(), patch(), FRAME).infrared


def test_blur_lowers_sharpness_and_weight_step_by_step() -> None:
    measured = [assess(detection(), patch(blur=b), FRAME) for b in (0, 4, 16, 60)]
    sharpness = [quality.sharpness for quality in measured]
    assert sharpness == sorted(sharpness, reverse=True)
    assert measured[0].score >= measured[1].score >= measured[-1].score


def test_sharpness_does_not_depend_on_light() -> None:
    bright = assess(detection(), patch(brightness=120, spread=40), FRAME).sharpness
    dim = assess(detection(), patch(brightness=60, spread=20), FRAME).sharpness
    assert dim == pytest.approx(bright, rel=0.15)


def test_enrolment_is_stricter_in_everything() -> None:
    for field in fields(RECOGNITION_LIMITS):
        loose, strict = getattr(RECOGNITION_LIMITS, field.name), getattr(ENROLMENT_LIMITS, field.name)
        if field.name.startswith("min_"):
            assert strict > loose, field.name
        else:
            assert strict < loose, field.name


def test_judging_anew_keeps_the_measurements_and_is_idempotent() -> None:
    quality = assess(detection(0.6), patch(), FRAME)
    strict = judge(quality, ENROLMENT_LIMITS)
    assert Reason.TOO_SMALL in strict.reasons
    assert replace(strict, reasons=()) == replace(quality, reasons=())
    assert judge(strict, ENROLMENT_LIMITS) == strict
    assert judge(strict, RECOGNITION_LIMITS) == quality
    cut = assess(detection(x=-60), patch(), FRAME)
    assert Reason.CUT_OFF in judge(cut, RECOGNITION_LIMITS).reasons


def test_the_score_is_a_weight() -> None:
    for scale in (0.1, 0.5, 1, 3):
        for picture in (patch(), patch(blur=60), patch(brightness=5, spread=1)):
            quality: Quality = assess(detection(scale), picture, FRAME)
            assert 0 < quality.score <= 1


def test_a_patch_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="aligned patch"):
        assess(detection(), np.zeros((160, 160, 3), np.uint8), FRAME)
