"""The process of one subject: ``python -m homeface.lab.benchmark.worker``, spoken to by ``process.Worker``.

A subject (ours or a peer) has a process of its own so that its memory, its threads and its environment are
its own. One JSON object a line: ``{"load": NAME, "options": {…}}`` first, then ``{"run": TASK, "options":
{…}}``; answered by ``{"wall_s", "cpu_s", "result"}``, or ``{"error", "kind"}``. Time is taken here, around
the work alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.errors import BackendUnavailableError, HomefaceError

Task = Callable[[Mapping[str, Any]], Any]
Images = NDArray[np.uint8]


class FrameFiles:
    """Frames by file and number, read once and kept, so that no clock runs while they are read.

    ``rgb``: red first, each frame one block of memory, as a peer's user would have them.
    """

    def __init__(self, *, rgb: bool) -> None:
        self._rgb = rgb
        self._kept: dict[str, Images] = {}

    def __call__(self, wanted: Mapping[str, Any]) -> list[Images]:
        """The frames ``wanted["frames"]`` of the file ``wanted["file"]``."""
        file = str(wanted["file"])
        if file not in self._kept:
            images: Images = np.load(file)
            if self._rgb:
                for image in images:  # one at a time: a peer's memory must not be ours
                    image[:] = image[..., ::-1].copy()
            self._kept[file] = images
        return [self._kept[file][index] for index in wanted["frames"]]


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    tasks: Mapping[str, Task] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "load" in request:
                tasks = _load(request["load"], request["options"])
                answer: dict[str, Any] = {"result": sorted(tasks)}
            else:
                answer = measured(tasks[request["run"]], request["options"])
        except BackendUnavailableError as error:
            answer = {"error": str(error), "kind": "missing"}
        except HomefaceError as error:
            answer = {"error": str(error), "kind": "expected"}
        answers.write(json.dumps(answer) + "\n")
    answers.close()


def measured(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """One run with its seconds on the wall and of all CPUs, children's too."""
    cpu, wall = _cpu_seconds(), time.perf_counter()
    result = task(options)
    return {"wall_s": time.perf_counter() - wall, "cpu_s": _cpu_seconds() - cpu, "result": result}


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _load(name: str, options: Mapping[str, Any]) -> Mapping[str, Task]:
    if name.startswith("peer:"):
        from homeface.lab.benchmark.peer_subjects import load_peer

        return load_peer(name.removeprefix("peer:"), options)
    from homeface.lab.benchmark.own_subjects import load_own

    return load_own(name, options)


if __name__ == "__main__":
    main()
