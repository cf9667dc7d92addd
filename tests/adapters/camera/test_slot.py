"""The newest-frame slot: newest wins, what is overtaken is counted, nobody's frame is lost twice."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from homeface.adapters.camera import NewestFrameSlot
from homeface.adapters.camera.slot import Pending
from homeface.core.types import ArrayPicture
from tests.fakes.camera import black


def pending(index: int) -> Pending:
    return Pending(index, float(index), ArrayPicture(black()))


def test_the_newest_wins_and_drops_are_counted() -> None:
    slot = NewestFrameSlot()
    assert slot.take() is None
    for index in range(5):
        slot.put(pending(index))
    taken = slot.take()
    assert taken is not None
    assert taken.index == 4
    assert (slot.dropped, slot.taken, slot.full) == (4, 1, False)


def test_what_is_discarded_counts_as_dropped() -> None:
    slot = NewestFrameSlot()
    slot.put(pending(0))
    slot.discard()
    slot.discard()
    assert slot.take() is None
    assert slot.dropped == 1


@given(st.lists(st.sampled_from(["put", "take", "discard"]), max_size=60))
def test_every_frame_is_taken_dropped_or_waiting(steps: list[str]) -> None:
    slot, put, last = NewestFrameSlot(), 0, -1
    for step in steps:
        if step == "put":
            slot.put(pending(put))
            put += 1
        elif step == "take":
            taken = slot.take()
            if taken is not None:
                assert taken.index > last
                last = taken.index
        else:
            slot.discard()
    assert slot.taken + slot.dropped + slot.full == put


def test_two_threads() -> None:
    slot, count = NewestFrameSlot(), 20_000
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            taken = slot.take()
            if taken is not None:
                seen.append(taken.index)

    thread = threading.Thread(target=read)
    thread.start()
    for index in range(count):
        slot.put(pending(index))
    done.set()
    thread.join()
    assert seen == sorted(set(seen))
    assert slot.taken + slot.dropped + slot.full == count
