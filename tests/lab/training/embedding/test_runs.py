"""Whole runs of the smallest network on made faces: every loss, what is exported, bad lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homeface.errors import DatasetError, ImageError, TrainingError
from homeface.lab.training.embedding.aligned import INDEX, align_folder, read_aligned
from homeface.lab.training.embedding.data import FaceData, chosen, read_list
from homeface.lab.training.embedding.losses import LOSSES
from homeface.lab.training.embedding.run import Trained, lists_of, train_embedding
from homeface.lab.training.folder import RunFolder
from tests.lab.training.embedding.made import make_aligned, request_for
from tests.support.data import data_dir, requires_data, weights_dir

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_aligned(tmp_path_factory.mktemp("faces"))


def train(faces: Path, out: Path, **changes: Any) -> Trained:
    return train_embedding(request_for(faces, **changes), RunFolder(out), read_aligned(faces))


@pytest.fixture
def unexported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Export takes longer than the training: once is enough."""
    monkeypatch.setattr("homeface.lab.training.embedding.run.make", lambda *_arguments: None)


@pytest.mark.usefixtures("unexported")
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(loss: str, faces: Path, tmp_path: Path) -> None:
    trained = train(faces, tmp_path, loss=loss, epochs=1)
    assert set(trained.before) == set(trained.best)
    assert np.isfinite(list(trained.best.values())).all()


def test_the_best_epoch_is_exported(faces: Path, tmp_path: Path) -> None:
    trained = train(faces, tmp_path, epochs=1)
    assert trained.product is not None
    assert min(trained.product.alike.values()) > 0.9999
    assert trained.product.spec.artefacts[0].file == "tiny.onnx"


@pytest.mark.usefixtures("unexported")
def test_a_run_goes_on_only_as_it_was_begun(faces: Path, tmp_path: Path) -> None:
    train(faces, tmp_path, epochs=1)
    with pytest.raises(TrainingError, match="holds a run already"):
        train(faces, tmp_path, epochs=1)
    with pytest.raises(TrainingError, match="was begun with loss"):
        train(faces, tmp_path, epochs=1, resume=True, loss="cosface")


def test_no_epochs_make_a_model_of_the_weights_alone(faces: Path, tmp_path: Path) -> None:
    trained = train(faces, tmp_path, epochs=0)
    assert trained.product is not None
    assert trained.best == trained.before


def test_nobody_judges_and_learns(faces: Path) -> None:
    listed, apart = lists_of(request_for(faces).source, read_aligned(faces))
    judges = {face.person for face in apart}
    learners = {file.parent.name for file in listed.files}
    assert judges
    assert learners
    assert not judges & learners
    assert len(judges | learners) == 10


def test_ids_with_gaps_and_names_are_numbered_anew(faces: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("p0/0.jpg 7\np0/1.jpg 7\n\np1/0.jpg 1000\np2/0.jpg Ada\np2/1.jpg Ada\n")
    entries = read_list(file, faces)
    assert chosen(entries, 1, "list").ids == ("7", "1000", "Ada")
    listed = chosen(entries, 2, "list")
    assert listed.ids == ("7", "Ada")
    assert listed.labels == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p0/0.jpg 0\ngone/0.jpg 1\n", "list.txt:2: there is no picture"),
        ("p0/0.jpg\n", "list.txt:1: expected 'path id'"),
        ("p0/0.jpg 0\np0/1.jpg 0\n", "1 of 1 people have 1 faces or more; a network learns from two"),
        ("", "0 of 0 people"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_learned_from(text: str | None, told: str, faces: Path, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DatasetError, match=told):
        chosen(read_list(tmp_path / "list.txt", faces), 1, "list.txt")


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_face_that_is_broken_or_gone_is_named(content: bytes | None, tmp_path: Path) -> None:
    folder = make_aligned(tmp_path / "faces", people=3, pictures=2)
    entries = read_list(folder / "faces.txt", folder)
    if content is None:
        (folder / "p1" / "0.jpg").unlink()
    else:
        (folder / "p1" / "0.jpg").write_bytes(content)
    with pytest.raises(DatasetError, match=r"p1/0\.jpg"):
        FaceData(chosen(entries, 1, "list")).stack()


def test_groups_put_faces_of_one_person_side_by_side(faces: Path) -> None:
    data = FaceData(chosen(read_list(faces / "faces.txt", faces), 1, "list"), groups=2, repeat=2)
    order = data.order(np.random.default_rng(1))
    labels = data.labels[list(order)].reshape(-1, 2)
    assert (labels[:, 0] == labels[:, 1]).all()
    assert len(order) == 2 * len(data)
    assert order == data.order(np.random.default_rng(1))


def test_a_folder_of_another_version_or_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no aligned faces: make them with"):
        read_aligned(tmp_path)
    (tmp_path / INDEX).write_text('{"version": 99}\n')
    with pytest.raises(ImageError, match="of another version of homeface"):
        read_aligned(tmp_path)


@requires_data
@pytest.mark.parametrize("detector", ["yunet_n", "mtcnn"])
def test_alignment_goes_on_where_it_was_stopped(detector: str, tmp_path: Path) -> None:
    from homeface.inference.manifest import Kind, find_spec

    people = tmp_path / "people"
    for name in ("Tony_Blair", "Hugo_Chavez"):
        (people / name).mkdir(parents=True)
        for picture in sorted((data_dir() / "lfw" / "images" / name).iterdir())[:2]:
            (people / name / picture.name).symlink_to(picture)
    (people / "Hugo_Chavez" / "broken.jpg").write_bytes(b"no picture")
    spec, models = find_spec(detector, Kind.DETECTOR), [weights_dir()]
    out = tmp_path / "aligned"
    first = align_folder(people, out, spec, models)
    assert [face.person for face in first.faces] == ["Hugo_Chavez"] * 2 + ["Tony_Blair"] * 2
    assert first.missed == ("broken.jpg",)
    assert (out / "faces.txt").read_text().splitlines()[-1].endswith(" 1")
    # as after a power cut: the last line is half written
    lines = (out / INDEX).read_text().splitlines()
    (out / INDEX).write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20] + "\n")
    done: list[tuple[int, int]] = []
    again = align_folder(people, out, spec, models, lambda *step: done.append(step))
    assert done == [(4, 5), (5, 5)]
    assert again == first
    with pytest.raises(ImageError, match=f"holds faces found by {detector}"):
        align_folder(people, out, find_spec("scrfd_500m", Kind.DETECTOR), models)
