"""Each kind of bad input: a finding of the right class with a remedy, or a typed error before there is a reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import small_workspace as small
from devstate.durable import OS
from devstate.errors import InputUnreadable, UsageError, WorkspaceNotFound
from devstate.findings import Class, Finding, Severity, exit_code
from devstate.settings import Secret, SecretSource, Settings
from devstate.workspace import Reading, Workspace, find_root
from python_child import run_python

SETTINGS = Settings(secrets=SecretSource(value=Secret(small.SECRET), origin="test"))


def read(root: Path) -> Reading:
    with Workspace.open(str(root), settings=SETTINGS, absent_ok=True) as workspace:
        return workspace.read()


def the(reading: Reading, code: str) -> Finding:
    found = [finding for finding in reading.findings if finding.code == code]
    assert found, [finding.code for finding in reading.findings]
    assert all(finding.remedy for finding in found)
    return found[0]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceNotFound) as caught:
        Workspace.open(str(tmp_path / "nowhere"), settings=SETTINGS)
    assert "does not exist" in str(caught.value) and caught.value.remedy and caught.value.exit_code == 3
    reading = read(tmp_path / "nowhere")
    assert reading.unreadable and the(reading, "INPUT_MISSING").where.file == ".trae"


def test_a_folder_without_a_workspace(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceNotFound) as caught:
        Workspace.open(str(tmp_path), settings=SETTINGS)
    assert "no .trae" in str(caught.value) and "devstate init" in caught.value.remedy
    reading = read(tmp_path)
    assert [f.code for f in reading.findings] == ["INPUT_MISSING"]  # once, not for each document
    assert exit_code(reading.findings) == 3


def test_a_file_where_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceNotFound, match="is not a folder"):
        find_root(str(tmp_path / "file"))


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_a_missing_document(tmp_path: Path, document: str) -> None:
    root = small.make(tmp_path / "w")
    (root / document).unlink()
    reading = read(root)
    finding = the(reading, "INPUT_MISSING")
    assert finding.where.file == document and finding.failure_class is Class.UNDECIDABLE
    assert not reading.ok and not reading.unreadable
    assert (reading.state is None) == (document == small.STATE)
    assert (reading.history is None) == (document == small.HISTORY)
    assert reading.binding is None
    # `devstate init` refuses beside the other document.
    assert f"git checkout -- {document}" in finding.remedy and "devstate init" not in finding.remedy


def test_both_documents_missing(tmp_path: Path) -> None:
    (tmp_path / ".trae").mkdir()
    reading = read(tmp_path)
    assert reading.unreadable
    assert [f.where.file for f in reading.findings if f.code == "INPUT_MISSING"] == [
        small.STATE,
        small.HISTORY,
    ]
    assert all("devstate init" in f.remedy for f in reading.findings if f.code == "INPUT_MISSING")


@pytest.mark.parametrize("content", [b"", b" \n"])
@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_an_empty_document(tmp_path: Path, document: str, content: bytes) -> None:
    root = small.make(tmp_path / "w")
    (root / document).write_bytes(content)
    reading = read(root)
    errors = [f for f in reading.findings if f.severity is Severity.ERROR and f.where.file == document]
    assert errors and all(finding.remedy for finding in errors)
    assert exit_code(reading.findings) == 1


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_a_folder_instead_of_a_document(tmp_path: Path, document: str) -> None:
    root = small.make(tmp_path / "w")
    (root / document).unlink()
    (root / document).mkdir()
    reading = read(root)
    finding = the(reading, "INPUT_UNREADABLE")
    assert finding.where.file == document and "folder" in finding.message
    assert exit_code(reading.findings) == 3


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_a_fifo_instead_of_a_document_does_not_block(tmp_path: Path, document: str) -> None:
    root = small.make(tmp_path / "w")
    (root / document).unlink()
    os.mkfifo(root / document)
    assert "FIFO" in the(read(root), "INPUT_UNREADABLE").message


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_a_symbolic_link_instead_of_a_document(tmp_path: Path, document: str) -> None:
    root = small.make(tmp_path / "w")
    (root / document).rename(tmp_path / "real")
    (root / document).symlink_to(tmp_path / "real")
    assert "symbolic link" in the(read(root), "INPUT_UNREADABLE").message


def test_a_file_instead_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".trae").write_bytes(b"")
    reading = read(tmp_path)
    assert "not a folder" in the(reading, "INPUT_UNREADABLE").message and reading.unreadable


def test_a_link_to_the_folder_is_followed(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/.trae").symlink_to(root / ".trae")
    assert read(tmp_path / "other").ok


_AS_NOBODY = """
import os, sys
from devstate.workspace import Workspace
from devstate.findings import exit_code
from devstate.settings import Settings
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Workspace.open(sys.argv[1], settings=Settings()) as workspace:
        reading = workspace.read()
