"""Looking at many pictures on all cores: worker processes, results kept as they come."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Protocol

from homeface.errors import HomefaceError
from homeface.lab.evaluation.looking import Eyes, Recipe, Rows, describe_all, look_at
from homeface.lab.evaluation.views import View


class ParentProcess(Protocol):
    """What ``multiprocessing.parent_process`` gives."""

    def join(self) -> None:
        """Wait for its end."""


CHUNK = 24
FEW_PICTURES = 48
"""With fewer pictures than this the models are loaded here: starting processes would take longer."""

DLIB_LOOK = -1
"""The number that stands for dlib's embedding among those of the recipe's looks."""


@dataclass(frozen=True, slots=True)
class Task:
    """Pictures (digest, path) that one worker looks at: by these looks, under these views."""

    pictures: tuple[tuple[str, Path], ...]
    views: tuple[View, ...]
    looks: tuple[int, ...]


Answer = dict[tuple[int, str], Rows]
"""Rows by (look number, view name)."""


def run_tasks(recipe: Recipe, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Answer]]:
    """Every task's answer, in the order in which they come. Raises the ``ModelError`` tree."""
    pictures = sum(len(task.pictures) for task in tasks)
    if jobs <= 1 or pictures * max((len(task.views) for task in tasks), default=1) < FEW_PICTURES:
        eyes = Eyes.load(recipe)
        try:
            for task in tasks:
                yield task, perform(eyes, task)
        finally:
            eyes.close()
        return
    yield from _in_processes(recipe, tasks, jobs)


def perform(eyes: Eyes, task: Task) -> Answer:
    """Do one task with loaded models."""
    answer: Answer = {}
    ours = [look for look in task.looks if look != DLIB_LOOK]
    if ours:
        answer |= look_at(eyes, task.pictures, task.views, ours)
    if DLIB_LOOK in task.looks:
        answer[DLIB_LOOK, "clean"] = describe_all(eyes, task.pictures)
    return answer


def _in_processes(recipe: Recipe, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Answer]]:
    # Threads of the workers' own would only fight for the cores that the other workers use.
    calm = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "ERROR"}
    before = {name: os.environ.get(name) for name in calm}
    os.environ.update(calm)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin, initargs=(recipe,))
    try:
        waiting: dict[Future[Answer], Task] = {}
        queue = iter(tasks)
        for task in queue:
            waiting[pool.submit(_perform, task)] = task
            if len(waiting) >= 2 * jobs:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)
    except BrokenProcessPool as error:
        raise HomefaceError(
            "A worker process ended early, perhaps for want of memory: try again with --jobs 1. "
            "What was done so far is kept."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _finished(waiting: dict[Future[Answer], Task]) -> Iterator[tuple[Task, Answer]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


_EYES: list[Eyes] = []
_LOAD: list[Callable[[], Eyes]] = []


def _begin(recipe: Recipe) -> None:
    """In a new worker: the models are loaded with the first task."""
    as_worker()
    _LOAD.append(lambda: Eyes.load(recipe))


def as_worker() -> None:
    """What a worker process begins with: Ctrl-C is the parent's affair, and nobody outlives the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="end-with-parent", daemon=True).start()


def _end_with(parent: ParentProcess) -> None:
    parent.join()
    os._exit(1)


def _perform(task: Task) -> Answer:
    import cv2

    if not _EYES:  # not in the initializer, whose errors would not reach the parent
        cv2.setNumThreads(1)
        _EYES.append(_LOAD[0]())
    return perform(_EYES[0], task)
