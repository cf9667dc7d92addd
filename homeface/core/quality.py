"""What one face is worth for recognition or enrolment, and why not: measured on the aligned patch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import head_pose, interocular
from homeface.core.types import Box, Detection, ImageRGB, Quality, Reason

PATCH_SHAPE = (112, 112, 3)

# Luma of ITU-R BT.601 and the region of the 112×112 patch that is face in every head: between the
# brows and the chin, without hair, ears or background.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_FACE_ROWS = slice(36, 106)
_FACE_COLUMNS = slice(26, 86)
_BINOMIAL = np.array([0.25, 0.5, 0.25], dtype=np.float32)

# Mean difference of the colour channels (0..255) below which a picture is grey: infra-red light.
_GREY_CHROMA = 2.5


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a face must reach. Pixels in the full frame, degrees, luma in 0..255.

    ``min_sharpness`` is in the unit of ``sharpness``; ``min_detection`` is the detector's score;
    ``edge_px`` is how far the box may reach beyond the frame, as a share of its side.
    """

    min_interocular_px: float
    min_sharpness: float
    max_yaw: float
    max_pitch: float
    max_roll: float
    min_brightness: float
    max_brightness: float
    min_contrast: float
    min_detection: float
    max_outside: float


RECOGNITION_LIMITS = QualityLimits(
    min_interocular_px=14.0,
    min_sharpness=0.008,
    max_yaw=40.0,
    max_pitch=35.0,
    max_roll=45.0,
    min_brightness=25.0,
    max_brightness=235.0,
    min_contrast=10.0,
    min_detection=0.75,
    max_outside=0.10,
)
"""Good enough to count as a look at somebody."""

ENROLMENT_LIMITS = QualityLimits(
    min_interocular_px=28.0,
    min_sharpness=0.015,
    max_yaw=30.0,
    max_pitch=28.0,
    max_roll=30.0,
    min_brightness=40.0,
    max_brightness=220.0,
    min_contrast=18.0,
    min_detection=0.90,
    max_outside=0.02,
)
"""Good enough to be kept as what somebody looks like: stricter in everything."""


def assess(
    detection: Detection,
    patch: ImageRGB,
    frame_size: tuple[int, int],
    limits: QualityLimits = RECOGNITION_LIMITS,
) -> Quality:
    """Measure one face and judge it.

    ``patch`` is its (112, 112, 3) RGB crop aligned to ``geometry.ARCFACE_112``; ``frame_size`` is
    (width, height) of the full frame. Raises ValueError for a patch of another shape.
    """
    if patch.shape != PATCH_SHAPE:
        raise ValueError(f"expected an aligned patch of shape {PATCH_SHAPE}, got {patch.shape}")
    yaw, pitch, roll = head_pose(detection.landmarks)
    face = patch[_FACE_ROWS, _FACE_COLUMNS]
    luma = face.astype(np.float32) @ _LUMA
    measured = Quality(
        interocular_px=interocular(detection.landmarks),
        sharpness=_sharpness(luma),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        infrared=_is_grey(face),
        score=0.0,
    )
    frame_reasons: list[Reason] = []
    if _share_outside(detection.box, frame_size) > limits.max_outside:
        frame_reasons.append(Reason.CUT_OFF)
    if detection.score < limits.min_detection:
        frame_reasons.append(Reason.UNSURE_DETECTION)
    measured = replace(measured, score=_worth(measured), reasons=tuple(frame_reasons))
    return judge(measured, limits)


def judge(quality: Quality, limits: QualityLimits) -> Quality:
    """The same measurements under other limits: reasons are found anew.

    Reasons about frame and detection are kept as they were: the quality does not carry their measure.
    """
    kept = [reason for reason in quality.reasons if reason in (Reason.CUT_OFF, Reason.UNSURE_DETECTION)]
    checks = (
        (quality.interocular_px < limits.min_interocular_px, Reason.TOO_SMALL),
        (quality.sharpness < limits.min_sharpness, Reason.BLURRED),
        (
            abs(quality.yaw) > limits.max_yaw
            or abs(quality.pitch) > limits.max_pitch
            or abs(quality.roll) > limits.max_roll,
            Reason.TURNED_AWAY,
        ),
        (quality.brightness < limits.min_brightness, Reason.TOO_DARK),
        (quality.brightness > limits.max_brightness, Reason.TOO_BRIGHT),
        (quality.contrast < limits.min_contrast, Reason.LOW_CONTRAST),
    )
    reasons = [reason for failed, reason in checks if failed]
    return replace(quality, reasons=(*reasons, *kept))


def _sharpness(luma: NDArray[np.float32]) -> float:
    """Energy of the Laplacian after a light blur, relative to the luma's own variance: contrast-free, ≥ 0.

    The blur keeps sensor noise from passing as detail (Pech-Pacheco et al. 2000 use the bare variance).
    """
    smooth = _smooth(_smooth(luma).T).T
    laplacian = (
        smooth[:-2, 1:-1] + smooth[2:, 1:-1] + smooth[1:-1, :-2] + smooth[1:-1, 2:] - 4 * smooth[1:-1, 1:-1]
    )
    return float(laplacian.var() / (luma.var() + 4.0))


def _smooth(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Binomial [1 2 1]/4 along the first axis, edges repeated."""
    before, after = np.vstack([luma[:1], luma[:-1]]), np.vstack([luma[1:], luma[-1:]])
    result: NDArray[np.float32] = _BINOMIAL[0] * before + _BINOMIAL[1] * luma + _BINOMIAL[2] * after
    return result


def _is_grey(pixels: ImageRGB) -> bool:
    """True when the channels hardly differ: no colour, as under infra-red light."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool(chroma.mean() < _GREY_CHROMA)


def _share_outside(box: Box, frame_size: tuple[int, int]) -> float:
    """Share of the box's longer overhang beyond the frame, of its side."""
    width, height = frame_size
    if box.width <= 0 or box.height <= 0:
        return 1.0
    across = max(0.0, -box.x1, box.x2 - width) / box.width
    down = max(0.0, -box.y1, box.y2 - height) / box.height
    return max(across, down)


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _worth(quality: Quality) -> float:
    """Weight of a face in 0.05..1 from what hurts recognition most: size, pose, blur, exposure."""
    size = 0.25 + 0.75 * _ramp(quality.interocular_px, 12.0, 32.0)
    pose = 1.0 - 0.7 * max(_ramp(abs(quality.yaw), 15.0, 45.0), _ramp(abs(quality.pitch), 18.0, 40.0))
    focus = 0.3 + 0.7 * _ramp(quality.sharpness, 0.006, 0.02)
    light = 0.4 + 0.6 * min(
        _ramp(quality.brightness, 15.0, 60.0),
        _ramp(-quality.brightness, -245.0, -200.0),
        _ramp(quality.contrast, 5.0, 25.0),
    )
    return max(0.05, size * pose * focus * light)
