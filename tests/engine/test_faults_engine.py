"""A file layer that fails at each of its calls: no false acknowledgement; what was promised comes back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.simulated import SimulatedFiles
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import DurabilityError, EngineError
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.errors import DevStateError
from engine_crash.driving import ROOT, RUNS, Driver, opened
from engine_crash.power import abandon, rehearse
from engine_crash.workloads import WORKLOADS

A = RUNS[0]
# Not those in which a handle goes on after the error of another, and the one whose closing survives an error: there
# the records stand at other places of the log than in the rehearsal.
BY_NAME = {
    workload.name: workload
    for workload in WORKLOADS
    if not workload.name.startswith(("two writers", "closing snapshot"))
}
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
TRIED = (
    "few commits",
    "few commits, strict",
    "few commits, shared",
    "rotation",
    "snapshots, two kept",
    "sessions",
)


class Outcome:
    """What a workload under faults was told."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.unknown = False


def under(fault: Fault, name: str) -> tuple[SimulatedFiles, Driver, Outcome]:
    """Run a workload with a fault; the first error ends it, as it would end a program."""
    workload = BY_NAME[name]
    disk = SimulatedFiles(pid=os.getpid())
    files = FaultyFiles(disk, [fault])
    driver = Driver(files, mode=workload.mode, **workload.options)
    outcome = Outcome()
    try:
        workload.script(driver)
    except DevStateError as error:
        outcome.error = error
        outcome.unknown = isinstance(error, DurabilityError) and error.committed is None
    if not files.fired:
        raise LookupError("no such call")
    return disk, driver, outcome


def check(fault: Fault, name: str, digests: dict[int, str]) -> None:
    disk, driver, outcome = under(fault, name)
    told = f"{fault} in {name}: {outcome.error}"
    db = driver.db
    if db is not None:
        if not db._closed:  # type: ignore[attr-defined]
            # In memory is what was acknowledged, and nothing of what failed; in doubt it stays.
            newest = db.committer.cv
            assert newest in (driver.committed, driver.committed + 1), told
            assert outcome.unknown or newest == driver.committed, told
            assert db.digest() == digests[newest], told
        try:
            db.close()
        except DevStateError as error:
            assert isinstance(error, (EngineError, DevStateError)), told
    again = opened(SimulatedFiles(disk.image(), pid=5001), **BY_NAME[name].options)
    assert again.recovery.committed_lost == 0, told
    allowed = {driver.committed, driver.committed + 1} if outcome.unknown else {driver.committed}
    assert again.last_cv in allowed, told
    assert again.digest() == digests[again.last_cv], told
    abandon(again)


def every_fault(name: str, every: int, **fault: int) -> int:
    workload = BY_NAME[name]
    counted = FaultyFiles(SimulatedFiles(pid=os.getpid()))
    workload.script(Driver(counted, mode=workload.mode, **workload.options))
    digests = rehearse(workload).digests
    tried = 0
    for call, count in sorted(counted.counts.items()):
        if call in ("*", "close") or (
            fault.get("short") is not None and call not in ("write", "pwrite", "pread")
        ):
            continue
        for nth in range(1, count + 1):
            tried += 1
            if tried % every == 0:
                check(Fault(call, nth, **fault), name, digests)
    return tried


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("error", ERRORS)
def test_some_calls_fail(name: str, error: str) -> None:
    every_fault(name, 5, error=ERRORS[error])


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("error", ERRORS)
def test_every_call_fails(name: str, error: str) -> None:
    every_fault(name, 1, error=ERRORS[error])


@pytest.mark.parametrize("name", TRIED)
def test_short_reads_and_writes_change_nothing(name: str) -> None:
    for call in ("pwrite", "write", "pread"):
        disk, driver, outcome = under(Fault(call, 1, short=1, lasting=True), name)
        assert outcome.error is None, outcome.error
        again = opened(SimulatedFiles(disk.image(), pid=5001), **BY_NAME[name].options)
        assert (again.last_cv, again.recovery.has_issues) == (driver.committed, False)
        abandon(again)


