"""One thread that owns the device, and the queue in front of it.

Work is handed over as jobs. Jobs of one ``batch`` name that wait at the same moment run together; where that
pays, a job may wait a few milliseconds for company while the device has nothing else to do. The queue is
bounded: whoever finds it full waits in the event loop, except where only new work is worth doing
(``ask_newest``).
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from homeface.errors import FacesDroppedError, ModelError

_LOG = logging.getLogger(__name__)
_TICK_SECONDS = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Job:
    batch: str
    item: Any
    weight: int
    run: Callable[[list[Any]], Sequence[Any]]
    future: asyncio.Future[Any]
    due: float = 0.0
    """``time.monotonic()`` until which the job may wait for company."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of ``ask_newest``: weight of one batch, weight that may wait, and how long to wait for company."""

    max_weight: int
    max_waiting: int
    wait_seconds: float = 0.0


class DeviceThread:
    """Runs jobs one batch after the other until ``stop``. Belongs to the running event loop."""

    def __init__(self, name: str, max_queue: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(max_queue)
        self._ended = asyncio.Event()
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._max_weight: dict[str, int] = {}
        self._stopping = False
        self._dropped = 0
        self._at_end: Callable[[], None] | None = None
        self._beat = time.monotonic()
        # A daemon thread: a device that hangs in a driver call must not keep the process alive.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    @property
    def dropped(self) -> int:
        """Weight of the jobs that gave way to newer ones."""
        return self._dropped

    def heartbeat(self) -> float:
        """``time.monotonic()`` of the last progress: a batch begun or ended, or a tick while idle."""
        return self._beat

    async def ask(
        self,
        run: Callable[[list[Item]], Sequence[Result]],
        item: Item,
        *,
        batch: str = "",
        weight: int = 1,
        max_weight: int = 1,
    ) -> Result:
        """``run([..., item, ...])`` in the thread, and this item's result.

        ``run`` gets the items of all jobs of one ``batch`` name that wait, up to ``max_weight`` in sum, and
        returns one result for each. When a common run fails each item is run alone, so that an error reaches
        only its own waiter.
        """
        async with self._room:
            job = _Job(batch, item, weight, run, self._loop.create_future())
            self._enter(job, max_weight)
            result: Result = await self._answer(job)
            return result

    async def ask_newest(
        self,
        run: Callable[[list[Item]], Sequence[Result]],
        item: Item,
        limits: Limits,
        *,
        batch: str,
        weight: int = 1,
    ) -> Result:
        """As ``ask``, for work that grows stale: the oldest waiting jobs of this ``batch`` give way.

        Never waits for room. Raises ``FacesDroppedError`` when newer jobs filled the queue.
        """
        due = time.monotonic() + limits.wait_seconds
        job = _Job(batch, item, weight, run, self._loop.create_future(), due)
        late = self._enter(job, limits.max_weight, limits.max_waiting)
        for old in late:
            _fail(
                old.future, FacesDroppedError("These faces waited too long for the device; newer ones came.")
            )
        result: Result = await self._answer(job)
        return result

    def _enter(self, job: _Job, max_weight: int, max_waiting: int | None = None) -> list[_Job]:
        """Queue a job; returns those that had to go for it."""
        with self._changed:
            if self._stopping:
                raise ModelError("The engine is closed.")
            waiting = [other for other in self._jobs if other.batch == job.batch]
            excess = sum(other.weight for other in waiting) + job.weight - (max_waiting or 0)
            gone = []
            while max_waiting is not None and waiting and excess > 0:
                gone.append(waiting.pop(0))
                excess -= gone[-1].weight
                self._dropped += gone[-1].weight
                self._jobs.remove(gone[-1])
            self._max_weight[job.batch] = max_weight
            self._jobs.append(job)
            self._changed.notify()
        return gone

    async def _answer(self, job: _Job) -> Any:
        try:
            return await job.future
        except asyncio.CancelledError:
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)
            raise

    async def stop(self, at_end: Callable[[], None], timeout_seconds: float) -> bool:
        """Fail what waits, run ``at_end`` in the thread, end it. False when it did not end in time."""
        self.abandon(at_end)
        try:
            await asyncio.wait_for(self._ended.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    def abandon(self, at_end: Callable[[], None]) -> None:
        """The same without waiting for the end."""
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
            self._at_end = at_end
            waiting = list(self._jobs)
            self._jobs.clear()
            self._changed.notify()
        for job in waiting:
            _fail(job.future, ModelError("The engine was closed before it came to this request."))

    def _main(self) -> None:
        try:
            while jobs := self._next():
                self._beat = time.monotonic()
                self._serve(jobs)
                self._beat = time.monotonic()
            if self._at_end is not None:
                self._at_end()
        finally:
            self._post(self._ended.set)

    def _next(self) -> list[_Job]:
        """Wait for work; the oldest job and those that may run with it. Empty: it is time to end."""
        with self._changed:
            while (first := self._ripe()) is None and not self._stopping:
                self._changed.wait(self._patience())
                self._beat = time.monotonic()
            if first is None:
                return []
            self._jobs.remove(first)
            taken = [first]
            if first.batch:
                room = self._max_weight[first.batch] - first.weight
                for job in [job for job in self._jobs if job.batch == first.batch]:
                    if job.weight <= room:
                        room -= job.weight
                        taken.append(job)
                        self._jobs.remove(job)
            return taken

    def _ripe(self) -> _Job | None:
        """The oldest job that need not wait any longer for company."""
        now = time.monotonic()
        for job in self._jobs:
            if job.due <= now or self._weight_of(job.batch) >= self._max_weight[job.batch]:
                return job
        return None

    def _weight_of(self, batch: str) -> int:
        return sum(job.weight for job in self._jobs if job.batch == batch)

    def _patience(self) -> float:
        """Seconds until a job is due, at most a tick."""
        due = min((job.due for job in self._jobs), default=math.inf)
        return min(_TICK_SECONDS, max(0.0, due - time.monotonic()))

    def _serve(self, jobs: list[_Job]) -> None:
        try:
            results = jobs[0].run([job.item for job in jobs])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the waiter
            if len(jobs) == 1:
                self._post(_fail, jobs[0].future, error)
                return
            for job in jobs:
                self._beat = time.monotonic()
                self._serve([job])
            return
        for job, result in zip(jobs, results, strict=True):
            self._post(_succeed, job.future, result)

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            _LOG.debug("The event loop has gone before the device thread ended.")


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
