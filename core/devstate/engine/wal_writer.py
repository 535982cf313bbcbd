"""The end of the log: one write for each transaction, rotation between transactions, and what to do when
the device refuses.

All methods run under the commit lock, `sync_through` and `sync` excepted. A segment that is full is synced
before its successor is made, and the successor's name before anything is written to it: a power cut that
kept the new one and lost the end of the old one would look like damage in the middle of the log.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NoReturn

from devstate.durable import OS, Files
from devstate.durable.files import retried

from .errors import DurabilityError
from .framing import frame_abort, make_tx_id
from .layout import segment_name, wal_folder
from .syncing import GroupSync

__all__ = ["DEFAULT_SEGMENT_BYTES", "WalWriter"]

DEFAULT_SEGMENT_BYTES: Final = 64 << 20
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class WalWriter:
    """Appends to the last segment. `end` is the LSN where the next transaction begins."""

    __slots__ = (
        "_before_first",
        "_fd",
        "_fdatasync",
        "_files",
        "_folder",
        "_path",
        "_pwrite",
        "_salt",
        "_sealed",
        "_segment_bytes",
        "_start",
        "broken",
        "end",
        "on_durable",
        "room",
        "syncing",
    )

    def __init__(
        self,
        root: str,
        *,
        start: int,
        end: int,
        salt: bytes,
        segment_bytes: int,
        before_first: Callable[[], None] | None = None,
        files: Files = OS,
    ) -> None:
        """Append at `end` in the segment that begins at `start`; it is made where it is missing.

        Raises DurabilityError.
        """
        self._files = files
        self._pwrite, self._fdatasync = files.pwrite, files.fdatasync
        self._folder = wal_folder(root)
        self._salt = salt
        self._segment_bytes = segment_bytes
        self._start = start
        self._sealed = False
        self.end = end
        self.broken: str | None = None
        # What must be gone from the disk before anything is appended (the mark of a clean close).
        self._before_first: Callable[[], None] | None = before_first
        # Up to which LSN `append` needs no `make_room` before it.
        self.room = 0
        self._path = os.path.join(self._folder, segment_name(start))
        self._fd = self._open(self._path)
        self.syncing = GroupSync(end, self._sync_now)
        # Told how far the log is on the device, by each thread that waited for it.
        self.on_durable: Callable[[int], None] | None = None

    @property
    def segment_start(self) -> int:
        """The LSN at which the segment begins that is written to."""
        return self._start

    def close(self) -> None:
        """Close the segment; what is not synced stays with the operating system."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            self.syncing.retire(lambda: self._files.close(fd))

    def forked(self) -> None:
        """In a forked child, where the thread that was syncing is not."""
        self.syncing = GroupSync(self.end, self._sync_now)

    def make_room(self, size: int) -> None:
        """Go on to a new segment where the present one would grow over its size. Raises DurabilityError."""
        if self._before_first is not None:
            try:
                self._before_first()
            except OSError as error:
                raise DurabilityError(
                    f"cannot remove the mark of a clean close: {error.strerror or error}",
                    path=self._folder,
                    remedy="Nothing was written. See to the permissions of the folder, then try again.",
                ) from None
            self._before_first = None
        used = self.end - self._start
        if used and (self._sealed or used + size >= self._segment_bytes):
            self.rotate()
        self.room = self._start + self._segment_bytes

    def rotate(self) -> None:
        """Seal the segment and begin the next one at `end`. Raises DurabilityError; then nothing has changed,
        unless a sync failed."""
        self.syncing.through(self.end)
        path = os.path.join(self._folder, segment_name(self.end))
        # From here on the next segment may be there: what would still go into this one would stand in two.
        self._sealed, self.room = True, 0
        fd = self._open(path)
        old, self._fd, self._path, self._start = self._fd, fd, path, self.end
        self._sealed = False
        self.syncing.retire(lambda: self._files.close(old))

    def append(self, data: bytes) -> None:
        """Write a whole transaction at `end`, which moves on. Raises DurabilityError: nothing was written then,
        or `broken` says why nobody can tell."""
        offset = self.end - self._start
        try:
            try:
                written = self._pwrite(self._fd, data, offset)
            except InterruptedError:
                written = 0
            if written != len(data):
                self._write_rest(data, written, offset)
        except OSError as error:
            self._undo(error)
        self.end += len(data)

    def settle(self, lsn: int, size: int, cv: int) -> bool:
        """After an interrupt in or behind `append`: whether the transaction stands in the log whole.

        Where it does not, its beginning is cut off. Raises DurabilityError where that fails.
        """
        if self._files.fstat(self._fd).st_size >= lsn + size - self._start:
            self.end = lsn + size
            return True
        self.end = lsn
        try:
            retried(self._files.ftruncate, self._fd, lsn - self._start)
        except OSError as error:
            self._broke(error)
        return False

    def move(self, start: int, end: int) -> None:
        """Go on where other processes got to, and cut off what one of them left unfinished. Raises DurabilityError.

        Called with the lock of the database held: nobody appends.
        """
        if start != self._start:
            path = os.path.join(self._folder, segment_name(start))
            fd = self._open(path)
            old, self._fd, self._path, self._start = self._fd, fd, path, start
            self._sealed, self.room = False, 0
            # The others synced what they sealed before they went on.
            self.syncing.retire(lambda: self._files.close(old))
        self.end = end
        try:
            if self._files.fstat(self._fd).st_size > end - start:
                retried(self._files.ftruncate, self._fd, end - start)
        except OSError as error:
            self._broke(error)

    def sync_through(self, lsn: int) -> None:
        """Return when everything before `lsn` is on the device; many callers share one sync.

        Raises DurabilityError: then nobody knows what is, and the log takes nothing more.
        """
        self.syncing.through(lsn)
        if self.on_durable is not None:
            self.on_durable(self.syncing.synced)

    def _sync_now(self) -> int:
        # The end before the descriptor: should the log rotate in between, the old segment was synced by that.
        end = self.end
        try:
            try:
                self._fdatasync(self._fd)
            except InterruptedError:
                retried(self._fdatasync, self._fd)
        except OSError as error:
            self.broken = f"a sync of {self._path} failed: {error.strerror or error}"
            raise DurabilityError(
                self.broken,
                committed=None,
                path=self._path,
                remedy="The kernel may have dropped what it could not write. Open the database again to recover.",
            ) from None
        return end

    def _open(self, path: str) -> int:
        files = self._files
        try:
            fd = retried(files.open, path, _FLAGS, 0o644)
            try:
                files.fsync_dir(self._folder)
            except OSError:
                files.close(fd)
                raise
        except OSError as error:
            raise DurabilityError(
                f"cannot make the segment {path}: {error.strerror or error}",
                path=path,
                remedy="Make room and see to the permissions of the folder, then try again.",
            ) from None
        return fd

    def _write_rest(self, data: bytes, written: int, offset: int) -> None:
        view = memoryview(data)
        while written < len(data):
            count = retried(self._pwrite, self._fd, view[written:], offset + written)
            if count == 0:
                raise OSError(5, "the write made no progress")
            written += count

    def _undo(self, error: OSError) -> NoReturn:
        """After a failed write: take away its beginning, and say that nothing was written."""
        try:
            retried(self._files.ftruncate, self._fd, self.end - self._start)
        except OSError as second:
            self._abort(error)
            self._broke(second)
        raise DurabilityError(
            f"cannot write the log: {error.strerror or error}",
            path=self._path,
            position=f"LSN {self.end}",
            remedy="Nothing of the transaction was kept. Make room on the device and try again.",
        ) from None

    def _abort(self, error: OSError) -> None:
        """Leave a note behind the beginning of a transaction that could not be taken away; best effort."""
        files = self._files
        try:
            size = files.fstat(self._fd).st_size
            note = frame_abort(make_tx_id(0, self._salt), error.strerror or str(error))
            retried(self._pwrite, self._fd, note, size)
        except OSError:
            return

    def _broke(self, error: OSError) -> NoReturn:
        self.broken = f"the beginning of a failed write stays in {self._path}: {error.strerror or error}"
        raise DurabilityError(
            self.broken,
            path=self._path,
            position=f"LSN {self.end}",
            remedy="The database takes no more writes. Open it again to recover: nothing committed is lost.",
        ) from None
