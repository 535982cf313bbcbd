"""One sync for many: who leads, who waits, and what everyone is told."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from devstate.engine.database import Database
from devstate.engine.errors import DurabilityError
from devstate.engine.syncing import Flusher, GroupSync


class Device:
    """A sync that waits until it is let through. `end` is how far the log was written."""

    def __init__(self, end: int = 10) -> None:
        self.end = end
        self.syncs = 0
        self.begun = threading.Semaphore(0)
        self.free = threading.Semaphore(0)
        self.error: BaseException | None = None

    def __call__(self) -> int:
        self.syncs += 1
        end = self.end
        self.begun.release()
        assert self.free.acquire(timeout=30)
        if self.error is not None:
            raise self.error
        return end


class Beside:
    """A call in another thread, and what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self.error = error

    def ended(self, seconds: float = 30) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()


def waiting(group: GroupSync, count: int) -> None:
    """Return when so many threads wait for the leader."""
    changed: Any = group._changed  # type: ignore[attr-defined]
    for _ in range(3000):
        if len(changed._waiters) >= count:
            return
        threading.Event().wait(0.005)
    raise AssertionError("nobody waits")


def test_what_is_synced_already_needs_no_sync() -> None:
    def sync() -> int:
        raise AssertionError("a sync")

    group = GroupSync(10, sync)
    group.through(10)
    group.through(3)
    assert group.synced == 10


def test_many_wait_for_one_sync_and_the_late_ones_for_one_more() -> None:
    device = Device(end=10)
    group = GroupSync(0, device)
    first = Beside(lambda: group.through(10))
    assert device.begun.acquire(timeout=30)
    device.end = 20
    others = [Beside(lambda: group.through(20)) for _ in range(3)]
    covered = Beside(lambda: group.through(5))
    waiting(group, 4)
    device.free.release()
    assert first.ended() and covered.ended()
    assert group.synced == 10
    assert device.begun.acquire(timeout=30)
    device.free.release()
    assert all(other.ended() and other.error is None for other in others)
    assert (group.synced, device.syncs) == (20, 2)


def test_a_failure_is_told_to_all_who_wait_and_all_who_come() -> None:
    device = Device()
    device.error = DurabilityError("the device is gone", committed=None, path="p", remedy="r")
    failures: list[int] = []
    group = GroupSync(0, device)
    group.on_failure = lambda: failures.append(1)
    leader = Beside(lambda: group.through(10))
    assert device.begun.acquire(timeout=30)
    others = [Beside(lambda: group.through(10)) for _ in range(3)]
    waiting(group, 3)
    device.free.release()
    everyone = [leader, *others, Beside(lambda: group.through(1))]
    for one in everyone:
        assert one.ended()
        assert isinstance(one.error, DurabilityError)
        assert (one.error.message, one.error.committed, one.error.path) == ("the device is gone", None, "p")
        assert one.error.remedy == "r"
    assert (device.syncs, failures, group.synced) == (1, [1], 0)
    assert len({id(one.error) for one in everyone}) == len(
        everyone
    )  # each has its own, with its own traceback
    group.through(0)


def test_a_failure_without_anyone_to_tell() -> None:
    device = Device()
    device.error = DurabilityError("gone")
    device.free.release()
    with pytest.raises(DurabilityError):
        GroupSync(0, device).through(1)


def test_an_interrupted_leader_gives_the_lead_back() -> None:
    device = Device()
    device.error = KeyboardInterrupt()
    group = GroupSync(0, device)
    leader = Beside(lambda: group.through(10))
    assert device.begun.acquire(timeout=30)
    other = Beside(lambda: group.through(10))
    waiting(group, 1)
    device.free.release()
    assert leader.ended() and isinstance(leader.error, KeyboardInterrupt)
    assert device.begun.acquire(timeout=30)  # the other leads now
    device.error = None
    device.free.release()
    assert other.ended() and other.error is None
    assert (group.synced, device.syncs) == (10, 2)


def test_a_sync_that_reached_less_than_the_one_before_takes_nothing_back() -> None:
    device = Device(end=8)
    device.free.release()
    group = GroupSync(0, device)
    group.through(8)
    assert device.begun.acquire(timeout=30)
    device.end = 5
    leader = Beside(lambda: group.through(10))
    assert device.begun.acquire(timeout=30)
    device.end = 10  # for the sync after this one, which took its end already
    device.free.release()
    assert device.begun.acquire(timeout=30), "it is not enough for who waits: another sync"
    assert group.synced == 8
    device.free.release()
    assert leader.ended() and leader.error is None
    assert (group.synced, device.syncs) == (10, 3)


def test_a_descriptor_is_closed_when_no_sync_uses_it() -> None:
    device = Device()
    group = GroupSync(0, device)
    closed: list[int] = []
    group.retire(lambda: closed.append(0))
    assert closed == [0]
    leader = Beside(lambda: group.through(1))
    assert device.begun.acquire(timeout=30)
    closing = Beside(lambda: group.retire(lambda: closed.append(1)))
    waiting(group, 1)
    assert closed == [0]
    device.free.release()
    assert leader.ended() and closing.ended()
    assert closed == [0, 1]


def test_the_flusher_flushes_after_the_interval_what_was_armed() -> None:
    flushed = threading.Semaphore(0)
    flusher = Flusher(lambda: flushed.release(), 0.01)
    assert not flushed.acquire(timeout=0.05)  # nothing was armed
    assert not flusher.armed
    flusher.arm()
    assert flushed.acquire(timeout=30)
    assert not flusher.armed
    assert not flushed.acquire(timeout=0.05)  # once
    flusher.arm()
    assert flushed.acquire(timeout=30)
    flusher.close()


def test_soon_does_not_wait_for_the_interval_and_counts_once() -> None:
    flushed = threading.Semaphore(0)
    flusher = Flusher(lambda: flushed.release(), 3600)
    flusher.arm()
    assert flusher.armed
    assert not flushed.acquire(timeout=0.05)
    flusher.soon()
    assert flushed.acquire(timeout=30)
    flusher.arm()
    assert not flushed.acquire(timeout=0.05)
    flusher.close()
    assert not flushed.acquire(blocking=False)


def test_a_flusher_ends_with_the_device() -> None:
    flushes: list[int] = []

    def flush() -> None:
        flushes.append(1)
        raise DurabilityError("gone")

    flusher = Flusher(flush, 0.0)
    flusher.arm()
    thread: threading.Thread = flusher._thread  # type: ignore[attr-defined]
    thread.join(30)
    assert not thread.is_alive() and thread.daemon
    flusher.arm()
    flusher.close()
    assert flushes == [1]


def test_a_strict_put_that_nobody_waits_for_does_little_behind_the_sync(tmp_path: Path) -> None:
    """The processor is cold then: what is called there costs ten times what it costs elsewhere."""
    made: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            made.append(frame.f_code.co_name)

    with Database.open(tmp_path / "db", durability="strict") as db:
        run = db.run(name="r")
        run.kv.put("k", 1)
        sys.setprofile(note)
        try:
            run.kv.put("k", 2)
        finally:
            sys.setprofile(None)
        assert run.kv.get("k") == 2 and not db.committer.versions.chained
    behind = made[made.index("fdatasync") + 1 :]
    assert behind == ["_durable", "trim", "trim"]
