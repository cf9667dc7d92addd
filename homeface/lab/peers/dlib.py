"""face_recognition: dlib's HOG detector, five-point predictor and ResNet, as that package calls them.

ageitgey/face_recognition, ``face_recognition/api.py``: ``face_locations`` (HOG, upsampled once),
``face_encodings`` (``model="small"``: five points, no jitter) and a distance of at most 0.6 for one person.
The package itself is not used: it pins ``dlib``, which has to be compiled, and its model package asks for
``pkg_resources``; ``dlib-bin`` and the model files alone give the very same numbers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box, ImageRGB
from homeface.errors import BackendUnavailableError
from homeface.lab.peers import missing_peer

Descriptors = NDArray[np.float64]
"""(N, 128), not of unit length; compared by Euclidean distance."""

DIMENSION = 128
SAME_PERSON_DISTANCE = 0.6
"""``compare_faces``' default tolerance."""
_POINTS_FILE = "shape_predictor_5_face_landmarks.dat"
_NETWORK_FILE = "dlib_face_recognition_resnet_model_v1.dat"


class DlibFaces:
    """What ``face_recognition`` finds and computes. Raises ``BackendUnavailableError`` when not installed."""

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError as error:
            raise missing_peer("face_recognition (dlib)", "dlib-bin") from error
        folder = model_folder()
        self._dlib: Any = dlib
        self._hog: Any = dlib.get_frontal_face_detector()
        self._points: Any = dlib.shape_predictor(str(folder / _POINTS_FILE))
        self._network: Any = dlib.face_recognition_model_v1(str(folder / _NETWORK_FILE))

    def detect_hog(self, image_rgb: ImageRGB, upsample: int = 1) -> list[Box]:
        """``face_locations(image)``: faces of about 40 px and more (80 px without ``upsample``)."""
        height, width = image_rgb.shape[:2]
        found = self._hog(np.ascontiguousarray(image_rgb), upsample)
        return [
            Box(
                float(max(face.left(), 0)),
                float(max(face.top(), 0)),
                float(min(face.right(), width)),
                float(min(face.bottom(), height)),
            )
            for face in found
        ]

    def embed(self, image_rgb: ImageRGB, boxes: Sequence[Box]) -> Descriptors:
        """``face_encodings(image, locations)``: one row for each box."""
        image = np.ascontiguousarray(image_rgb)
        rows = [self._descriptor(image, box) for box in boxes]
        return np.asarray(rows, np.float64).reshape(-1, DIMENSION)

    def _descriptor(self, image: ImageRGB, box: Box) -> Descriptors:
        corners = (round(box.x1), round(box.y1), round(box.x2), round(box.y2))
        points = self._points(image, self._dlib.rectangle(*corners))
        return np.array(self._network.compute_face_descriptor(image, points, 1), np.float64)


def model_folder() -> Path:
    """Where ``face_recognition_models`` keeps its files, without importing it."""
    spec = importlib.util.find_spec("face_recognition_models")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places:
        folder = Path(place) / "models"
        if (folder / _POINTS_FILE).is_file() and (folder / _NETWORK_FILE).is_file():
            return folder
    if places:
        raise BackendUnavailableError(
            f"face_recognition's model files are not in {places[0]}: install face-recognition-models again."
        )
    raise missing_peer("face_recognition (dlib)", "face-recognition-models")
