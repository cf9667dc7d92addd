"""Many random households, met by their members and by strangers, judged by the core and by peers' rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import Gallery
from homeface.core.types import Embedding
from homeface.lab.evaluation.judging import Judge, Verdict
from homeface.lab.evaluation.street import Protocol, Setting, Street, cut, gallery_of, padded
from homeface.lab.evaluation.trials import NEVER, Trials, joined
from homeface.lab.evaluation.workers import as_worker
from homeface.lab.peers.rules import FACE_RECOGNITION, Enrolled, Rule, rules_for, utter

Progress = Callable[[int, int], None]
_MEMBER_PROBES = 10
_RECHECKED = 0.01
_CHUNK = 25
"""Households of one piece of work: the pieces, and so the figures, are the same for any number of jobs."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Trials by kind (``probe``, ``visit``), of the core and of each peer's rule.

    The core's thresholds are numbers of steps of the ladder. ``waits``: looks until the name, per asked rate.
    ``rechecked``: (skipped searches that the core was asked about all the same, names it gave).
    """

    own: Mapping[str, Trials]
    peers: Mapping[str, Mapping[str, Trials]]
    waits: Mapping[float, list[int]]
    first_is_right: tuple[int, int]
    rechecked: tuple[int, int]
    looks: int


@dataclass(slots=True, eq=False)
class _Book:
    """Trials on their way."""

    rows: list[tuple[NDArray[np.generic], ...]] = field(default_factory=list)

    def add(
        self,
        household: int,
        batch: _Batch,
        right: NDArray[np.float64],
        wrong: NDArray[np.float64],
        named: NDArray[np.int64],
    ) -> None:
        number = np.full(len(batch.person), household, np.int64)
        self.rows.append((number, batch.person, batch.column >= 0, right, wrong, named, batch.doubtful))

    def trials(self, members: NDArray[np.int64]) -> Trials:
        if not self.rows:
            nothing = np.zeros(0)
            whole, flags = nothing.astype(np.int64), nothing.astype(bool)
            return Trials(whole, whole, flags, nothing, nothing, whole, flags, members)
        columns = [np.concatenate(parts) for parts in zip(*self.rows, strict=True)]
        return Trials(
            household=columns[0].astype(np.int64),
            person=columns[1].astype(np.int64),
            member=columns[2].astype(bool),
            right=columns[3].astype(np.float64),
            wrong=columns[4].astype(np.float64),
            named=columns[5].astype(np.int64),
            doubtful=columns[6].astype(bool),
            members=members,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Searches of one household: (V, F) rows of the face set, -1 where there are fewer looks.

    ``column`` of the right subject, -1 for strangers; ``numbers`` in the pool of strangers' visits, or -1.
    """

    rows: NDArray[np.int64]
    person: NDArray[np.int64]
    column: NDArray[np.int64]
    doubtful: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Family:
    """One household at work."""

    number: int
    members: NDArray[np.int64]
    gallery: Gallery
    enrolled_rows: NDArray[np.int64]
    doubtful: bool


