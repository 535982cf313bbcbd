"""A disk in memory that remembers what is durable, and every image a crash may leave of it.

The model is the one that POSIX promises, not the kinder one of a given file system. Of a file: the bytes at
the last sync, and the writes since then, any of which a crash may lose or tear. Of a folder: the names at the
last sync of the folder, and the changes since then, of which any number may have arrived. A rename between
two folders never loses both names, as with every journalling file system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

__all__ = [
    "DiskImage",
    "FileNode",
    "FolderNode",
    "ImageNode",
    "LinkNode",
    "Node",
    "crash_images",
    "whole_image",
]

SECTOR = 512


class ImageNode(msgspec.Struct, frozen=True):
    """One file, folder or symbolic link of an image; `data` is the content, or the link's target in UTF-8."""

    path: str
    kind: str  # "file", "folder", "symlink"
    data: bytes = b""
    mode: int = 0o644


class DiskImage(msgspec.Struct, frozen=True):
    """What a disk holds after a crash or a shutdown; nodes by path, a folder before what is in it."""

    nodes: tuple[ImageNode, ...] = ()

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where the image has no file there."""
        return next((node.data for node in self.nodes if node.path == path and node.kind == "file"), None)

    def paths(self) -> tuple[str, ...]:
        """The paths of everything in it."""
        return tuple(node.path for node in self.nodes)


class Write(msgspec.Struct, frozen=True):
    """A change of a file's bytes since its last sync; `data` None cuts or extends it to `offset` bytes."""

    offset: int
    data: bytes | None


class FileNode:
    """A regular file: its live bytes, the durable ones, and the writes in between."""

    kind = "file"

    def __init__(self, number: int, mode: int, data: bytes = b"") -> None:
        self.number = number
        self.mode = self.durable_mode = mode
        self.owner: tuple[int, int] = (0, 0)
        self.data = bytearray(data)
        self.durable = bytes(data)
        self.pending: list[Write] = []
        self.links = 0
        self.mtime = self.ctime = 0

    def change(self, write: Write) -> None:
        """Carry out a write on the live bytes; it stays pending until the next sync."""
        _apply(self.data, write)
        self.pending.append(write)

    def sync(self) -> None:
        """All bytes and the mode become durable."""
        self.durable, self.durable_mode = bytes(self.data), self.mode
        self.pending.clear()


class LinkNode:
    """A symbolic link."""

    kind = "symlink"
    mode = 0o777

    def __init__(self, number: int, target: str) -> None:
        self.number = number
        self.target = target
        self.owner: tuple[int, int] = (0, 0)
        self.links = 0
        self.mtime = self.ctime = 0


class Rename:
    """Ties the two halves of a rename between folders: the old name goes only where the new one came."""


class NameChange:
    """A change of a folder's names since its last sync: `drop` goes, `name` comes to mean `node`."""

    def __init__(
        self,
        drop: str | None = None,
        name: str | None = None,
        node: Node | None = None,
        arrives: Rename | None = None,
        leaves: Rename | None = None,
    ) -> None:
        self.drop = drop
        self.name = name
        self.node = node
        self.arrives = arrives
        self.leaves = leaves


class FolderNode:
    """A folder: its live names, the durable ones, and the changes in between."""

    kind = "folder"

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = mode
        self.owner: tuple[int, int] = (0, 0)
        self.names: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}
        self.pending: list[NameChange] = []
        self.links = 1
        self.mtime = self.ctime = 0

    def change(self, change: NameChange) -> None:
        """Carry out a change on the live names; it stays pending until the next sync."""
        _rename(self.names, change)
        self.pending.append(change)

    def sync(self) -> None:
        """All names become durable."""
        self.durable = dict(self.names)
        self.pending.clear()


Node = FileNode | FolderNode | LinkNode

# What a crash keeps: of a file its bytes, of a folder the changes of names that arrived.
_KeptBytes = Callable[[FileNode], bytes]
_KeptNames = Callable[[FolderNode], list[NameChange]]


def whole_image(root: FolderNode) -> DiskImage:
    """The disk after everything was written out."""
    return _image(root, lambda file: bytes(file.data), lambda folder: folder.pending, live=True)


