"""Who is in one picture."""

from __future__ import annotations

from dataclasses import dataclass

from homeface.core.gallery import Gallery
from homeface.core.identification import Policy, identify_one
from homeface.core.types import Decision, Face, ImageBGR
from homeface.service.pipeline import FaceEngine, look_in_turn


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnswer:
    """One face of a picture, and who it is."""

    face: Face
    decision: Decision


async def identify_photo(
    engine: FaceEngine, image: ImageBGR, gallery: Gallery, policy: Policy
) -> list[FaceAnswer]:
    """Who is in this picture: one answer for each face, largest face first."""
    faces = sorted(await look_in_turn(engine, image), key=lambda face: face.detection.box.area, reverse=True)
    embeddings = await engine.embed([face.crop for face in faces]) if faces else []
    return [
        FaceAnswer(face, identify_one(embedding, face.quality, gallery, policy))
        for face, embedding in zip(faces, embeddings, strict=True)
    ]
