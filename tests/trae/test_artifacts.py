"""Artifacts: what each kind of path and file gives, on real files; nothing outside is read, nothing blocks."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.durable import OS, Identity
from devstate.durable.faults import Fault, FaultyFiles
from devstate.errors import InputMissing, InputUnreadable
from devstate.findings import Finding
from devstate.trae import ArtifactCache, ArtifactReading, ListedArtifact, check_artifacts, refused_path

SECRET = b"outside"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    (folder / "deep" / "er" / "b.txt").write_bytes(b"b")
    (tmp_path / "outside.txt").write_bytes(SECRET)
    return folder


def check(
    root: Path, path: str, listed: str = sha(SECRET), **options: object
) -> tuple[ArtifactReading, Finding | None]:
    readings, findings = check_artifacts(str(root), [ListedArtifact(path, listed, "", 0)], **options)  # type: ignore[arg-type]
    assert len(findings) == (readings[0].status != "matched")
    return readings[0], findings[0] if findings else None


@pytest.mark.parametrize(
    ("path", "content"), [("a.txt", b"a"), ("deep/er/b.txt", b"b"), ("./deep//er/./b.txt", b"b")]
)
def test_a_file_as_listed(root: Path, path: str, content: bytes) -> None:
    reading, finding = check(root, path, sha(content))
    assert (reading.status, reading.actual, reading.code) == ("matched", sha(content), None)
    assert finding is None


def test_a_file_that_differs(root: Path) -> None:
    reading, finding = check(root, "a.txt", sha(b"b"))
    assert finding is not None
    assert (reading.status, reading.code, finding.code) == (
        "mismatched",
        "ARTIFACT_MISMATCH",
        "ARTIFACT_MISMATCH",
    )
    assert (finding.expected, finding.actual) == (sha(b"b"), sha(b"a"))
    assert finding.where.pointer == "/artifact_checksums/0/hash"
    _, finding = check(root, "a.txt", sha(b"a").upper())
    assert finding is not None
    assert "lowercase" in finding.message


@pytest.mark.parametrize("path", ["no.txt", "no/such/file", "a.txt/inside", "deep/er/c", "n" * 300])
def test_a_file_that_is_not_there(root: Path, path: str) -> None:
    reading, finding = check(root, path)
    assert finding is not None
    assert (reading.status, reading.actual, finding.code) == ("missing", None, "ARTIFACT_MISSING")


def link(root: Path, name: str, target: str) -> None:
    (root / name).symlink_to(target)


def fifo(root: Path, name: str) -> None:
    os.mkfifo(root / name)


def unix_socket(root: Path, name: str) -> None:
    before = Path.cwd()
    os.chdir(root)  # the address of a socket is at most about a hundred bytes long
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    ("prepare", "path", "code"),
    [
        (lambda root: link(root, "l", "a.txt"), "l", "SYMLINK"),
        (lambda root: link(root, "l", "../outside.txt"), "l", "SYMLINK"),
        (lambda root: link(root, "l", "nowhere"), "l", "SYMLINK"),
        (lambda root: link(root, "l", "l"), "l", "SYMLINK"),
        (lambda root: link(root, "l", ".."), "l/outside.txt", "SYMLINK"),
        (lambda root: link(root, "l", "deep"), "l/er/b.txt", "SYMLINK"),
        (lambda root: link(root, "deep/l", "er"), "deep/l/b.txt", "SYMLINK"),
        (lambda root: fifo(root, "f"), "f", "PATH_ESCAPE"),
        (lambda root: fifo(root, "f"), "f/x", "ARTIFACT_MISSING"),
        (lambda root: unix_socket(root, "s"), "s", "PATH_ESCAPE"),
        (lambda root: None, "deep", "PATH_ESCAPE"),
        (lambda root: None, "deep/", "PATH_ESCAPE"),
        (lambda root: None, "a.txt/", "PATH_ESCAPE"),
        (lambda root: None, "../outside.txt", "PATH_ESCAPE"),
        (lambda root: None, "deep/../a.txt", "PATH_ESCAPE"),
        (lambda root: None, "..", "PATH_ESCAPE"),
        (lambda root: None, "", "PATH_ESCAPE"),
        (lambda root: None, ".", "PATH_ESCAPE"),
        (lambda root: None, "a.txt\0", "PATH_ESCAPE"),
        (lambda root: None, "/dev/zero", "PATH_ESCAPE"),
        (lambda root: None, "/etc/hostname", "PATH_ESCAPE"),
    ],
)
def test_a_path_that_is_refused(root: Path, prepare: Callable[[Path], None], path: str, code: str) -> None:
    prepare(root)
    reading, finding = check(root, path)
    assert finding is not None
    assert finding.code == reading.code == code
    assert reading.status == ("missing" if code == "ARTIFACT_MISSING" else "refused")
    assert reading.actual is None
    assert finding.remedy


def test_a_device_is_refused() -> None:
    # The devices of the system stand below its root; none is read.
    reading, finding = check(Path("/"), "dev/zero")
    assert finding is not None
    assert (reading.status, finding.code, finding.actual) == ("refused", "PATH_ESCAPE", "a character device")


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "here").symlink_to("root")
    assert check(root.parent / "here", "a.txt", sha(b"a"))[0].status == "matched"


def test_a_root_that_cannot_be_opened(root: Path) -> None:
    with pytest.raises(InputMissing):
        check(root / "none", "a.txt")
    with pytest.raises(InputMissing):
        check(root / "a.txt", "a.txt")
    with pytest.raises(InputUnreadable):
        check(root, "a.txt", files=FaultyFiles(OS, [Fault("open", error=errno.EACCES)]))
    assert check_artifacts(str(root / "none"), []) == ((), ())


def test_one_reading_an_item_in_order_with_lines(root: Path) -> None:
    raw = b'{"artifact_checksums": [\n{"path": "no"},\n{"path": "a.txt",\n "hash": "x"}]}'
    items = [
        ListedArtifact("no", "", "", 0),
        ListedArtifact("a.txt", "x", "", 1),
        ListedArtifact("a.txt", sha(b"a"), "", 2),
    ]
    readings, findings = check_artifacts(str(root), items, raw=raw)
    assert [(reading.index, reading.status) for reading in readings] == [
        (0, "missing"),
        (1, "mismatched"),
        (2, "matched"),
    ]
    assert [finding.where.line for finding in findings] == [2, 4]


def test_a_file_of_many_blocks(root: Path) -> None:
    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20):
        data = os.urandom(size)
        (root / "big").write_bytes(data)
        assert check(root, "big", sha(data))[0].status == "matched"
    short = FaultyFiles(OS, [Fault("pread", short=1000, lasting=True)])
    (root / "big").write_bytes(b"x" * 5000)
    assert check(root, "big", sha(b"x" * 5000), files=short)[0].status == "matched"


def test_the_limit(root: Path) -> None:
    (root / "big").write_bytes(b"12345")
    assert check(root, "big", sha(b"12345"), limit=5)[0].status == "matched"
    assert check(root, "big", sha(b"12345"), limit=4)[0].code == "LIMIT_EXCEEDED"
    os.truncate(root / "big", 1 << 40)  # sparse: refused by its size, not read
    assert check(root, "big")[0].code == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("change", ["grow", "shrink", "same size"])
def test_a_file_that_changes_while_it_is_read(root: Path, change: str) -> None:
    path = root / "big"
    path.write_bytes(b"x" * (2 << 20))

    def disturb() -> None:
        if change == "grow":
            with path.open("ab") as file:
                file.write(b"y")
        elif change == "shrink":
            os.truncate(path, 10)
        else:
            with path.open("r+b") as file:
                file.write(b"y")
            os.utime(path, ns=(1, 1))

    reading, _ = check(root, "big", files=FaultyFiles(OS, [Fault("pread", nth=2, before=disturb)]))
    assert (reading.status, reading.code, reading.actual) == ("refused", "CHANGED_DURING_READ", None)


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.txt").write_bytes(SECRET)

    def turn() -> None:
        (root / "deep" / "er").rename(root / "gone")
        (root / "deep" / "er").symlink_to(tmp_path / "elsewhere")

    # The opens are: the root, deep, er, b.txt.
    before = FaultyFiles(OS, [Fault("open", nth=3, before=turn)])
    assert check(root, "deep/er/b.txt", files=before)[0].code == "SYMLINK"
    (root / "deep" / "er").unlink()
    (root / "gone").rename(root / "deep" / "er")
    after = FaultyFiles(OS, [Fault("open", nth=4, before=turn)])
    assert check(root, "deep/er/b.txt", sha(b"b"), files=after)[0].status == "matched"


@pytest.mark.parametrize(
    ("call", "number", "code"),
    [
        ("open", errno.EACCES, "INPUT_UNREADABLE"),
        ("open", errno.EIO, "IO_ERROR"),
        ("open", errno.EMFILE, "IO_ERROR"),
        ("open", errno.ENXIO, "PATH_ESCAPE"),
        ("fstat", errno.EIO, "IO_ERROR"),
        ("pread", errno.EIO, "IO_ERROR"),
    ],
)
def test_what_the_operating_system_refuses(root: Path, call: str, number: int, code: str) -> None:
    nth = 4 if call == "open" else 1
    reading, _ = check(root, "deep/er/b.txt", files=FaultyFiles(OS, [Fault(call, nth=nth, error=number)]))
    assert (reading.status, reading.code) == ("refused", code)


def test_an_interrupted_call_is_made_again(root: Path) -> None:
    faults = [
        Fault(call, nth=nth, error=errno.EINTR) for call, nth in (("open", 1), ("open", 3), ("pread", 1))
    ]
    files = FaultyFiles(OS, faults)
    assert check(root, "deep/er/b.txt", sha(b"b"), files=files)[0].status == "matched"
    assert len(files.fired) == 3


def test_every_descriptor_is_given_back(root: Path) -> None:
    link(root, "l", "deep")
    paths = ["a.txt", "deep/er/b.txt", "deep/er/no", "l/er", "deep", "..", "a.txt/x", "deep/er/b.txt"]
    items = [ListedArtifact(path, "", "", index) for index, path in enumerate(paths)]
    for nth in range(1, 30):
        for call in ("open", "fstat", "pread", "close"):
            files = FaultyFiles(OS, [Fault(call, nth=nth, error=errno.EIO)])
            before = len(os.listdir("/dev/fd"))
            try:
                readings, _ = check_artifacts(str(root), items, files=files)
            except InputUnreadable:
                assert (call, nth) == ("open", 1)
            else:
                assert len(readings) == len(items)
            assert len(os.listdir("/dev/fd")) == before


def test_cancelling(root: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    before = len(os.listdir("/dev/fd"))
    with pytest.raises(Cancelled):
        check(root, "deep/er/b.txt", check_cancelled=cancel)
    assert len(os.listdir("/dev/fd")) == before


def test_a_file_that_is_listed_twice_is_read_once(root: Path) -> None:
    files = FaultyFiles(OS)
    items = [ListedArtifact(path, sha(b"a"), "", 0) for path in ("a.txt", "./a.txt", "a.txt")]
    readings, _ = check_artifacts(str(root), items, files=files)
    assert {reading.status for reading in readings} == {"matched"}
    assert files.counts["pread"] == 2  # the content, and its end


def test_the_cache_believes_a_digest_from_the_second_reading_on(root: Path) -> None:
    cache = ArtifactCache()
    reads: list[int] = []
    for _ in range(4):
        files = FaultyFiles(OS)
        assert check(root, "a.txt", sha(b"a"), cache=cache, files=files)[0].status == "matched"
        reads.append(files.counts.get("pread", 0))
    assert reads == [2, 2, 0, 0]
    (root / "a.txt").write_bytes(b"other")
    assert check(root, "a.txt", sha(b"a"), cache=cache)[0].status == "mismatched"
    assert check(root, "deep/er/b.txt", sha(b"b"), cache=cache)[0].status == "matched"
    assert len(cache) == 1  # a.txt is no longer listed
    (root / "deep" / "er" / "b.txt").unlink()
    assert check(root, "deep/er/b.txt", sha(b"b"), cache=cache)[0].status == "missing"


def test_a_write_in_the_same_clock_tick_is_noticed() -> None:
    cache = ArtifactCache()
    same = Identity(1, 2, 3, 4, 5)
    cache.keep("p", same, "first")
    assert cache.known("p", same) is None
    cache.keep("p", same, "second")
    assert cache.known("p", same) is None
    cache.keep("p", same, "second")
    assert cache.known("p", same) == "second"
    assert cache.known("p", Identity(1, 2, 3, 4, 6)) is None


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b", "...", "..a", "\0"]), max_size=5).map("/".join))
def test_a_path_that_may_stand_stays_inside(path: str) -> None:
    if refused_path(path) is None:
        resolved = os.path.normpath(os.path.join("/workspace", path))
        assert resolved.startswith("/workspace/")
        assert "\0" not in path
    else:
        assert path.startswith("/") or not set(path.split("/")) <= {"a", "b", "...", "..a"}
