"""The simulated layer behaves as the operating system does, and its crash images are what it says."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.durable.files import OS, Files
from devstate.durable.simulated import SimulatedCrash, SimulatedFiles

NAMES = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "a/x"]
paths = st.sampled_from(NAMES)
flags = st.sampled_from(
    [
        os.O_RDONLY,
        os.O_RDWR,
        os.O_RDWR | os.O_CREAT,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL,
        os.O_RDWR | os.O_CREAT | os.O_TRUNC,
        os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        os.O_RDONLY | os.O_DIRECTORY,
        os.O_RDONLY | os.O_NOFOLLOW,
    ]
)
slots = st.integers(0, 3)
sizes = st.integers(0, 40)
operations = st.one_of(
    st.tuples(st.just("open"), paths, flags),
    st.tuples(st.just("close"), slots),
    st.tuples(st.just("write"), slots, st.binary(max_size=20)),
    st.tuples(st.just("pwrite"), slots, st.binary(max_size=20), sizes),
    st.tuples(st.just("read"), slots, sizes),
    st.tuples(st.just("pread"), slots, sizes, sizes),
    st.tuples(st.just("ftruncate"), slots, sizes),
    st.tuples(st.just("fsync"), slots),
    st.tuples(st.just("fdatasync"), slots),
    st.tuples(st.just("fstat"), slots),
    st.tuples(st.just("fchmod"), slots, st.sampled_from([0o600, 0o644, 0o400])),
    st.tuples(st.just("stat"), paths),
    st.tuples(st.just("replace"), paths, paths),
    st.tuples(st.just("link"), paths, paths),
    st.tuples(st.just("unlink"), paths),
    st.tuples(st.just("mkdir"), paths),
    st.tuples(st.just("rmdir"), paths),
    st.tuples(st.just("listdir"), paths),
    st.tuples(st.just("readlink"), paths),
    st.tuples(st.just("fsync_dir"), paths),
)


class Machine:
    """Carries out operations on one layer and gives comparable outcomes: values, or error numbers."""

    def __init__(self, files: Files, root: str) -> None:
        self.files = files
        self.root = root
        self.descriptors: list[int] = []
        self.appending: set[int] = set()

    def run(self, operation: tuple[object, ...]) -> object:
        name, *arguments = operation
        try:
            return self._run(str(name), arguments)
        except OSError as error:
            return ("error", error.errno)

    def _run(self, name: str, arguments: list[object]) -> object:
        call: Callable[..., object] = getattr(self.files, name)
        if name == "open":
            fd = self.files.open(f"{self.root}/{arguments[0]}", int(str(arguments[1])), 0o644)
            self.descriptors.append(fd)
            (self.appending.add if int(str(arguments[1])) & os.O_APPEND else self.appending.discard)(fd)
            return "opened"
        if isinstance(arguments[0], str):
            found = call(*(f"{self.root}/{path}" for path in arguments))
        else:
            if not self.descriptors:
                return "none open"
            fd = self.descriptors[int(str(arguments[0])) % len(self.descriptors)]
            if name == "pwrite" and fd in self.appending:
                return "not the same everywhere"
            if name == "close":
                self.descriptors.remove(fd)
            found = call(fd, *arguments[1:])
        if isinstance(found, os.stat_result):
            size = found.st_size if stat.S_ISREG(found.st_mode) else None
            links = found.st_nlink if stat.S_ISREG(found.st_mode) else None
            return (found.st_mode, size, links)
        return sorted(found) if isinstance(found, list) else found

    def close(self) -> None:
        for fd in self.descriptors:
            self.files.close(fd)


@settings(max_examples=400, deadline=None)
@given(st.lists(operations, max_size=30))
def test_it_does_what_the_operating_system_does(steps: list[tuple[object, ...]]) -> None:
    mask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as folder:
            simulated = SimulatedFiles()
            simulated.mkdir("/r")
            real, model = Machine(OS, folder), Machine(simulated, "/r")
            try:
                for number, step in enumerate(steps):
                    assert real.run(step) == model.run(step), (number, step)
                there = {
                    "/r/" + str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
                    for path in Path(folder).rglob("*")
                }
                image = simulated.image()
                assert there == {node.path: node.data for node in image.nodes if node.path != "/r"}
                assert SimulatedFiles(image).image() == image
            finally:
                real.close()
                model.close()
    finally:
        os.umask(mask)


def test_symbolic_links_are_followed_and_refused_alike(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    simulated = SimulatedFiles()
    simulated.put("/r/folder/file", b"x")
    for name, target in {"link": "folder/file", "there": "folder", "loop": "loop", "lost": "nowhere"}.items():
        (tmp_path / name).symlink_to(target)
        simulated.put_symlink(f"/r/{name}", target)
    real, model = Machine(OS, str(tmp_path)), Machine(simulated, "/r")
    for name in ("link", "there", "there/file", "loop", "lost", "link/x"):
        for step in (
            ("open", name, os.O_RDONLY),
            ("open", name, os.O_RDONLY | os.O_NOFOLLOW),
            ("open", name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY),
            ("open", name, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
            ("stat", name),
            ("readlink", name),
            ("listdir", name),
        ):
            assert real.run(step) == model.run(step), step
    real.close()


def _image_contents(files: SimulatedFiles, path: str) -> set[bytes | None]:
    return {image.read(path) for image in files.crash_images()}


def test_unsynced_bytes_may_be_lost_torn_or_zero() -> None:
    files = SimulatedFiles()
    files.put("/log", b"AA")
    fd = files.open("/log", os.O_RDWR | os.O_APPEND)
    files.write(fd, b"bb")
    files.write(fd, b"cccc")
    contents = _image_contents(files, "/log")
    assert contents == {b"AA", b"AAbbcccc", b"AA\0\0cccc", b"AAbb", b"AAbbc", b"AAbbccc", b"AA\0\0\0\0\0\0"}
    files.fsync(fd)
    assert _image_contents(files, "/log") == {b"AAbbcccc"}


def test_a_long_write_is_torn_at_sectors() -> None:
    files = SimulatedFiles()
    files.put("/log", b"-" * 100)
    fd = files.open("/log", os.O_RDWR | os.O_APPEND)
    files.write(fd, b"x" * 2000)
    sizes = {len(data or b"") for data in _image_contents(files, "/log") if data and b"\0" not in data}
    assert sizes == {100, 101, 512, 1024, 1536, 2048, 2099, 2100}


def test_a_synced_file_in_an_unsynced_folder_may_be_missing() -> None:
    files = SimulatedFiles()
    fd = files.open("/new", os.O_WRONLY | os.O_CREAT)
    files.write(fd, b"x")
    files.fsync(fd)
    assert _image_contents(files, "/new") == {None, b"x"}
    files.fsync_dir("/")
    assert _image_contents(files, "/new") == {b"x"}


def test_a_renamed_file_in_an_unsynced_folder_may_have_either_name() -> None:
    files = SimulatedFiles()
    files.put("/old", b"x")
    files.put("/new", b"y")
    files.replace("/old", "/new")
    assert {(image.read("/old"), image.read("/new")) for image in files.crash_images()} == {
        (b"x", b"y"),
        (None, b"x"),
    }


def test_a_rename_between_folders_loses_no_name() -> None:
    files = SimulatedFiles()
    files.put("/a/file", b"x")
    files.put("/b/other", b"")
    files.replace("/a/file", "/b/file")
    seen = {(image.read("/a/file"), image.read("/b/file")) for image in files.crash_images()}
    assert (None, None) not in seen
    assert seen >= {(b"x", None), (None, b"x")}
    files.fsync_dir("/b")
    files.fsync_dir("/a")
    assert {(image.read("/a/file"), image.read("/b/file")) for image in files.crash_images()} == {
        (None, b"x")
    }


def test_positioned_writes_on_an_appending_descriptor_are_a_mistake() -> None:
    files = SimulatedFiles()
    fd = files.open("/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with pytest.raises(AssertionError, match="O_APPEND"):
        files.pwrite(fd, b"x", 0)


def test_after_the_crash_nothing_works() -> None:
    files = SimulatedFiles(crash_after=1)
    files.stat("/")
    for _ in range(2):
        with pytest.raises(SimulatedCrash):
            files.mkdir("/a")
    assert files.image().paths() == ()
