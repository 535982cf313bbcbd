"""Power lost at every call, every image that may leave: the file is the old or the new one, whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from devstate.durable import (
    atomic_replace,
    create_exclusive,
    ensure_folder,
    find_leftovers,
    read_bounded,
    remove_durably,
    remove_leftover,
    set_aside,
)
from devstate.durable.simulated import DiskImage, SimulatedCrash, SimulatedFiles

PATH = "/w/.trae/state.json"
OLD = b"old " * 300
NEW = b"new content " * 200


def every_crash(
    workload: Callable[[SimulatedFiles], None], start: DiskImage, kind: type[SimulatedFiles] = SimulatedFiles
) -> Iterator[tuple[bool, DiskImage]]:
    """Each image that a crash in the workload or right after it leaves, with whether it had returned."""
    rehearsal = kind(start)
    workload(rehearsal)
    for calls in range(len(rehearsal.calls) + 1):
        files = kind(start, crash_after=calls)
        try:
            workload(files)
            returned = True
        except SimulatedCrash:
            returned = False
        assert returned == (calls == len(rehearsal.calls))
        for image in files.crash_images():
            yield returned, image


def disk(data: bytes | None) -> DiskImage:
    files = SimulatedFiles()
    files.put("/w/.trae/history.json", b"[]")
    if data is not None:
        files.put(PATH, data)
    return files.image()


def replace(files: SimulatedFiles) -> None:
    atomic_replace(PATH, [NEW[:1000], NEW[1000:]], files=files)


def create(files: SimulatedFiles) -> None:
    create_exclusive(PATH, NEW, files=files)


def replace_expected(files: SimulatedFiles) -> None:
    atomic_replace(PATH, NEW, expect=read_bounded(PATH, files=files), files=files)


def faults_of(
    workload: Callable[[SimulatedFiles], None], old: bytes | None, kind: type[SimulatedFiles] = SimulatedFiles
) -> list[str]:
    """What the crash images break of the promise of an atomic, durable write."""
    found: list[str] = []
    for returned, image in every_crash(workload, disk(old), kind):
        now = image.read(PATH)
        if now not in (old, NEW):
            found.append("torn")
        if returned and now != NEW:
            found.append("lost after return")
        if image.read("/w/.trae/history.json") != b"[]":
            found.append("a bystander changed")
    return found


@pytest.mark.parametrize(
    ("workload", "old"), [(replace, OLD), (replace, None), (create, None), (replace_expected, OLD)]
)
def test_old_or_new_whole_and_new_after_return(
    workload: Callable[[SimulatedFiles], None], old: bytes | None
) -> None:
    assert faults_of(workload, old) == []


class _WithoutFolderSync(SimulatedFiles):
    def fsync_dir(self, path: str) -> None:
        pass


class _WithoutFileSync(SimulatedFiles):
    def fsync(self, fd: int) -> None:
        pass


class _RenameByCopy(SimulatedFiles):
    """Writes into the target instead of renaming over it."""

    def replace(self, source: str, target: str) -> None:
        import os

        data = read_bounded(source, files=self).data
        fd = self.open(target, os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
        self.write(fd, data)
        super().fsync(fd)
        self.close(fd)
        self.unlink(source)


@pytest.mark.parametrize(
    ("defect", "symptom"),
    [
        (_WithoutFolderSync, "lost after return"),
        (_WithoutFileSync, "torn"),
        (_RenameByCopy, "torn"),
    ],
)
def test_the_check_sees_planted_defects(defect: type[SimulatedFiles], symptom: str) -> None:
    assert symptom in faults_of(replace, OLD, defect)


def test_a_crash_leaves_only_what_is_found_as_a_leftover() -> None:
    seen = 0
    for _, image in every_crash(replace, disk(OLD)):
        files = SimulatedFiles(image, pid=7)
        left = find_leftovers("/w/.trae", files=files)
        assert {path for path in image.paths() if path.endswith(".tmp")} == {found.path for found in left}
        for leftover in left:
            seen += 1
            assert (leftover.ours, leftover.document, leftover.alive) == (True, "state.json", False)
            assert remove_leftover(leftover, files=files)
        for after in files.crash_images():
            assert not [path for path in after.paths() if path.endswith(".tmp")]
    assert seen > 10


def test_made_folders_stay_and_a_file_in_them_too() -> None:
    def workload(files: SimulatedFiles) -> None:
        ensure_folder("/w/.trae/set-aside/today", files=files)
        create_exclusive("/w/.trae/set-aside/today/state.json", NEW, files=files)

    for returned, image in every_crash(workload, disk(OLD)):
        found = image.read("/w/.trae/set-aside/today/state.json")
        assert found == NEW if returned else found in (None, NEW)


def test_a_removed_file_stays_removed() -> None:
    def workload(files: SimulatedFiles) -> None:
        assert remove_durably(PATH, files=files)

    for returned, image in every_crash(workload, disk(OLD)):
        found = image.read(PATH)
        assert found is None if returned else found in (None, OLD)


def test_setting_aside_never_loses_the_file() -> None:
    start = disk(OLD)
    files = SimulatedFiles(start)
    files.put("/w/.trae/state.json.tmp", b"half")

    def workload(files: SimulatedFiles) -> None:
        (leftover,) = find_leftovers("/w/.trae", files=files)
        assert set_aside(leftover, "/w/.trae/set-aside", files=files)

    for returned, image in every_crash(workload, files.image()):
        here = image.read("/w/.trae/state.json.tmp")
        there = image.read("/w/.trae/set-aside/state.json.tmp")
        assert b"half" in (here, there)
        if returned:
            assert (here, there) == (None, b"half")