def crash_images(root: FolderNode) -> Iterator[DiskImage]:
    """Every kind of image that a crash now may leave, each once.

    Of the bytes: nothing unsynced kept; all kept; and, with all else kept, for each file nothing of it kept,
    each single write lost, its last write torn (after one byte, at every sector, before its last byte), its
    new tail filled with zeros. Each of these with, of the names: nothing unsynced kept; all kept; for each
    folder every number of first changes kept and each single change lost, with the other folders' changes all
    kept and all lost.
    """
    files, folders = _reachable(root)
    seen: set[DiskImage] = set()
    for names in _name_choices([folder for folder in folders if folder.pending]):
        for data in _byte_choices([file for file in files if file.pending]):
            image = _image(root, data, names, live=False)
            if image not in seen:
                seen.add(image)
                yield image


def _apply(data: bytearray, write: Write) -> None:
    missing = write.offset - len(data)
    if missing > 0:
        data.extend(bytes(missing))
    if write.data is None:
        del data[write.offset :]
    else:
        data[write.offset : write.offset + len(write.data)] = write.data


def _rename(names: dict[str, Node], change: NameChange) -> None:
    if change.drop is not None:
        names.pop(change.drop, None)
    if change.name is not None and change.node is not None:
        names[change.name] = change.node


def _replayed(file: FileNode, writes: list[Write]) -> bytes:
    data = bytearray(file.durable)
    for write in writes:
        _apply(data, write)
    return bytes(data)


def _byte_choices(changed: list[FileNode]) -> Iterator[_KeptBytes]:
    yield lambda file: file.durable
    yield lambda file: bytes(file.data)
    for file in changed:
        for data in _damaged(file):
            yield lambda other, file=file, data=data: data if other is file else bytes(other.data)


def _damaged(file: FileNode) -> Iterator[bytes]:
    yield file.durable
    for index in range(len(file.pending)):
        yield _replayed(file, file.pending[:index] + file.pending[index + 1 :])
    last = file.pending[-1]
    if last.data is not None:
        size = len(last.data)
        to_sector = -last.offset % SECTOR
        for cut in sorted({1, *range(to_sector, size, SECTOR), size - 1} - {0, size}):
            if 0 < cut < size:
                yield _replayed(file, [*file.pending[:-1], Write(last.offset, last.data[:cut])])
    if len(file.data) > len(file.durable):
        yield file.durable + bytes(len(file.data) - len(file.durable))


def _name_choices(changed: list[FolderNode]) -> Iterator[_KeptNames]:
    yield lambda folder: []
    yield lambda folder: folder.pending
    for folder in changed:
        pending = folder.pending
        kept = [pending[:count] for count in range(len(pending) + 1)]
        kept += [pending[:index] + pending[index + 1 :] for index in range(len(pending))]
        for changes in kept:
            yield lambda other, folder=folder, changes=changes: changes if other is folder else other.pending
            yield lambda other, folder=folder, changes=changes: changes if other is folder else []


def _reachable(root: FolderNode) -> tuple[list[FileNode], list[FolderNode]]:
    """Everything that a durable name or a live one leads to."""
    files: dict[int, FileNode] = {}
    folders: dict[int, FolderNode] = {}
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, FileNode):
            files[node.number] = node
        elif isinstance(node, FolderNode) and node.number not in folders:
            folders[node.number] = node
            waiting += [*node.durable.values(), *node.names.values()]
            waiting += [change.node for change in node.pending if change.node is not None]
    return [files[key] for key in sorted(files)], [folders[key] for key in sorted(folders)]


def _image(root: FolderNode, data: _KeptBytes, kept: _KeptNames, *, live: bool) -> DiskImage:
    _, folders = _reachable(root)
    arrived = {change.arrives for folder in folders for change in kept(folder)}
    synced = {change.arrives for folder in folders for change in folder.pending}
    nodes: list[ImageNode] = []

    def walk(folder: FolderNode, prefix: str) -> None:
        names = dict(folder.durable)
        for change in kept(folder):
            lost = change.leaves is not None and change.leaves in synced and change.leaves not in arrived
            if not lost:
                _rename(names, change)
        for name in sorted(names):
            node, path = names[name], f"{prefix}/{name}"
            if isinstance(node, FileNode):
                content = data(node)
                mode = node.mode if live or content != node.durable else node.durable_mode
                nodes.append(ImageNode(path, "file", content, mode))
            elif isinstance(node, LinkNode):
                nodes.append(ImageNode(path, "symlink", node.target.encode(), node.mode))
            else:
                nodes.append(ImageNode(path, "folder", b"", node.mode))
                walk(node, path)

    walk(root, "")
    return DiskImage(tuple(nodes))
