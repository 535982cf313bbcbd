"""When the thread that takes snapshots by itself tries, and when it tries again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from devstate.durable.files import OS
from devstate.engine.errors import DurabilityError
from devstate.engine.keeping import SnapshotKeeper
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
