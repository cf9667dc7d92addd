"""``homeface people health``, ``report``, ``adapted`` and ``remove-photo``: no model is loaded for them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.store import NewTemplate, Store
from homeface.core.types import Embedding, Lesson, Quality, Vector
from tests.cli.conftest import Command

MODEL = "mobilefacenet/arcface_112-1"
QUALITY = Quality(60.0, 0.05, 1.0, 2.0, 3.0, 120.0, 50.0, False, 0.9, ())


def face(person: int, number: int, noise: float = 0.6) -> Vector:
    middle = np.random.default_rng(person).normal(size=128)
    error = np.random.default_rng(1000 * person + number).normal(size=128)
    raw = middle / np.linalg.norm(middle) + noise * error / np.linalg.norm(error)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def photo(person: int, number: int, *, infrared: bool = False) -> NewTemplate:
    return NewTemplate(face(person, number), MODEL, replace(QUALITY, infrared=infrared))


def enrol(store: Store, name: str, person: int, count: int = 5) -> str:
    photos = [photo(person, n) for n in range(count)] + [photo(person, 50 + n, infrared=True) for n in (1, 2)]
    subject, _ = store.enrol(name, photos)
    return subject.subject_id


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homeface.db"


@pytest.fixture
def family(config: Path, database: Path) -> Path:
    with Store(database) as store:
        enrol(store, "Ada", 1)
        enrol(store, "Bob", 2)
    return database


class TestHealth:
    def test_nobody(self, homeface: Command, config: Path) -> None:
        answer = homeface("people", "health")
        assert answer.code == 0
        assert "Nobody is enrolled yet" in answer.out
        assert homeface("people", "health", "--json").json["people"] == []

    def test_a_sound_family(self, homeface: Command, family: Path) -> None:
        answer = homeface("people", "health")
        assert answer.code == 0
        assert "Everybody can be named as promised." in answer.out
        told = homeface("people", "health", "--json").json
        assert told["promise_kept"] is True
        assert told["asked_false_names"] == 0.001
        assert told["expected_false_names"] <= 0.001
        assert [(p["name"], p["photos_day"], p["photos_infrared"]) for p in told["people"]] == [
            ("Ada", 5, 2),
            ("Bob", 5, 2),
        ]
        assert told["people"][0]["nearest"]["name"] == "Bob"

    def test_what_cannot_be_promised_is_told_by_name(self, homeface: Command, family: Path) -> None:
        with Store(family) as store:
            store.enrol("Eve", [photo(3, 0)])
            wrong = store.add_template(store.require_subject("Ada").subject_id, photo(2, 30))
            enrol(store, "Twin", 1, 6)
        answer = homeface("people", "health")
        assert answer.code == 0
        text = " ".join(answer.out.split())
        assert "What cannot be promised:" in text
        assert "Eve has only one photo" in text
        assert "Four more photos of Eve" in text
        assert "Ada and Twin look so alike" in text
        assert f"Photo {wrong.template_id} of Ada looks more like Bob" in text
        told = homeface("people", "health", "--json").json
        assert not told["promise_kept"]
        topics = [(finding["topic"], set(finding["people"])) for finding in told["findings"]]
        assert ("too_alike", {"Ada", "Twin"}) in topics
        assert ("outlier", {"Ada", "Bob"}) in topics
        assert ("too_few_photos", {"Eve"}) in topics

    def test_check_sums_it_up(self, homeface: Command, family: Path) -> None:
        def people() -> tuple[bool, str]:
            rows = homeface("check", "--json", "--timeout", "30").json
            return next((row["ok"], row["text"]) for row in rows if row["what"] == "people")

        assert people() == (True, "2 people, everybody can be named as promised")
        with Store(family) as store:
            store.enrol("Eve", [photo(3, 0)])
        ok, text = people()
        assert ok  # the household's choice, not a fault
        assert "Eve has only one photo" in text
        assert "homeface people health" in text

    def test_an_embedder_without_figures(self, homeface: Command, family: Path, config: Path) -> None:
        config.write_text(config.read_text().replace("mobilefacenet", "facenet_casia"))
        answer = homeface("people", "health")
        assert answer.code == 1
        assert "no calibration" in answer.err


class TestReport:
    def test_one_private_page_without_faces(self, homeface: Command, family: Path, tmp_path: Path) -> None:
        answer = homeface("people", "report", "-o", "out/report.html", "--png", "png")
        assert answer.code == 0, answer.err
        page = tmp_path / "out" / "report.html"
        assert page.stat().st_mode & 0o777 == 0o600
        html = page.read_text()
        for words in ("Ada", "Bob", "Mahalanobis", "of the variance", "look-alike", "is missed"):
            assert words in html
        assert html.count("data:image/png;base64,") == 3
        assert 'src="http' not in html
        assert "href=" not in html
        assert "image/jpeg" not in html
        pictures = sorted((tmp_path / "png").iterdir())
        assert [file.name for file in pictures] == [
            "homeface-components.png", "homeface-distances.png", "homeface-spread.png",
        ]  # fmt: skip
        for file in pictures:
            assert file.read_bytes().startswith(b"\x89PNG")
            assert file.stat().st_mode & 0o777 == 0o600
        assert homeface("people", "report", "-o", "out/report.html").code == 0  # an old report may go

    def test_names_are_text(self, homeface: Command, family: Path, tmp_path: Path) -> None:
        with Store(family) as store:
            enrol(store, "<b>$x^2$</b> 李", 3)
        assert homeface("people", "report").code == 0
        html = (tmp_path / "report.html").read_text()
        assert "<b>$x^2$" not in html
        assert "&lt;b&gt;$x^2$" in html

    def test_other_files_stay(self, homeface: Command, family: Path, tmp_path: Path) -> None:
        mine = tmp_path / "diary.html"
        mine.write_text("<html>mine</html>")
        answer = homeface("people", "report", "-o", mine)
        assert answer.code == 1
        assert "is not a report of homeface" in answer.err
        assert mine.read_text() == "<html>mine</html>"

    @pytest.mark.parametrize("people", [0, 1])
    def test_hardly_anybody(self, homeface: Command, config: Path, database: Path, people: int) -> None:
        if people:
            with Store(database) as store:
                store.enrol("Ada", [photo(1, 0)])
        assert homeface("people", "report").code == 0

    @pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
    def test_without_the_extra(
        self, homeface: Command, family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        monkeypatch.setitem(sys.modules, missing, None)
        for name in list(sys.modules):
            if name.startswith(f"{missing}."):
                monkeypatch.setitem(sys.modules, name, None)
        answer = homeface("people", "report")
        assert answer.code == 1
        assert "uv sync --extra report" in answer.err
        assert not (tmp_path / "report.html").exists()


class TestLearned:
    def teach(self, database: Path) -> None:
        with Store(database) as store:
            for number, name in enumerate(("Ada", "Bob")):
                subject = store.require_subject(name)
                vector = face(number + 1, 70)
                store.learn(
                    Lesson(
                        subject.subject_id, Embedding(vector, MODEL), QUALITY, f"visit-{name}", 1e9 + number
                    )
                )

    def test_listed_and_dropped(self, homeface: Command, family: Path) -> None:
        assert "Nothing was learned" in homeface("people", "adapted", "list").out
        self.teach(family)
        rows = homeface("people", "adapted", "list", "--json").json
        assert [(row["name"], row["visit"]) for row in rows] == [("Ada", "visit-Ada"), ("Bob", "visit-Bob")]
        assert "visit-Ada" in homeface("people", "adapted", "list").out
        shown = homeface("people", "show", "Ada", "--json").json
        assert [item["source"] for item in shown["photos"]].count("adapted") == 1
        assert homeface("people", "health", "--json").json["people"][0]["learned"] == 1
        assert "1 learned templates of Ada" in homeface("people", "adapted", "drop", "Ada").out
        assert [row["name"] for row in homeface("people", "adapted", "list", "--json").json] == ["Bob"]
        assert homeface("people", "adapted", "drop", "--all").code == 0
        assert homeface("people", "adapted", "list", "--json").json == []
        assert len(homeface("people", "show", "Bob", "--json").json["photos"]) == 7

    @pytest.mark.parametrize("arguments", [[], ["Ada", "--all"]])
    def test_whose(self, homeface: Command, family: Path, arguments: list[str]) -> None:
        assert homeface("people", "adapted", "drop", *arguments).code == 2


class TestRemovePhoto:
    def test_one_photo(self, homeface: Command, family: Path) -> None:
        photos = homeface("people", "show", "Ada", "--json").json["photos"]
        answer = homeface("people", "remove-photo", "Ada", photos[0]["id"])
        assert answer.code == 0
        left = homeface("people", "show", "Ada", "--json").json["photos"]
        assert [item["id"] for item in left] == [item["id"] for item in photos[1:]]

    def test_not_somebody_elses(self, homeface: Command, family: Path) -> None:
        photos = homeface("people", "show", "Ada", "--json").json["photos"]
        answer = homeface("people", "remove-photo", "Bob", photos[0]["id"])
        assert answer.code == 1
        assert "Bob has no photo" in answer.err
        assert len(homeface("people", "show", "Ada", "--json").json["photos"]) == len(photos)
