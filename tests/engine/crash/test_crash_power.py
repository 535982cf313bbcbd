"""Power lost at every call of a workload: whatever disk is left, a promised prefix comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.durable.simulated import DiskImage, SimulatedFiles
from devstate.engine.errors import WalCorruptionError
from engine_crash.driving import ROOT, RUNS, Driver, opened, prefix_options
from engine_crash.power import Judge, Tally, abandon, data_of, disks, exhaust, rehearse
from engine_crash.workloads import WORKLOADS, Workload
from engine_oracle.interpret import digest, state_of

BY_NAME = {workload.name: workload for workload in WORKLOADS}


def folder_of(image: DiskImage, target: Path) -> Path:
    """The database of a disk as a real folder, for the second reader."""
    for node in image.nodes:
        place = target / node.path.strip("/")
        if node.kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
        elif node.kind == "file":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(node.data)
    return target / ROOT.strip("/")


@pytest.mark.parametrize("name", BY_NAME)
def test_some_cuts(name: str) -> None:
    exhaust(BY_NAME[name], every=7, sample=60)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BY_NAME)
def test_every_cut(name: str) -> None:
    exhaust(BY_NAME[name], sample=12)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", BY_NAME)
def test_every_cut_and_every_cut_of_its_recovery(name: str) -> None:
    exhaust(BY_NAME[name])


@pytest.mark.parametrize("name", ["primitives", "snapshots, two kept", "deleted runs", "two writers"])
def test_the_second_reader_agrees(name: str, tmp_path: Path) -> None:
    workload = BY_NAME[name]
    states: dict[int, str] = {}

    def seen(cv: int, image: DiskImage) -> None:
        state, reading = state_of(folder_of(image, tmp_path / f"cv{cv}-{len(states)}"))
        assert state["cv"] == cv
        assert reading.verdict == "clean"
        states[cv] = digest(state)

    rehearsal = rehearse(workload, seen=seen)
    compared = 0
    for number, image in enumerate(list(disks(workload, rehearsal))[::23]):
        files = SimulatedFiles(image, pid=5001)
        try:
            db = opened(files, mode=workload.mode, seed=50, **workload.options)
        except WalCorruptionError:
            continue
        if cv := db.last_cv:
            state, _ = state_of(folder_of(files.image(), tmp_path / f"image{number}"))
            assert digest(state) == states[cv]
            compared += 1
        abandon(db)
    assert compared >= 2


def test_history_alone_and_the_older_snapshot_give_the_same_state() -> None:
    workload = BY_NAME["snapshots, two kept"]
    rehearsal = rehearse(workload)
    last = max(rehearsal.digests)
    newest = max(path for path in rehearsal.image.paths() if path.endswith(".dat"))
    tried = 0
    for image in (rehearsal.image, *list(disks(workload, rehearsal))[::31]):
        try:
            whole = opened(SimulatedFiles(image, pid=5001))
        except WalCorruptionError:
            continue
        cv, told = whole.last_cv, whole.digest()
        abandon(whole)
        snapshots = [node for node in image.nodes if node.path.endswith(".dat")]
        if not snapshots:
            continue
        tried += 1
        bare = DiskImage(tuple(node for node in image.nodes if node not in snapshots))
        newest = max(snapshots, key=lambda node: node.path)
        rotten = DiskImage(
            tuple(
                type(node)(node.path, node.kind, b"\xff" + node.data[1:], node.mode)
                if node is newest
                else node
                for node in image.nodes
            )
        )
        for other in (bare, rotten):
            db = opened(SimulatedFiles(other, pid=5001))
            assert (db.last_cv, db.digest()) == (cv, told)
            abandon(db)
    assert tried > 3
    assert rehearsal.digests[last]


def test_without_history_the_older_snapshot_is_still_enough() -> None:
    """The log is let go behind the oldest snapshot that is kept, not behind the newest."""
    workload = BY_NAME["snapshots, no history"]
    rehearsal = rehearse(workload)
    newest = max(path for path in rehearsal.image.paths() if path.endswith(".dat"))
    rotten = DiskImage(
        tuple(
            type(node)(node.path, node.kind, b"\xff" + node.data[1:], node.mode)
            if node.path == newest
            else node
            for node in rehearsal.image.nodes
        )
    )
    assert not any("/history/" in path for path in rehearsal.image.paths())
    db = opened(SimulatedFiles(rotten, pid=5001), **workload.options)
    assert db.digest() == rehearsal.digests[max(rehearsal.digests)]
    assert db.recovery.snapshots_rejected
    abandon(db)


def test_the_mark_of_a_clean_close_is_gone_before_anything_is_appended() -> None:
    files = SimulatedFiles(rehearse(BY_NAME["few commits"]).image, pid=5001)
    db = opened(files, seed=8)
    assert db.recovery.clean_close
    db.begin_run(RUNS[3])
    for image in files.crash_images():
        assert image.read(f"{ROOT}/CLEAN") is None
    abandon(db)


def damaged_disk() -> tuple[DiskImage, dict[int, str], int]:
    """A clean database of several segments with a flipped bit in the middle; its digests, and the last good cv."""
    rehearsal = rehearse(BY_NAME["rotation"])
    segments = [node for node in rehearsal.image.nodes if "/wal/" in node.path]
    hit = segments[1]
    data = bytearray(hit.data)
    data[30] ^= 4
    nodes = tuple(
        type(node)(node.path, node.kind, bytes(data), node.mode) if node is hit else node
        for node in rehearsal.image.nodes
    )
    image = DiskImage(nodes)
    with pytest.raises(WalCorruptionError) as refused:
        opened(SimulatedFiles(image))
    return image, rehearsal.digests, refused.value.report.last_cv  # type: ignore[attr-defined]


def test_power_lost_in_a_repair() -> None:
    """Every cut of opening the prefix, and of the opening after that: the same prefix, and everything kept."""
    image, digests, good = damaged_disk()
    options = {"segment_bytes": 500, "recovery": prefix_options()}
    tally = Tally()
    judge = Judge({good: digests[good]}, tally, **options)
    judge.check(image, good, nested=1, lost=True)
    assert tally.nested > 20

    def repairing(driver: Driver) -> None:
        driver.open()
        driver.close()

    workload = Workload("repair", repairing, options)
    rehearsal = rehearse(workload, image)
    for left in disks(workload, rehearsal, image):
        judge.check(left, good, lost=True)
    kept = {node.data for node in rehearsal.image.nodes if "/quarantine/" in node.path}
    cut = [node for node in image.nodes if "/wal/" in node.path][1:]
    assert {node.data for node in cut} <= kept


def test_a_repair_that_a_mark_of_a_clean_close_asked_for_is_done_once() -> None:
    """The last commit is damaged after a clean close: refused; the prefix is opened, and its process dies."""
    rehearsal = rehearse(BY_NAME["few commits"])
    log = next(node for node in rehearsal.image.nodes if "/wal/" in node.path)
    nodes = tuple(
        type(node)(node.path, node.kind, node.data[:-1] + b"\0", node.mode) if node is log else node
        for node in rehearsal.image.nodes
    )
    files = SimulatedFiles(DiskImage(nodes))
    before = data_of(files.image())
    with pytest.raises(WalCorruptionError):
        opened(files)
    assert data_of(files.image()) == before
    db = opened(files, recovery=prefix_options())
    assert db.recovery.committed_lost == 1
    db._opened.locks.close()  # type: ignore[attr-defined,union-attr]
    again = opened(files)
    assert not again.recovery.has_issues
    assert again.last_cv == max(rehearsal.digests) - 1
    again.close()


def test_the_checks_themselves_notice_a_lost_promise() -> None:
    workload = BY_NAME["few commits, strict"]
    rehearsal = rehearse(workload)
    judge = Judge(rehearsal.digests, Tally(), "strict")
    with pytest.raises(AssertionError, match="promised"):
        judge.check(rehearsal.image, max(rehearsal.digests) + 1)
    with pytest.raises(AssertionError, match="no prefix"):
        Judge({0: rehearsal.digests[0]}, Tally(), "strict").check(rehearsal.image, 0)
    assert RUNS[0]
