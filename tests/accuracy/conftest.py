"""Real faces through the real detector and embedders, once for all accuracy tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder
from homeface.lab.evaluation.faces import FaceSet, Sampling, collect
from tests.support.data import data_dir, has_data, weights_dir

EMBEDDERS = ("facenet_vggface2", "mobilefacenet")
MEMBERS = 7
STRANGERS = 30


def _few_people(folder: Path) -> Path:
    """A folder of links: some people with many pictures, and strangers with one each."""
    people = [(path, len(list(path.glob("*.jpg")))) for path in sorted((data_dir() / "lfw/images").iterdir())]
    many = [path for path, count in people if count >= 9][:: max(1, 60 // MEMBERS)][:MEMBERS]
    once = [path for path, count in people if count == 1]
    chosen = [*many, *once[:: len(once) // STRANGERS][:STRANGERS]]
    for person in chosen:
        target = folder / person.name
        target.mkdir()
        for picture in sorted(person.glob("*.jpg"))[:8]:
            (target / picture.name).symlink_to(picture)
    return folder


@pytest.fixture(scope="session")
def face_sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FaceSet]:
    """The faces as every embedder sees them: each picture as it is, and once as a home camera sees it."""
    if not has_data():
        pytest.skip("needs the test data")
    place = Placement([weights_dir()], "cpu", threads=2)
    detector = load_detector(find_spec("mtcnn", Kind.DETECTOR), place, 30)
    embedders = [load_embedder(find_spec(name, Kind.EMBEDDER), place) for name in EMBEDDERS]
    folder = _few_people(tmp_path_factory.mktemp("people"))
    cache = tmp_path_factory.mktemp("embeddings")
    sets = collect(folder, detector, embedders, Sampling(looks=1, least=1, most=8), cache)
    detector.close()
    for embedder in embedders:
        embedder.close()
    return dict(zip(EMBEDDERS, sets, strict=True))
