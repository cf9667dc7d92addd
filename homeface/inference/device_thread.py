"""One thread that owns the device, and the queue in front of it.

Work is handed over as jobs. Jobs of one ``batch`` name that wait at the same moment run together, so that
nobody ever waits for company. The queue is bounded; whoever finds it full waits in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from homeface.errors import ModelError

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
        self._at_end: Callable[[], None] | None = None
        self._beat = time.monotonic()
        # A daemon thread: a device that hangs in a driver call must not keep the process alive.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

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
            with self._changed:
                if self._stopping:
                    raise ModelError("The engine is closed.")
                self._max_weight[batch] = max_weight
                self._jobs.append(job)
                self._changed.notify()
            try:
                result: Result = await job.future
            except asyncio.CancelledError:
                with self._changed:
                    if job in self._jobs:
                        self._jobs.remove(job)
                raise
            return result

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
            while not self._jobs and not self._stopping:
                self._changed.wait(_TICK_SECONDS)
                self._beat = time.monotonic()
            if not self._jobs:
                return []
            first = self._jobs.popleft()
            taken = [first]
            if first.batch:
                room = self._max_weight[first.batch] - first.weight
                for job in [job for job in self._jobs if job.batch == first.batch]:
                    if job.weight <= room:
                        room -= job.weight
                        taken.append(job)
                        self._jobs.remove(job)
            return taken

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