class Simulation:
    """Runs a setting; ``run`` may be called once."""

    def __init__(self, setting: Setting, protocol: Protocol) -> None:
        """Raises ImageError with a sentence when the folder cannot fill a household."""
        self.street = Street(setting, protocol)
        self.setting, self.protocol = setting, protocol
        self.judge = Judge(setting.calibration, setting.ladder, protocol.subjects)
        self.own = {"probe": _Book(), "visit": _Book()}
        theirs = rules_for(setting.faces.model_id) if setting.peers else ()
        self.rules = (*theirs, *((FACE_RECOGNITION,) if setting.dlib is not None else ()))
        self.peers = {rule.key: {"probe": _Book(), "visit": _Book()} for rule in self.rules}
        self.waits: dict[float, list[int]] = {rate: [] for rate in setting.asked}
        self.first = [0, 0]
        self.rechecked = [0, 0]

    def run(self, progress: Progress = lambda _done, _total: None) -> Result:
        """Meet every household."""
        everybody = []
        for number in range(self.protocol.households):
            family = self._family(number)
            everybody.append(family.members)
            self._probes(family)
            self._visits(family)
            progress(number + 1, self.protocol.households)
        members = np.array(everybody, np.int64)
        return Result(
            own={kind: book.trials(members) for kind, book in self.own.items()},
            peers={
                key: {kind: book.trials(members) for kind, book in books.items()}
                for key, books in self.peers.items()
            },
            waits=self.waits,
            first_is_right=(self.first[0], self.first[1]),
            rechecked=(self.rechecked[0], self.rechecked[1]),
            looks=self.street.looks,
        )

    def _family(self, number: int) -> _Family:
        street, faces = self.street, self.setting.faces
        draw = street.generator
        members = np.sort(draw.choice(street.rich, self.protocol.subjects, replace=False))
        rows = np.concatenate(
            [
                np.sort(draw.choice(street.enrolment[int(p)], self.protocol.photos, replace=False))
                for p in members
            ]
        )
        gallery = gallery_of(faces, rows)
        doubtful = any(int(faces.picture[row]) in self.setting.doubtful_pictures for row in rows)
        return _Family(number, members.astype(np.int64), gallery, rows, doubtful)

    def _probes(self, family: _Family) -> None:
        street, faces = self.street, self.setting.faces
        outside = street.probes[~np.isin(faces.person[street.probes], family.members)]
        count = min(self.protocol.stranger_probes, len(outside))
        strangers = np.sort(street.generator.choice(outside, count, replace=False))
        own = [self._fresh(family, int(person))[:_MEMBER_PROBES] for person in family.members]
        rows = np.concatenate([strangers, *own])
        batch = self._batch(family, rows[:, None])
        scores = family.gallery.score_matrix(faces.vectors[rows])
        member = batch.column >= 0
        self.first[0] += int((scores.argmax(axis=1) == batch.column)[member].sum())
        self.first[1] += int(member.sum())
        skipped = self.judge.hopeless(family.gallery, faces.vectors[rows]) & ~member
        verdicts = []
        for row, column, skip in zip(rows.tolist(), batch.column.tolist(), skipped.tolist(), strict=True):
            if skip and not self._recheck():
                verdicts.append(Verdict(0, 0))
                continue
            face = Embedding(faces.vectors[row], faces.model_id)
            right = None if column < 0 else family.gallery.candidate_ids[column]
            verdict = self.judge.picture(face, faces.qualities[row], family.gallery, right)
            self._note(skip, verdict)
            verdicts.append(verdict)
        self._write("probe", family, batch, verdicts)

    def _visits(self, family: _Family) -> None:
        street = self.street
        outside = np.flatnonzero(~np.isin(street.pool_person, family.members))
        count = min(self.protocol.stranger_visits, len(outside))
        numbers = np.sort(street.generator.choice(outside, count, replace=False))
        own = [
            visit
            for person in family.members
            for visit in cut(self._fresh(family, int(person)), street.looks, street.looks, street.generator)
        ]
        rows = np.concatenate([street.pool_rows[numbers], padded(own, street.looks)])
        batch = self._batch(family, rows)
        numbers = np.concatenate([numbers, np.full(len(own), -1)])
        hopeless = np.ones(len(street.pool_person), bool)
        if len(street.pool_means):
            far = self.judge.hopeless(family.gallery, street.pool_means)
            hopeless = np.asarray(np.logical_and.reduceat(far, street.pool_starts), bool)
        verdicts = []
        for look, column, number in zip(rows, batch.column.tolist(), numbers.tolist(), strict=True):
            skip = bool(number >= 0 and hopeless[number])
            if skip and not self._recheck():
                verdicts.append(Verdict(0, 0))
                continue
            prefixes = street.prefixes(look, number)
            right = None if column < 0 else family.gallery.candidate_ids[column]
            verdict = self.judge.visit(prefixes, family.gallery, right)
            self._note(skip, verdict)
            verdicts.append(verdict)
            if right is not None:
                for rate, waits in self.waits.items():
                    waits.append(self.judge.wait(prefixes, family.gallery, right, rate))
        self._write("visit", family, batch, verdicts)

    def _fresh(self, family: _Family, person: int) -> NDArray[np.int64]:
        """Faces of a member in pictures that enrolment did not use, in random order."""
        faces = self.setting.faces
        rows = self.street.met[person]
        fresh = rows[~np.isin(faces.picture[rows], faces.picture[family.enrolled_rows])]
        return np.asarray(self.street.generator.permutation(fresh), np.int64)

    def _batch(self, family: _Family, rows: NDArray[np.int64]) -> _Batch:
        faces, setting = self.setting.faces, self.setting
        person = faces.person[rows[:, 0]]
        where = {int(p): column for column, p in enumerate(family.members)}
        column = np.array([where.get(int(p), -1) for p in person], np.int64)
        alike = {a for a, b in setting.doubtful_pairs if b in where} | {
            b for a, b in setting.doubtful_pairs if a in where
        }
        doubtful = np.isin(person, list(alike)) & (column < 0)
        if setting.doubtful_pictures:
            bad = np.isin(faces.picture[rows], list(setting.doubtful_pictures)) & (rows >= 0)
            doubtful |= bad.any(axis=1)
        return _Batch(rows, person, column, doubtful | family.doubtful)

    def _recheck(self) -> bool:
        return bool(self.street.generator.random() < _RECHECKED)

    def _note(self, skipped: bool, verdict: Verdict) -> None:
        if skipped:
            self.rechecked[0] += 1
            self.rechecked[1] += verdict.wrong > 0

    def _write(self, kind: str, family: _Family, batch: _Batch, verdicts: Sequence[Verdict]) -> None:
        right = np.array([verdict.right or NEVER for verdict in verdicts], np.float64)
        wrong = np.array([verdict.wrong or NEVER for verdict in verdicts], np.float64)
        named = np.array([int(verdict.named or -1) for verdict in verdicts], np.int64)
        self.own[kind].add(family.number, batch, right, wrong, named)
        faces = self.setting.faces
        for rule in self.rules:
            vectors = faces.vectors
            if rule is FACE_RECOGNITION and self.setting.dlib is not None:
                vectors = self.setting.dlib[faces.picture]
            part = batch if rule is not FACE_RECOGNITION else self._with_dlib(batch, vectors)
            if len(part.rows):
                self._let_peer_speak(rule, kind, family, part, vectors)

    def _with_dlib(self, batch: _Batch, vectors: NDArray[np.float32]) -> _Batch:
        """The searches all of whose pictures dlib was shown."""
        shown = ~np.isnan(vectors[:, 0])
        keep = (shown[batch.rows] | (batch.rows < 0)).all(axis=1)
        return _Batch(batch.rows[keep], batch.person[keep], batch.column[keep], batch.doubtful[keep])

    def _let_peer_speak(
        self, rule: Rule, kind: str, family: _Family, batch: _Batch, vectors: NDArray[np.float32]
    ) -> None:
        faces = self.setting.faces
        rows, places = np.unique(batch.rows[batch.rows >= 0], return_inverse=True)
        visits = np.full(batch.rows.shape, -1, np.int64)
        visits[batch.rows >= 0] = places
        enrolled = family.enrolled_rows[np.isfinite(vectors[family.enrolled_rows]).all(axis=1)]
        people, starts = np.unique(faces.person[enrolled], return_index=True)
        if not len(people):
            return
        column_of = {int(p): column for column, p in enumerate(people)}
        column = np.array(
            [column_of.get(int(family.members[c]), -2) if c >= 0 else -1 for c in batch.column], np.int64
        )
        said = utter(
            rule,
            Enrolled(vectors[enrolled], starts.astype(np.intp)),
            vectors[rows],
            faces.area[rows],
            visits,
            column,
        )
        self.peers[rule.key][kind].add(
            family.number, batch, said.right, said.wrong, people[said.wrong_column].astype(np.int64)
        )


