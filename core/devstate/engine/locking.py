"""Who has a database open: the kernel's locks on `LOCK` and `WRITERS`.

An exclusive opener holds both for as long as it is open. Shared openers hold `WRITERS` shared for as long, and
`LOCK` for each commit. Both end with their process, however that dies. Readers take neither.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

from devstate.durable.files import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, OS, Files, retried
from devstate.errors import StorageFault

from .errors import DatabaseLocked
from .layout import LOCK, WRITERS

__all__ = ["DatabaseLocks"]

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


_PATIENCE = 1.0


class DatabaseLocks:
    """The locks of one open database; `close` gives them back."""

    def __init__(self, root: str, *, shared: bool, wait: float = 0.0, files: Files = OS) -> None:
        """Take them, waiting up to `wait` seconds. Raises DatabaseLocked, StorageFault.

        Shared openers wait a moment in any case: the last one to close excludes the others for an instant.
        """
        self._files = files
        self.root = root
        self.shared = shared
        self.lock_fd = self.writers_fd = -1
        try:
            self.writers_fd = retried(files.open, os.path.join(root, WRITERS), _FLAGS, 0o644)
            self.lock_fd = retried(files.open, os.path.join(root, LOCK), _FLAGS, 0o644)
            self._take(
                self.writers_fd, LOCK_SH if shared else LOCK_EX, max(wait, _PATIENCE) if shared else wait
            )
            if not shared:
                self._take(self.lock_fd, LOCK_EX, wait)
                self._sign()
        except BlockingIOError:
            pid = self._holder()
            self.close()
            raise DatabaseLocked(
                f"the database {root} is open "
                + ("in exclusive mode" if shared else "elsewhere")
                + (f" by process {pid}" if pid is not None else " by another process"),
                pid=pid,
                path=root,
                remedy="Wait for it to close"
                + (", or ask it to open in shared mode." if shared else ", or open it shared, or read-only."),
            ) from None
        except OSError as error:
            self.close()
            raise StorageFault(
                f"cannot lock the database {root}: {error.strerror or error}",
                path=root,
                remedy="See to the permissions of the folder.",
            ) from None
        except BaseException:  # an interrupt while this waited
            self.close()
            raise

    def acquire(self) -> None:
        """Exclude the other shared openers; waits for them. Raises StorageFault."""
        try:
            retried(self._files.flock, self.lock_fd, LOCK_EX)
        except OSError as error:
            raise StorageFault(
                f"cannot lock the database {self.root}: {error.strerror or error}",
                path=self.root,
                remedy="See to the device, then try again. Nothing was written.",
            ) from None

    def release(self) -> None:
        """Let the others go on."""
        with suppress(OSError):  # what was done is done; closing gives it back in any case
            retried(self._files.flock, self.lock_fd, LOCK_UN)

    def last(self) -> bool:
        """Whether nobody else has the database open; if so nobody can open it until `close`."""
        try:
            self._files.flock(self.writers_fd, LOCK_EX | LOCK_NB)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the locks back; more calls do nothing."""
        for fd in (self.lock_fd, self.writers_fd):
            if fd >= 0:
                self._files.close(fd)
        self.lock_fd = self.writers_fd = -1

    def _take(self, fd: int, operation: int, wait: float) -> None:
        """Lock within `wait` seconds. Raises BlockingIOError."""
        deadline = time.monotonic() + wait
        while True:
            try:
                retried(self._files.flock, fd, operation | LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.002)

    def _sign(self) -> None:
        """The text is for people; the lock is the kernel's."""
        text = f"{os.getpid()}\n".encode()
        with suppress(OSError):  # a full device is no reason not to open what is there
            retried(self._files.ftruncate, self.lock_fd, 0)
            retried(self._files.pwrite, self.lock_fd, text, 0)

    def _holder(self) -> int | None:
        try:
            text = self._files.pread(self.lock_fd, 64, 0) if self.lock_fd >= 0 else b""
        except OSError:
            return None
        found = re.match(rb"([0-9]{1,10})\b", text)
        # What a dead process left names nobody; who holds the lock now did not sign.
        return int(found[1]) if found and self._files.process_alive(int(found[1])) else None
