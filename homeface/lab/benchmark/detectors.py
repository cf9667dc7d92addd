"""All detectors beside facenet-pytorch's MTCNN: recall, false detections, cost. A command prints the table:

python -m homeface.lab.benchmark.detectors --models FOLDER --wider FOLDER --clip FILE [--step N]

Everything runs in one process and on the same pixels; for the cost the detectors take turns on the frames of
the clip, and each one's median is told beside facenet-pytorch's. Processor time, because other programs on
the machine disturb it less than the time on the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import homeface.inference  # noqa: F401 - before torch: it sets how OpenMP's threads wait
from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector
from homeface.lab.benchmark.recall import (
    LARGE,
    Find,
    LabelledPicture,
    agreed_faces,
    clip_frames,
    measure_recall,
    wider_pictures,
)
from homeface.lab.peers.facenet_pytorch import FacenetPytorch

NAMES = ("yunet_n", "yunet_2023mar", "scrfd_500m", "scrfd_2.5g", "mtcnn")
PEER = "facenet-pytorch MTCNN"
WITNESS_PX = 24
"""Witnesses of a clip's faces look for smaller ones than are asked for, and see more."""
ROUNDS = 3


def peer_finder(min_face_px: int) -> Find:
    """facenet-pytorch's MTCNN; its detections carry no landmarks here."""
    peer = FacenetPytorch("cpu", min_face_px)
    nowhere = np.zeros((5, 2), np.float32)

    def find(image: ImageBGR) -> list[Detection]:
        rows = peer.detect(np.ascontiguousarray(image[..., ::-1]))
        return [Detection(Box(*map(float, row[:4])), float(row[4]), nowhere) for row in rows]

    return find


def own_finder(name: str, place: Placement, min_face_px: int) -> Find:
    """A detector of the manifest. Raises the ``ModelError`` tree."""
    detector = load_detector(find_spec(name, Kind.DETECTOR), place, min_face_px)
    return lambda image: detector.detect([image])[0]


def cost(finders: Mapping[str, Find], frames: Sequence[ImageBGR]) -> dict[str, float]:
    """Median milliseconds of processor time for a frame; the finders take turns."""
    times: dict[str, list[float]] = {name: [] for name in finders}
    for turn in range(ROUNDS + 1):
        for frame in frames:
            for name, find in finders.items():
                begun = time.process_time()
                find(frame)
                if turn:  # the first round warms up
                    times[name].append((time.process_time() - begun) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="homeface.lab.benchmark.detectors")
    parser.add_argument("--models", type=Path, required=True, help="folder of the weight files")
    parser.add_argument("--wider", type=Path, required=True, help="annotations.json and images/")
    parser.add_argument("--clip", type=Path, required=True, help="a 1080p recording")
    parser.add_argument("--step", type=int, default=1, help="every Nth annotated picture")
    parser.add_argument("--frames", type=int, default=12, help="of the clip")
    parser.add_argument("--min-face-px", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision", default="auto", help="of ours: auto, float32 or bfloat16")
    wishes = parser.parse_args()
    place = Placement([wishes.models], "cpu", wishes.threads, "openvino", precision=wishes.precision)
    peer = peer_finder(wishes.min_face_px)
    own = {name: own_finder(name, place, wishes.min_face_px) for name in NAMES}
    witnesses = [peer_finder(WITNESS_PX)]
    witnesses += [own_finder(name, place, WITNESS_PX) for name in ("yunet_n", "scrfd_2.5g")]
    frames = list(clip_frames(wishes.clip, wishes.frames))
    seen = [
        agreed_faces(str(index), frame, witnesses, min_face_px=wishes.min_face_px)
        for index, frame in enumerate(frames)
    ]
    costs = cost({PEER: peer, **own}, frames[:4])
    print(f"{'':22}{'easy':>7}{'medium':>8}{'hard':>7}{'large':>7}{'false':>7}{'clip':>7}{'ms':>8}{'×':>7}")
    for name, find in {PEER: peer, **own}.items():
        print(
            row(name, find, list(wider_pictures(wishes.wider, step=wishes.step)), seen) + _cost(name, costs)
        )


def row(name: str, find: Find, labelled: Sequence[LabelledPicture], seen: Sequence[LabelledPicture]) -> str:
    """One line: recall in percent by group of the annotated faces, false detections, recall on the clip."""
    wider, clip = measure_recall(find, labelled), measure_recall(find, seen)
    easy, medium, hard, large = (wider.groups[g].share * 100 for g in ("easy", "medium", "hard", LARGE))
    shares = f"{easy:7.1f}{medium:8.1f}{hard:7.1f}{large:7.1f}"
    return f"{name:22}{shares}{wider.false:7}{clip.groups[LARGE].share * 100:7.1f}"


def _cost(name: str, costs: Mapping[str, float]) -> str:
    return f"{costs[name]:8.1f}{costs[PEER] / costs[name]:7.1f}"


if __name__ == "__main__":
    main()
