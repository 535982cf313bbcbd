"""Where the bytes of a history come from: an open file, or bytes at hand."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from devstate.durable import OS, Files, StableFile

from .limits import Limits

__all__ = ["BytesSource", "FileSource", "Source", "open_source"]


class Source(Protocol):
    """Random access to `size` bytes that stay the same; `check_unchanged` raises ChangedDuringRead."""

    @property
    def size(self) -> int: ...

    def pread(self, size: int, offset: int) -> bytes: ...

    def check_unchanged(self) -> None: ...

    def close(self) -> None: ...


class BytesSource:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, size: int, offset: int) -> bytes:
        return self._data[offset : offset + size]

    def check_unchanged(self) -> None:
        return

    def close(self) -> None:
        return


class FileSource:
    """A history file held open; a context manager.

    The descriptor outlives an atomic replace of the path, so a reading keeps showing the bytes it judged.
    """

    def __init__(self, path: str, *, limits: Limits, files: Files = OS) -> None:
        self._file = StableFile(path, limit=limits.file_bytes, files=files)
        self.size = self._file.size

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pread(self, size: int, offset: int) -> bytes:
        return self._file.pread(size, offset)

    def check_unchanged(self) -> None:
        self._file.check_unchanged()

    def close(self) -> None:
        self._file.close()


def open_source(path: str, *, limits: Limits | None = None, files: Files = OS) -> FileSource:
    """Open a history file. Raises InputMissing, InputUnreadable and LimitExceeded."""
    return FileSource(path, limits=limits or Limits(), files=files)
