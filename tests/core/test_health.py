"""What can be promised for whom, in figures and in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.calibration import Calibration, policy_for, threshold_for
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.health import Asked, Health, examine_health, rate_at, visit_score
from homeface.core.health_findings import CameraRecord, Finding, Topic, findings, in_one, listed, share
from homeface.core.templates import Limits, chosen_gallery
from tests.core.test_templates import face, family, gallery, template

CALIBRATION = Calibration(
    "m",
    visit=((0.1, 0.2), (0.01, 0.3), (0.001, 0.38)),
    single=((0.1, 0.2), (0.01, 0.28), (0.001, 0.36)),
    support=0.33,
)
LIMITS = Limits(agreement=0.35, another=0.4)


def health_of(*templates: Template, rate: float = 0.001, eyes: dict[str, float] | None = None) -> Health:
    stored = gallery(*templates)
    subjects = max(1, len(stored.subjects))
    asked = Asked(rate, policy_for(CALIBRATION, rate, subjects=subjects), CALIBRATION, LIMITS)
    return examine_health(stored, chosen_gallery(stored, LIMITS), asked, eyes)


def told(health: Health, topic: Topic) -> list[Finding]:
    return [finding for finding in findings(health) if finding.topic is topic]


def both_lights(people: int = 3) -> list[Template]:
    infrared = [template(p, 100 + n, infrared=True) for p in range(1, people + 1) for n in range(2)]
    return [*family(people), *infrared]


class TestFigures:
    def test_a_sound_family(self) -> None:
        health = health_of(*both_lights())
        assert [(p.day, p.infrared, p.adapted, p.resting) for p in health.people] == [(6, 2, 0, 0)] * 3
        for person in health.people:
            assert 0 < person.false_names <= 0.001
            assert person.misses is not None
            assert person.misses < 0.05
            assert person.fit is not None
            assert 0.5 < person.fit < 0.95
            assert 0.2 < person.spread < 0.6
            assert person.nearest is not None
            assert person.nearest.kept
        assert health.false_names <= 0.001
        assert findings(health) == ()

    def test_the_promise_is_shared_between_people(self) -> None:
        for people in (1, 3, 6):
            assert health_of(*both_lights(people)).false_names <= 0.001

    def test_stricter_means_more_misses(self) -> None:
        misses = [health_of(*both_lights(), rate=rate).people[0].misses or 0 for rate in (0.01, 1e-6, 1e-12)]
        assert misses == sorted(misses)
        assert misses[-1] > misses[0]

    def test_more_alike_means_more_mistakes(self) -> None:
        def mixed(share_of_twin: float) -> Health:
            middle = share_of_twin * face(1, 0, 0.0) + (1 - share_of_twin) * face(2, 0, 0.0)
            rows = [middle + 0.8 * (face(2, n) - face(2, 0, 0.0)) for n in range(6)]
            twin = [
                Template(f"twin{n}", "twin", (row / np.linalg.norm(row)).astype(np.float32), "m")
                for n, row in enumerate(rows)
            ]
            return health_of(*family(1), *twin)

        near = [mixed(part).people[0].nearest for part in (0.0, 0.5, 0.9)]
        assert all(item is not None for item in near)
        scores = [item.score for item in near if item]
        mistakes = [item.mistaken for item in near if item]
        assert scores == sorted(scores)
        assert mistakes == sorted(mistakes)
        assert near[0] is not None
        assert near[0].kept
        assert near[-1] is not None
        assert not near[-1].kept

    @given(st.floats(1e-7, 0.09))
    def test_a_rate_from_its_threshold(self, rate: float) -> None:
        assert rate_at(CALIBRATION.visit, threshold_for(CALIBRATION.visit, rate)) == pytest.approx(
            rate, rel=1e-3
        )

    @given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
    def test_visits_score_higher_than_photos_and_keep_their_order(self, first: float, second: float) -> None:
        assert visit_score(first) >= first - 1e-12
        assert (visit_score(first) <= visit_score(second)) == (first <= second) or first == second

    def test_the_order_of_templates_does_not_matter(self) -> None:
        photos = [*both_lights(), template(2, 50, owner=1)]
        one, other = health_of(*photos), health_of(*reversed(photos))
        assert findings(one) == findings(other)
        assert [p.misses for p in one.people] == [p.misses for p in other.people]

    def test_learned_templates_change_no_figure_but_their_own(self) -> None:
        plain = health_of(*both_lights()).people[0]
        learned = health_of(*both_lights(), template(1, 70, adapted=True)).people[0]
        assert learned.adapted == 1
        assert (learned.fit, learned.day, learned.spread) == (plain.fit, plain.day, plain.spread)


class TestWords:
    def test_nobody(self) -> None:
        empty = Gallery([], [], "m")
        asked = Asked(0.001, policy_for(CALIBRATION, 0.001), CALIBRATION, LIMITS)
        (finding,) = findings(examine_health(empty, empty, asked))
        assert finding.topic is Topic.NOBODY

    def test_somebody_without_photos(self) -> None:
        stored = Gallery([Subject("p1", "Ada")], [], "m")
        asked = Asked(0.001, policy_for(CALIBRATION, 0.001), CALIBRATION, LIMITS)
        (finding,) = findings(examine_health(stored, stored, asked))
        assert (finding.topic, finding.promise) == (Topic.NO_PHOTOS, False)
        assert "Ada" in finding.text

    @pytest.mark.parametrize(("count", "words"), [(1, "Four more photos"), (2, "Three more photos")])
    def test_too_few_photos(self, count: int, words: str) -> None:
        (finding,) = told(health_of(*family(2), *[template(9, n) for n in range(count)]), Topic.FEW_PHOTOS)
        assert not finding.promise
        assert finding.subjects == ("p9",)
        assert words in finding.help

    def test_no_infrared(self) -> None:
        (finding,) = told(health_of(*family(2)), Topic.NO_INFRARED)
        assert finding.promise
        assert "p1 and p2" in finding.text
        assert finding.help.startswith("Two more infra-red photos of each of them")
        (one,) = told(health_of(*both_lights(2), *[template(9, n) for n in range(5)]), Topic.NO_INFRARED)
        assert one.help.startswith("Two more infra-red photos of p9")

    def test_a_wrong_photo(self) -> None:
        health = health_of(*both_lights(), template(2, 50, owner=1), template(300, 0, owner=3))
        first, second = sorted(told(health, Topic.OUTLIER), key=lambda finding: finding.subjects)
        assert first.templates == ("t002-050",)
        assert "looks more like p2" in first.text
        assert "remove-photo" in first.help
        assert second.templates == ("t300-000",)
        assert "does not look like p3's others" in second.text

    def test_photos_that_disagree(self) -> None:
        health = health_of(*family(2), template(9, 0), template(300, 0, owner=9))
        (finding,) = told(health, Topic.MIXED)
        assert (finding.subjects, finding.promise) == (("p9",), False)

    def test_two_too_alike(self) -> None:
        twins = [template(1, n, owner=n % 2 + 1) for n in range(12)]
        (finding,) = told(health_of(*twins, *[template(3, n) for n in range(5)]), Topic.ALIKE)
        assert finding.subjects == ("p1", "p2")
        assert not finding.promise
        assert "p1" in finding.text
        assert "p2" in finding.text

    def test_the_same_picture_of_two_people(self) -> None:
        again = replace(template(1, 0, owner=2), template_id="again", created_at=5.0)
        health = health_of(*both_lights(1), template(2, 0), again)
        copies = told(health, Topic.COPY) + told(health, Topic.OUTLIER)
        assert any("again" in finding.text for finding in copies)

    def test_small_and_resting_photos(self) -> None:
        photos = [template(1, n) for n in range(23)]
        health = health_of(*photos, eyes={photo.template_id: 20.0 for photo in photos})
        (small,) = told(health, Topic.SMALL_PHOTOS)
        assert "20 px" in small.text
        (resting,) = told(health, Topic.RESTING)
        assert resting.text.startswith("3 photos of p1 rest")

    def test_cameras_that_see_too_little(self) -> None:
        health = health_of(*both_lights())
        small = CameraRecord("porch", 40, 30, {"no_usable_face": 30, "too_small": 29})
        dark = CameraRecord("hall", 40, 30, {"no_usable_face": 30, "too_dark": 29})
        fine = CameraRecord("kitchen", 40, 3, {"too_small": 3})
        new = CameraRecord("new", 5, 5, {"too_small": 5})
        found = findings(health, [small, dark, fine, new])
        assert [finding.topic for finding in found] == [Topic.CAMERA_SMALL, Topic.CAMERA_POOR]
        assert "29 of 40" in found[0].text
        assert "too dark" in found[1].text

    def test_the_serious_ones_come_first(self) -> None:
        found = findings(health_of(*family(2), template(9, 0), template(2, 50, owner=1)))
        assert [finding.promise for finding in found] == sorted(finding.promise for finding in found)

    def test_every_sentence_ends(self) -> None:
        twins = [template(1, n, owner=n % 2 + 1) for n in range(12)]
        health = health_of(*twins, template(9, 0), template(300, 0, owner=3), template(301, 0, owner=3))
        assert all(finding.text.endswith(".") for finding in findings(health))

    @pytest.mark.parametrize(
        ("rate", "words"),
        [(None, "not known"), (0.0, "never"), (0.6, "60%"), (0.3, "1 in 3"), (0.0021, "1 in 480"),
         (1e-4, "1 in 10,000"), (1 / 123456, "1 in 120,000")],
    )  # fmt: skip
    def test_rates_as_people_say_them(self, rate: float | None, words: str) -> None:
        assert in_one(rate) == words

    def test_grammar(self) -> None:
        assert share(0.6, "visits") == "60% of visits"
        assert share(0.01, "visits") == "1 in 100 visits"
        assert listed(["Ada"]) == "Ada"
        assert listed(["Ada", "Bob", "Eve"]) == "Ada, Bob and Eve"