def simulate(
    setting: Setting, protocol: Protocol, jobs: int = 1, progress: Progress = lambda _done, _total: None
) -> Result:
    """Run a protocol, in several processes if wished. Raises ImageError when no household can be filled."""
    return simulate_all(setting, [protocol], jobs, progress)


def simulate_all(
    setting: Setting,
    protocols: Sequence[Protocol],
    jobs: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> Result:
    """Run several protocols as one: households of several sizes. Raises ImageError like ``simulate``."""
    for protocol in {(one.subjects, one.photos): one for one in protocols}.values():
        Street(setting, protocol)  # says what is lacking before anything is started
    pieces = [piece for protocol in protocols for piece in _pieces(protocol)]
    total = sum(piece.households for piece in pieces)
    results = []
    done = 0
    if jobs > 1 and len(pieces) > 1:
        with ProcessPoolExecutor(min(jobs, len(pieces)), get_context("spawn"), _begin, (setting,)) as pool:
            for piece, result in zip(pieces, pool.map(_run_piece, pieces), strict=True):
                results.append(result)
                done += piece.households
                progress(done, total)
        return together(results)
    for piece in pieces:
        results.append(Simulation(setting, piece).run(lambda n, _: progress(done + n, total)))  # noqa: B023
        done += piece.households
    return together(results)


def _pieces(protocol: Protocol) -> list[Protocol]:
    return [
        replace(
            protocol,
            households=min(_CHUNK, protocol.households - first),
            seed=protocol.seed * 10_007 + first,
        )
        for first in range(0, protocol.households, _CHUNK)
    ]


def together(results: Sequence[Result]) -> Result:
    """Several runs as one."""
    first = results[0]
    return Result(
        own={kind: joined([result.own[kind] for result in results]) for kind in first.own},
        peers={
            key: {kind: joined([result.peers[key][kind] for result in results]) for kind in books}
            for key, books in first.peers.items()
        },
        waits={rate: [wait for result in results for wait in result.waits[rate]] for rate in first.waits},
        first_is_right=(
            sum(result.first_is_right[0] for result in results),
            sum(result.first_is_right[1] for result in results),
        ),
        rechecked=(
            sum(result.rechecked[0] for result in results),
            sum(result.rechecked[1] for result in results),
        ),
        looks=min(result.looks for result in results),
    )


_SETTING: list[Setting] = []


def _begin(setting: Setting) -> None:
    as_worker()
    _SETTING.append(setting)


def _run_piece(protocol: Protocol) -> Result:
    return Simulation(_SETTING[0], protocol).run()
