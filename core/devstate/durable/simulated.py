"""A file layer in memory that can lose power at any call.

Run a workload on `SimulatedFiles(crash_after=i)`: call i + 1 raises `SimulatedCrash`, and so does every later
one. `crash_images()` then gives each disk that the machine may find when it starts again, and
`SimulatedFiles(image)` mounts one, to recover from. Permissions are kept but not enforced.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat as modes
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from .disk import (
    DiskImage,
    FileNode,
    FolderNode,
    LinkNode,
    NameChange,
    Node,
    Rename,
    Write,
    crash_images,
    whole_image,
)
from .files import Data, Files

__all__ = ["Call", "DiskImage", "SimulatedCrash", "SimulatedFiles"]

_DEVICE = 1
_FIRST_DESCRIPTOR = 1_000_000  # far from every real one, so that a mix-up shows
_MAX_LINKS = 40


class SimulatedCrash(BaseException):
    """The power went; no `except Exception` of the code under test may handle that."""


class Call(msgspec.Struct, frozen=True):
    """One call that was made, with the path it was made on (for a descriptor, the path it was opened by)."""

    name: str
    path: str


class _Opened:
    """What a descriptor stands for."""

    def __init__(self, node: Node, flags: int, path: str) -> None:
        self.node = node
        self.flags = flags
        self.path = path
        self.position = 0

    def file(self, *, writing: bool) -> FileNode:
        access = self.flags & os.O_ACCMODE
        if isinstance(self.node, FolderNode) and not writing:
            raise _error(errno.EISDIR, self.path)
        if not isinstance(self.node, FileNode) or access == (os.O_RDONLY if writing else os.O_WRONLY):
            raise _error(errno.EBADF, self.path)
        return self.node


class SimulatedFiles:
    """`Files` in memory. Not for several threads. `calls` lists every call made, in order."""

    def __init__(
        self, image: DiskImage | None = None, *, crash_after: int | None = None, pid: int = 4242
    ) -> None:
        self.calls: list[Call] = []
        self.crash_after = crash_after
        self._pid = pid
        self._tokens = 0
        self._ticks = 0
        self._numbers = 1
        self._descriptors = _FIRST_DESCRIPTOR
        self._opened: dict[int, _Opened] = {}
        self._locks: dict[int, dict[int, int]] = {}
        self._root = FolderNode(1, 0o755)
        for node in image.nodes if image is not None else ():
            self._mount(node.path, node.kind, node.data, node.mode)

    # -- what only the simulation has ---------------------------------------------------------------

    def put(self, path: str, data: bytes = b"", *, mode: int = 0o644) -> None:
        """Set up a durable file (and its folders) without that being a call."""
        steps = path.strip("/").split("/")[:-1]
        for depth in range(1, len(steps) + 1):
            folder = "/" + "/".join(steps[:depth])
            if self._find(folder, follow=True) is None:
                self._mount(folder, "folder", b"", 0o755)
        self._mount(path, "file", data, mode)

    def put_symlink(self, path: str, target: str) -> None:
        """Set up a durable symbolic link in a folder that is there."""
        self._mount(path, "symlink", target.encode(), 0o777)

    def image(self) -> DiskImage:
        """The disk as it is, everything written out."""
        return whole_image(self._root)

    def crash_images(self) -> Iterator[DiskImage]:
        """Each disk that a crash at this moment may leave (`devstate.durable.disk.crash_images`)."""
        return crash_images(self._root)

    def _mount(self, path: str, kind: str, data: bytes, mode: int) -> None:
        folder, name = self._parent(path)
        self._numbers += 1
        node: Node
        if kind == "file":
            node = FileNode(self._numbers, mode, data)
        elif kind == "folder":
            node = FolderNode(self._numbers, mode)
        else:
            node = LinkNode(self._numbers, data.decode())
        node.links = 1
        self._stamp(node)
        folder.names[name] = folder.durable[name] = node

    # -- Files: descriptors -------------------------------------------------------------------------

    def open(self, path: str, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None and not path.startswith("/"):
            path = os.path.join(self._opened[dir_fd].path, path)
        self._enter("open", path)
        follow = not flags & os.O_NOFOLLOW and not (flags & os.O_CREAT and flags & os.O_EXCL)
        node = self._find(path, follow=follow)
        if node is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            folder, name = self._parent(self._followed(path) if follow else path)
            self._numbers += 1
            node = FileNode(self._numbers, mode & ~0o022 & 0o7777)
            node.durable_mode = node.mode
            self._add(folder, NameChange(name=name, node=node))
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        elif isinstance(node, LinkNode):
            raise _error(errno.ENOTDIR if flags & os.O_DIRECTORY else errno.ELOOP, path)
        elif isinstance(node, FolderNode):
            if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_CREAT:
                raise _error(errno.EISDIR, path)
        elif flags & os.O_DIRECTORY:
            raise _error(errno.ENOTDIR, path)
        elif flags & os.O_TRUNC and flags & os.O_ACCMODE != os.O_RDONLY:
            self._write(node, Write(0, None))
        self._descriptors += 1
        self._opened[self._descriptors] = _Opened(node, flags, path)
        return self._descriptors

    def close(self, fd: int) -> None:
        opened = self._enter_fd("close", fd)
        self._locks.get(opened.node.number, {}).pop(fd, None)
        del self._opened[fd]

    def read(self, fd: int, size: int) -> bytes:
        opened = self._enter_fd("read", fd)
        data = bytes(opened.file(writing=False).data[opened.position : opened.position + size])
        opened.position += len(data)
        return data

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self._enter_fd("pread", fd).file(writing=False).data[offset : offset + size])

    def write(self, fd: int, data: Data) -> int:
        opened = self._enter_fd("write", fd)
        file = opened.file(writing=True)
        if opened.flags & os.O_APPEND:
            opened.position = len(file.data)
        if len(data):
            self._write(file, Write(opened.position, bytes(data)))
        opened.position += len(data)
        return len(data)

    def pwrite(self, fd: int, data: Data, offset: int) -> int:
        opened = self._enter_fd("pwrite", fd)
        file = opened.file(writing=True)
        if opened.flags & os.O_APPEND:
            raise AssertionError("pwrite with O_APPEND means different things on different systems")
        if len(data):
            self._write(file, Write(offset, bytes(data)))
        return len(data)

    def ftruncate(self, fd: int, length: int) -> None:
        opened = self._enter_fd("ftruncate", fd)
        if opened.flags & os.O_ACCMODE == os.O_RDONLY or not isinstance(opened.node, FileNode):
            raise _error(errno.EINVAL, opened.path)
        self._write(opened.node, Write(length, None))

    def fsync(self, fd: int) -> None:
        _synced(self._enter_fd("fsync", fd).node)

    def fdatasync(self, fd: int) -> None:
        _synced(self._enter_fd("fdatasync", fd).node)

    def fstat(self, fd: int) -> os.stat_result:
        return _facts(self._enter_fd("fstat", fd).node)

    def fchmod(self, fd: int, mode: int) -> None:
        node = self._enter_fd("fchmod", fd).node
        if not isinstance(node, LinkNode):
            node.mode = mode & 0o7777
        self._stamp(node, content=False)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        node = self._enter_fd("fchown", fd).node
        node.owner = (uid, gid)
        self._stamp(node, content=False)

    def flock(self, fd: int, operation: int) -> None:
        opened = self._enter_fd("flock", fd)
        holders = self._locks.setdefault(opened.node.number, {})
        if operation & fcntl.LOCK_UN:
            holders.pop(fd, None)
            return
        others = [kind for other, kind in holders.items() if other != fd]
        if others and (operation & fcntl.LOCK_EX or fcntl.LOCK_EX in others):
            # One thread of control: who waits here waits for ever.
            raise _error(errno.EAGAIN if operation & fcntl.LOCK_NB else errno.EDEADLK, opened.path)
        holders[fd] = fcntl.LOCK_EX if operation & fcntl.LOCK_EX else fcntl.LOCK_SH

    def mmap(self, fd: int, length: int) -> memoryview:
        return memoryview(bytes(self._enter_fd("mmap", fd).file(writing=False).data[:length]))

    # -- Files: paths -------------------------------------------------------------------------------

    def fsync_dir(self, path: str) -> None:
        self._enter("fsync_dir", path)
        _synced(self._folder(path))

    def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        self._enter("stat", path)
        node = self._find(path, follow=follow_symlinks)
        if node is None:
            raise _error(errno.ENOENT, path)
        return _facts(node)

    def replace(self, source: str, target: str) -> None:
        self._enter("replace", target)
        from_folder, old = self._parent(source)
        to_folder, new = self._parent(target)
        node = from_folder.names.get(old)
        if node is None:
            raise _error(errno.ENOENT, source)
        there = to_folder.names.get(new)
        if there is node:
            return
        if isinstance(node, FolderNode):
            if there is not None and not isinstance(there, FolderNode):
                raise _error(errno.ENOTDIR, target)
            if there is not None and there.names:
                raise _error(errno.ENOTEMPTY, target)
            if f"{os.path.normpath(target)}/".startswith(f"{os.path.normpath(source)}/"):
                raise _error(errno.EINVAL, target)
        elif isinstance(there, FolderNode):
            raise _error(errno.EISDIR, target)
        if there is not None:
            there.links -= 1
            self._stamp(there, content=False)
        if from_folder is to_folder:
            from_folder.change(NameChange(drop=old, name=new, node=node))
        else:
            move = Rename()
            to_folder.change(NameChange(name=new, node=node, arrives=move))
            from_folder.change(NameChange(drop=old, leaves=move))
        self._stamp(node, content=False)

    def link(self, source: str, target: str) -> None:
        self._enter("link", target)
        node = self._find(source, follow=False)
        if node is None:
            raise _error(errno.ENOENT, source)
        folder, name = self._parent(target)
        if name in folder.names:
            raise _error(errno.EEXIST, target)
        if isinstance(node, FolderNode):
            raise _error(errno.EPERM, source)
        self._add(folder, NameChange(name=name, node=node))

    def unlink(self, path: str) -> None:
        self._enter("unlink", path)
        node = self._find(path, follow=False)
        if node is None:
            raise _error(errno.ENOENT, path)
        if isinstance(node, FolderNode):
            raise _error(errno.EISDIR, path)
        self._drop(path, node)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self._enter("mkdir", path)
        if self._find(path, follow=False) is not None:
            raise _error(errno.EEXIST, path)
        folder, name = self._parent(path)
        self._numbers += 1
        self._add(folder, NameChange(name=name, node=FolderNode(self._numbers, mode & ~0o022)))

    def rmdir(self, path: str) -> None:
        self._enter("rmdir", path)
        node = self._find(path, follow=False)
        if node is None:
            raise _error(errno.ENOENT, path)
        if not isinstance(node, FolderNode):
            raise _error(errno.ENOTDIR, path)
        if node.names:
            raise _error(errno.ENOTEMPTY, path)
        self._drop(path, node)

    def listdir(self, path: str) -> list[str]:
        self._enter("listdir", path)
        return list(self._folder(path).names)

    def readlink(self, path: str) -> str:
        self._enter("readlink", path)
        node = self._find(path, follow=False)
        if node is None:
            raise _error(errno.ENOENT, path)
        if not isinstance(node, LinkNode):
            raise _error(errno.EINVAL, path)
        return node.target

    def token(self) -> str:
        self._tokens += 1
        return f"{self._pid}-{self._tokens:012x}"

    def process_alive(self, pid: int) -> bool:
        return pid == self._pid

    # -- how it is done -----------------------------------------------------------------------------

    def _enter(self, name: str, path: str) -> None:
        """Record a call; raise where the power is gone."""
        if self.crash_after is not None and len(self.calls) >= self.crash_after:
            raise SimulatedCrash(f"before call {len(self.calls) + 1}, {name} of {path}")
        self.calls.append(Call(name, path))
        self._ticks += 1

    def _enter_fd(self, name: str, fd: int) -> _Opened:
        opened = self._opened.get(fd)
        self._enter(name, opened.path if opened is not None else f"descriptor {fd}")
        if opened is None:
            raise _error(errno.EBADF, str(fd))
        return opened

    def _parent(self, path: str, links: int = 0) -> tuple[FolderNode, str]:
        """The folder that a path's last name is in, and that name (empty for the root)."""
        parts = [part for part in os.path.normpath(path).split("/") if part not in ("", ".")]
        folder = self._root
        for depth, part in enumerate(parts[:-1], 1):
            node = folder.names.get(part)
            if isinstance(node, LinkNode):
                node = self._find("/" + "/".join(parts[:depth]), follow=True, links=links + 1)
            if node is None:
                raise _error(errno.ENOENT, path)
            if not isinstance(node, FolderNode):
                raise _error(errno.ENOTDIR, path)
            folder = node
        if any(len(part) > 255 for part in parts):
            raise _error(errno.ENAMETOOLONG, path)
        return folder, parts[-1] if parts else ""

    def _find(self, path: str, *, follow: bool, links: int = 0) -> Node | None:
        if links > _MAX_LINKS:
            raise _error(errno.ELOOP, path)
        try:
            folder, name = self._parent(path, links)
        except FileNotFoundError:
            return None
        node = folder.names.get(name) if name else folder
        if follow and isinstance(node, LinkNode):
            return self._find(_joined(path, node.target), follow=True, links=links + 1)
        return node

    def _followed(self, path: str) -> str:
        """The path that a symbolic link finally names (`_find` has refused loops)."""
        while isinstance(node := self._find(path, follow=False), LinkNode):
            path = _joined(path, node.target)
        return path

    def _folder(self, path: str) -> FolderNode:
        node = self._find(path, follow=True)
        if node is None:
            raise _error(errno.ENOENT, path)
        if not isinstance(node, FolderNode):
            raise _error(errno.ENOTDIR, path)
        return node

    def _add(self, folder: FolderNode, change: NameChange) -> None:
        folder.change(change)
        if change.node is not None:
            change.node.links += 1
            self._stamp(change.node, content=False)

    def _drop(self, path: str, node: Node) -> None:
        folder, name = self._parent(path)
        folder.change(NameChange(drop=name))
        node.links -= 1
        self._stamp(node, content=False)

    def _write(self, file: FileNode, write: Write) -> None:
        file.change(write)
        self._stamp(file)

    def _stamp(self, node: Node, *, content: bool = True) -> None:
        node.ctime = self._ticks
        if content:
            node.mtime = self._ticks


def _synced(node: Node) -> None:
    if not isinstance(node, LinkNode):
        node.sync()


def _joined(path: str, target: str) -> str:
    return os.path.join(os.path.dirname(path), target)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


_TYPES = {"file": modes.S_IFREG, "folder": modes.S_IFDIR, "symlink": modes.S_IFLNK}


def _facts(node: Node) -> os.stat_result:
    """What stat says; the times count calls, a millisecond each."""
    size = len(node.data) if isinstance(node, FileNode) else 0
    mode = _TYPES[node.kind] | node.mode
    mtime, ctime = node.mtime * 1_000_000, node.ctime * 1_000_000
    times = (mtime // 10**9, mtime // 10**9, ctime // 10**9)
    whole = (mode, node.number, _DEVICE, node.links, *node.owner, size, *times)
    exact = {"st_atime_ns": mtime, "st_mtime_ns": mtime, "st_ctime_ns": ctime}
    return os.stat_result(whole, exact)


if TYPE_CHECKING:
    _IS_FILES: type[Files] = SimulatedFiles  # the type checker holds the class to the protocol