def test_interrupted_calls_are_made_again() -> None:
    """EINTR from each call that a signal can interrupt; every other kind of call never gives it."""
    name = "snapshots, two kept"
    workload = BY_NAME[name]
    counted = FaultyFiles(SimulatedFiles())
    workload.script(Driver(counted, mode=workload.mode, **workload.options))
    tried = 0
    for call in ("open", "pwrite", "write", "pread", "fdatasync", "fsync", "ftruncate"):
        for nth in range(1, counted.counts.get(call, 0) + 1, 3):
            disk, driver, outcome = under(Fault(call, nth, error=errno.EINTR), name)
            assert outcome.error is None, (call, nth, outcome.error)
            again = opened(SimulatedFiles(disk.image(), pid=5001), **workload.options)
            assert (again.last_cv, again.recovery.has_issues) == (driver.committed, False)
            abandon(again)
            tried += 1
    assert tried > 30


@pytest.mark.parametrize("mode", ["buffered", "strict"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_failed_sync_ends_all_writing_and_is_never_made_again(mode: str, shared: bool) -> None:
    files = FaultyFiles(SimulatedFiles())
    db = opened(files, mode=mode, shared=shared, owner=None if shared else ())
    run = db.run(A)
    if True:
        run.kv.put("before", 1)
        db.flush()
        files.faults = (Fault("fdatasync", files.counts["fdatasync"] + 1, errno.EIO),)
        with pytest.raises(DurabilityError) as doubt:
            run.kv.put("doubtful", 1)
            db.flush()
        assert doubt.value.committed is None
        written, syncs = files.counts["pwrite"], files.counts["fdatasync"]
        assert run.kv.get("before") == 1
        for _ in range(2):
            with pytest.raises(DurabilityError, match="failed"):
                run.kv.put("after", 1)
            with pytest.raises(DurabilityError):
                db.flush()
            with pytest.raises(DurabilityError):
                db.snapshot()
            with pytest.raises(DurabilityError), run.transaction() as tx:
                tx.kv.put("after", 2)
        assert run.kv.get("after") is None
        assert (files.counts["pwrite"], files.counts["fdatasync"]) == (written, syncs)
        with pytest.raises(DurabilityError):
            db.end_run(A)
        db.close()
        assert files.counts["fdatasync"] == syncs
        assert not any(name == "CLEAN" for name in files.listdir(ROOT))
        again = opened(files)
        assert again.kv.get(A, "before") == 1
        assert again.kv.get(A, "after") is None
        again.close()


def test_a_failed_sync_in_the_background_is_told_to_the_next_writer(tmp_path: Path) -> None:
    from devstate.durable.files import OS

    files = FaultyFiles(OS)
    with Database.open(
        tmp_path / "db", files=files, durability=Durability.buffered(interval_ms=1, max_pending=1)
    ) as db:
        db.begin_run(A)
        db.flush()
        files.faults = (Fault("fdatasync", files.counts["fdatasync"] + 1, errno.EIO, lasting=True),)
        count = files.counts["fdatasync"]
        db.kv.put(A, "k", 1)
        flusher = db.committer.flusher
        assert flusher is not None
        flusher._thread.join(30)  # type: ignore[attr-defined]
        assert not flusher._thread.is_alive()  # type: ignore[attr-defined]
        with pytest.raises(DurabilityError, match="failed"):
            db.kv.put(A, "k", 2)
        assert db.kv.get(A, "k") == 1
        assert files.counts["fdatasync"] == count + 1
    with Database.open(tmp_path / "db") as db:
        assert db.kv.get(A, "k") == 1


@pytest.mark.parametrize("mode", ["buffered", "strict"])
@pytest.mark.parametrize("part", [0, 1, 30])
def test_a_full_device_is_no_end(mode: str, part: int) -> None:
    """Writes are refused while it is full, also after a part of one was written; then it goes on."""
    disk = SimulatedFiles()
    files = FaultyFiles(disk)
    db = opened(files, mode=mode, segment_bytes=400)
    db.begin_run(A)
    db.kv.put(A, "a", 1)
    digest, cv = db.digest(), db.last_cv
    nth = files.counts["pwrite"] + 1
    short = [Fault("pwrite", nth, short=part)] if part else []
    files.faults = (*short, Fault("pwrite", nth + bool(part), errno.ENOSPC, lasting=True))
    for _ in range(3):
        with pytest.raises(DurabilityError) as full:
            db.kv.put(A, "b", "x" * 60)
        assert full.value.committed is False
        assert (db.digest(), db.last_cv) == (digest, cv)
        assert db.kv.get(A, "a") == 1
    files.faults = ()
    db.kv.put(A, "b", 2)
    assert db.last_cv == cv + 1
    told = db.digest()
    db.close()
    with opened(SimulatedFiles(disk.image(), pid=5001)) as again:
        assert (again.digest(), again.last_cv, again.recovery.has_issues) == (told, cv + 1, False)


@pytest.mark.parametrize("call", ["open", "fsync_dir", "fdatasync"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_rotation_that_fails_leaves_a_whole_log(call: str, shared: bool) -> None:
    """The next segment may exist already: what comes then goes there, not into both."""
    disk = SimulatedFiles()
    files = FaultyFiles(disk)
    options = {"shared": shared, "owner": None if shared else ()}
    db = opened(files, segment_bytes=400, **options)
    db.begin_run(A)
    db.kv.put(A, "a", "x" * 20)
    files.faults = (Fault(call, files.counts.get(call, 0) + 1, errno.ENOSPC),)
    with pytest.raises(DurabilityError):
        db.kv.put(A, "b", "x" * 300)
    if call == "fdatasync":
        with pytest.raises(DurabilityError):
            db.kv.put(A, "c", 1)
    else:
        db.kv.put(A, "c", 1)
        db.kv.put(A, "d", 2)
    digest, cv = db.digest(), db.last_cv
    db.close()
    with opened(SimulatedFiles(disk.image(), pid=5001), **options) as again:
        assert (again.last_cv, again.digest()) == (cv, digest)


def test_a_write_that_cannot_be_taken_back_ends_all_writing() -> None:
    disk = SimulatedFiles()
    files = FaultyFiles(disk)
    db = opened(files)
    db.begin_run(A)
    db.kv.put(A, "a", 1)
    digest = db.digest()
    nth = files.counts["pwrite"] + 1
    files.faults = (
        Fault("pwrite", nth, short=20),
        Fault("pwrite", nth + 1, errno.EIO),
        Fault("ftruncate", files.counts.get("ftruncate", 0) + 1, errno.EIO, lasting=True),
    )
    with pytest.raises(DurabilityError):
        db.kv.put(A, "b", 1)
    written = files.counts["pwrite"]
    with pytest.raises(DurabilityError, match="failed"):
        db.kv.put(A, "c", 1)
    assert files.counts["pwrite"] == written
    assert db.digest() == digest
    db.close()
    with opened(SimulatedFiles(disk.image(), pid=5001)) as again:
        assert again.digest() == digest
        assert again.recovery.tail_bytes_discarded > 0
        again.begin_run(RUNS[1])


def test_a_failed_snapshot_fails_no_commit() -> None:
    disk = SimulatedFiles()
    files = FaultyFiles(disk)
    db = opened(files, snapshots=SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1, keep=1))
    db.begin_run(A)
    for number, call in enumerate(("write", "fsync", "pread", "replace", "fsync_dir")):
        db.kv.put(A, "k", number)
        files.faults = (Fault(call, files.counts.get(call, 0) + 1, errno.ENOSPC),)
        with pytest.raises(DurabilityError):
            db.snapshot()
        files.faults = ()
        db.kv.put(A, "k", -number)
        told = db.digest()
        probe = opened(SimulatedFiles(disk.image(), pid=5001))
        assert probe.digest() == told, call
        abandon(probe)
    db.snapshot()
    told = db.digest()
    db.close()
    with opened(SimulatedFiles(disk.image(), pid=5001)) as again:
        assert again.digest() == told
        assert again.recovery.snapshot_used is not None
