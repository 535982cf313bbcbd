"""When the thread that takes snapshots by itself tries, and when it tries again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import OS
from devstate.engine.builtin import builtin_registry
from devstate.engine.errors import DurabilityError
from devstate.engine.ext import Context, MapPrimitive
from devstate.engine.ids import run_bytes
from devstate.engine.keeping import SnapshotKeeper
from devstate.engine.primitive import Guard, Serializable
from devstate.engine.snapshot_reading import list_snapshots
from devstate.engine.snapshotting import SnapshotPolicy
from engine_crash.driving import RUNS, opened

POLICY = SnapshotPolicy(wal_bytes=1000, seconds=0, close_bytes=-1)


@pytest.mark.parametrize("fails", [True, False])
def test_after_each_failure_twice_as_much_log_is_waited_for(tmp_path: Path, fails: bool) -> None:
    with opened(OS, str(tmp_path / "db")) as db:
        committer, log = db.committer, db.committer.log
        assert log is not None
        tries: list[int] = []
        taken_by_another = False

        def take() -> None:
            tries.append(log.end)
            if fails:
                raise DurabilityError("no room")
            keeper.taken(log.end)

        def newest() -> int:
            return log.end if taken_by_another else 0

        keeper = SnapshotKeeper(committer, POLICY, since=0, take=take, newest=newest)
        db.begin_run(RUNS[0])

        def grow(to: int) -> None:
            while log.end < to:
                db.kv.put(RUNS[0], "k", "v" * 20)
                while committer.snapshot_at == float("inf"):  # the thread is at it
                    time.sleep(0.001)

        try:
            grow(8500)
            told = [end // 1000 for end in tries]
            if fails:
                assert (told, keeper.failures, keeper.since) == ([1, 2, 4, 8], 4, 0)
                taken_by_another = True
                grow(16_200)
                assert (len(tries), keeper.failures) == (4, 0) and 16_000 <= keeper.since <= log.end
                assert committer.snapshot_at == keeper.since + 1000
            else:
                assert (len(told), keeper.failures, keeper.since) == (len(set(told)), 0, tries[-1])
                assert all(
                    1000 <= later - before < 1200 for before, later in zip([0, *tries], tries, strict=False)
                )
        finally:
            keeper.close()


def test_closing_waits_for_the_snapshot_that_is_being_taken(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path / "db")) as db:
        entered, taken = threading.Event(), list[bool]()

        def take() -> None:
            entered.set()
            time.sleep(0.1)  # long enough for a close that does not wait to be over first
            taken.append(True)

        keeper = SnapshotKeeper(db.committer, POLICY, since=0, take=take, newest=lambda: 0)
        db.begin_run(RUNS[0])
        db.kv.put(RUNS[0], "k", "v" * 1000)
        assert entered.wait(60)
        keeper.close()
        assert taken == [True]


class Fragile(MapPrimitive):
    """A plug-in's kind whose records cannot be written while `broken`, by an error of its own."""

    type_id = 9
    name = "fragile"
    puts = (0x90,)
    deletes = (0x91,)
    broken = False

    def at(self, cv: int, guard: Guard) -> Serializable:
        if self.broken:
            raise ZeroDivisionError("a fault of the plug-in")
        return super().at(cv, guard)

    def handle(self, context: Context) -> Any:
        return lambda key, *fields: context.write(self.put(0x90, key, *fields))


def waited_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.002)


def test_a_fault_of_a_plug_in_ends_neither_the_thread_nor_the_closing(tmp_path: Path) -> None:
    path = str(tmp_path / "db")
    frequent = SnapshotPolicy(wal_bytes=500, seconds=0, close_bytes=0)

    def fragile() -> Any:
        return opened(OS, path, registry=builtin_registry().register(Fragile), snapshots=frequent)

    with fragile() as db:
        kind, keeper, log = db.primitives.named("fragile"), db._keeper, db.committer.log
        kind.broken = True
        run = db.run(RUNS[0])
        while keeper.failures < 2:
            run.ext("fragile")("key", "v" * 100)
            waited_for(lambda: db.committer.snapshot_at != float("inf"))
        assert list_snapshots(path, OS) == ()
        kind.broken = False
        while not list_snapshots(path, OS):
            run.ext("fragile")("key", "v" * 100)
            waited_for(lambda: db.committer.snapshot_at != float("inf"))
        waited_for(lambda: keeper.failures == 0)
        run.ext("fragile")("last", 1)
        assert log.end > keeper.since
        kind.broken = True
        cv = db.last_cv
    with fragile() as again:
        assert again.recovery.clean_close and again.last_cv == cv and not again.recovery.has_issues
        assert set(again.primitives.named("fragile").maps[run_bytes(RUNS[0])]) == {"key", "last"}