except Exception as error:
    print(type(error).__name__, getattr(error, "exit_code", None), bool(error.remedy), error)
else:
    for finding in reading.findings:
        if finding.severity == "error":
            print(finding.code, finding.where.file, bool(finding.remedy), exit_code(reading.findings))
"""


def open_to_all(*folders: Path) -> None:
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_an_unreadable_document(public_path: Path, document: str) -> None:
    root = small.make(public_path / "w")
    open_to_all(root, root / ".trae")
    (root / document).chmod(0)
    assert run_python(_AS_NOBODY, str(root)).splitlines()[0] == f"INPUT_UNREADABLE {document} True 3"


def test_an_unreadable_folder(public_path: Path) -> None:
    root = small.make(public_path / "w")
    open_to_all(root)
    (root / ".trae").chmod(0)
    try:
        lines = run_python(_AS_NOBODY, str(root)).splitlines()
    finally:
        (root / ".trae").chmod(0o755)
    assert lines and lines[0].startswith("INPUT_UNREADABLE") and lines[0].endswith("True 3")


def test_a_root_that_cannot_be_searched(public_path: Path) -> None:
    root = small.make(public_path / "w")
    root.chmod(0)
    try:
        line = run_python(_AS_NOBODY, str(root))
    finally:
        root.chmod(0o755)
    assert line.startswith(f"{InputUnreadable.__name__} 3 True")


def test_a_read_only_folder_is_read_like_any_other(public_path: Path) -> None:
    root = small.make(public_path / "w", 2)
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        lines = run_python(_AS_NOBODY, str(root)).splitlines()
    finally:
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)
    # It is the tests' key that this process lacks; nothing was unreadable, and nothing was to be written.
    assert {line.split()[0] for line in lines} == {"WRONG_KEY"}


def test_a_history_beyond_the_limit(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 5)
    settings = Settings(secrets=SETTINGS.secrets, limits=type(SETTINGS.limits)(file_bytes=1000))
    with Workspace.open(str(root), settings=settings) as workspace:
        finding = the(workspace.read(), "LIMIT_EXCEEDED")
    assert "limits.file_bytes" in finding.remedy or "limits.file_bytes" in finding.message


def test_a_file_that_never_stands_still_is_a_finding(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    place = root / small.HISTORY

    class Restless:
        """The operating system, with a writer that adds to the history at each read."""

        def __getattr__(self, name: str) -> object:
            return getattr(OS, name)

        def pread(self, fd: int, size: int, offset: int) -> bytes:
            with place.open("ab") as file:
                file.write(b" ")
            return OS.pread(fd, size, offset)

    with Workspace.open(str(root), settings=SETTINGS, files=Restless()) as workspace:  # type: ignore[arg-type]
        reading = workspace.read()
    finding = the(reading, "CHANGED_DURING_READ")
    assert finding.where.file == small.HISTORY and finding.failure_class is Class.IO
    assert exit_code([finding]) == 5


def test_a_file_that_changes_once_is_read_again(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    place = root / small.HISTORY
    good = place.read_bytes()

    class Once:
        def __init__(self) -> None:
            self.left = 1

        def __getattr__(self, name: str) -> object:
            return getattr(OS, name)

        def pread(self, fd: int, size: int, offset: int) -> bytes:
            data = OS.pread(fd, size, offset)
            if self.left and data.startswith(b"[\n"):
                self.left -= 1
                os.utime(place, ns=(1, 1))
            return data

    with Workspace.open(str(root), settings=SETTINGS, files=Once()) as workspace:  # type: ignore[arg-type]
        reading = workspace.read()
    assert reading.ok and reading.history is not None and reading.history.sha256 == small.sha256(good)


def test_a_faulty_configuration_is_wrong_use(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "devstate.toml").write_text("nosuch = 1\n")
    with pytest.raises(UsageError) as caught:
        Workspace.open(str(root), environ={})
    assert caught.value.exit_code == 2 and caught.value.remedy


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"type": 7}', b"\xff"])
def test_a_broken_schema_of_the_workspace(tmp_path: Path, content: bytes) -> None:
    root = small.make(tmp_path / "w")
    (root / "docs").mkdir()
    (root / "docs/STATE.schema.json").write_bytes(content)
    reading = read(root)
    errors = [f for f in reading.findings if f.severity is Severity.ERROR]
    assert [f.where.file for f in errors] == ["docs/STATE.schema.json"] and errors[0].remedy
