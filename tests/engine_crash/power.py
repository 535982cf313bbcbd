"""Power lost at every call of a workload, every disk that may leave, and everything that must hold then.

R1: recovering twice gives the same. R2: also after power was lost in a recovery. R3, R4: the state is that after
some prefix of the commits, told by its digest. R5: what was promised is in it. R6 follows: what is missing is at
the end. And the database that came back takes commits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from devstate.durable.simulated import DiskImage, SimulatedCrash, SimulatedFiles
from devstate.engine.database import Database
from devstate.engine.errors import WalCorruptionError
from engine_crash.driving import RUNS, Driver, opened, prefix_options
from engine_crash.workloads import Workload

CHANGING = {"open", "write", "pwrite", "ftruncate", "fsync", "fdatasync", "fsync_dir", "fchmod", "fchown"} | {
    "replace",
    "link",
    "unlink",
    "mkdir",
    "rmdir",
}
"""Calls after which other disks are possible than before."""


class Rehearsal(NamedTuple):
    """A workload that ran to its end: the digest by cv, how many calls, after which ones to cut, the last disk."""

    digests: dict[int, str]
    calls: int
    cuts: tuple[int, ...]
    image: DiskImage


class Tally:
    """How much was looked at."""

    def __init__(self) -> None:
        self.calls = self.cuts = self.images = self.recoveries = self.nested = self.refused = 0

    def __str__(self) -> str:
        return (
            f"{self.calls} calls, {self.cuts} cuts, {self.images} disks, {self.recoveries} recoveries, "
            f"{self.nested} of them after a cut in a recovery, {self.refused} refused"
        )


def cuts_of(files: SimulatedFiles, before: int = 0) -> tuple[int, ...]:
    """After how many calls a cut leaves disks that an earlier one cannot."""
    return tuple(
        n for n in range(before, len(files.calls) + 1) if n == 0 or files.calls[n - 1].name in CHANGING
    )


def rehearse(
    workload: Workload, start: DiskImage | None = None, seen: Callable[[int, DiskImage], None] | None = None
) -> Rehearsal:
    files = SimulatedFiles(start, pid=os.getpid())
    driver = Driver(files, mode=workload.mode, rehearse=True, **workload.options)
    if seen is not None:
        driver.on_commit = lambda cv: seen(cv, files.image())
    workload.script(driver)
    return Rehearsal(driver.digests, len(files.calls), cuts_of(files), files.image())


def disks(
    workload: Workload, rehearsal: Rehearsal, start: DiskImage | None = None, every: int = 1
) -> dict[DiskImage, int]:
    """Each disk that a cut may leave, with the last commit that must be on it; `every` thins out the cuts."""
    found: dict[DiskImage, int] = {}
    for calls in rehearsal.cuts[::every]:
        files = SimulatedFiles(start, crash_after=calls, pid=os.getpid())
        driver = Driver(files, mode=workload.mode, **workload.options)
        with suppress(SimulatedCrash):
            workload.script(driver)
        for image in files.crash_images():
            found[image] = max(found.get(image, 0), driver.durable)
    return found


class Judge:
    """Holds what comes back from a disk against the rehearsal. `options` of the opening."""

    def __init__(self, digests: dict[int, str], tally: Tally, mode: str = "buffered", **options: Any) -> None:
        self.digests = digests
        self.tally = tally
        self.mode = mode
        self.options = options

    def open(self, files: SimulatedFiles, seed: int = 50) -> Database:
        self.tally.recoveries += 1
        return opened(files, mode=self.mode, seed=seed, **self.options)

    def check(self, image: DiskImage, durable: int, *, nested: int = 0, lost: bool = False) -> int:
        """All that must hold for one disk; the cv that came back. `nested`: the recovery is cut, too."""
        files = SimulatedFiles(image, pid=5001)
        try:
            db = self.open(files)
        except WalCorruptionError as error:
            self._is_a_reordered_tail(error, image, files, durable)
            willing = Judge(self.digests, self.tally, self.mode, **self.options, recovery=prefix_options())
            return willing.check(image, durable, nested=nested, lost=True)
        cv, digest, result = db.last_cv, db.digest(), db.recovery.comparable()
        assert digest == self.digests.get(cv), f"cv {cv} is no prefix"
        assert cv >= durable, f"promised {durable}, came back {cv}"
        assert lost or result.committed_lost == 0, result
        repaired, cuts = files.image(), cuts_of(files)
        abandon(db)

        again_files = SimulatedFiles(image, pid=5001)
        again = self.open(again_files)
        assert (again.digest(), again.recovery.comparable()) == (digest, result), "not the same twice"
        assert again_files.image() == repaired
        self._goes_on(again, again_files, cv)

        second = self.open(SimulatedFiles(repaired, pid=5002))
        assert second.digest() == digest, "recovered again, something else"
        told = second.recovery
        assert (told.tail_bytes_discarded, told.committed_lost, told.snapshots_rejected) == (0, 0, ()), told
        abandon(second)

        if nested:
            self._cut_the_recovery(image, cuts, digest, cv, nested)
        return cv

    def _is_a_reordered_tail(
        self, error: WalCorruptionError, image: DiskImage, files: SimulatedFiles, durable: int
    ) -> None:
        """A buffered log of which the disk kept a later write and not an earlier one.

        No reader can tell that from damage, so it is refused; but what was promised is before it.
        """
        report: Any = error.report
        assert "recovery" not in self.options, error
        assert self.mode == "buffered", error
        assert report.last_cv >= durable, (error, durable)
        # Within the last segment, since the others were synced; and the later write is the proof of it.
        assert report.intact_commits_cut > 0, error
        assert report.segment == max(path for path in image.paths() if path.endswith(".wal")), error
        assert data_of(files.image()) == data_of(image), "a refusal changed files"
        self.tally.refused += 1

    def _goes_on(self, db: Database, files: SimulatedFiles, cv: int) -> None:
        """One more commit, closed and opened."""
        run = RUNS[6]
        db.begin_run(run)
        db.kv.put(run, "more", 1)
        assert db.last_cv == cv + 2
        digest = db.digest()
        db.close()
        with self.open(files, seed=60) as reopened:
            assert reopened.last_cv == cv + 2
            assert reopened.recovery.clean_close
            # A lost marker of a snapshot stays a gap in the log, since it was no commit.
            gaps = db.recovery.corrupt_entries_skipped
            assert reopened.recovery.corrupt_entries_skipped <= gaps
            assert gaps or not reopened.recovery.has_issues, reopened.recovery
            assert reopened.digest() == digest

    def _cut_the_recovery(
        self, image: DiskImage, cuts: tuple[int, ...], digest: str, cv: int, nested: int
    ) -> None:
        seen = {image}
        for calls in cuts[1:]:
            files = SimulatedFiles(image, crash_after=calls, pid=5001)
            with suppress(SimulatedCrash):
                abandon(self.open(files))
            for left in files.crash_images():
                if left in seen:
                    continue
                seen.add(left)
                self.tally.nested += 1
                db = self.open(SimulatedFiles(left, pid=5002))
                assert (db.last_cv, db.digest()) == (cv, digest), "a cut recovery changed the outcome"
                abandon(db)


def data_of(image: DiskImage) -> list[Any]:
    """The files of a disk, without those that only say who has the database open."""
    return [
        node for node in image.nodes if node.kind == "file" and not node.path.endswith(("/LOCK", "/WRITERS"))
    ]


def abandon(db: Database) -> None:
    """Leave a database as a dead process would, without a call to its files."""
    db.committer.shut(lambda: AssertionError("abandoned"))  # type: ignore[arg-type,return-value]
    db._closed = True  # type: ignore[attr-defined]


def exhaust(workload: Workload, *, every: int = 1, nested: bool = True, sample: int = 1) -> Tally:
    """Cut a workload at every `every`th place; the recoveries of every `sample`th disk are cut, too."""
    tally = Tally()
    rehearsal = rehearse(workload)
    tally.calls, tally.cuts = rehearsal.calls, len(rehearsal.cuts[::every])
    judge = Judge(rehearsal.digests, tally, workload.mode, **workload.options)
    for number, (image, durable) in enumerate(disks(workload, rehearsal, every=every).items()):
        tally.images += 1
        judge.check(image, durable, nested=1 if nested and number % sample == 0 else 0)
    assert tally.images > 10
    return tally


def images_of(workload: Workload) -> Iterator[tuple[int, DiskImage]]:
    """The disk after each commit of a rehearsal, by cv."""
    found: list[tuple[int, DiskImage]] = []
    rehearse(workload, seen=lambda cv, image: found.append((cv, image)))
    yield from found
