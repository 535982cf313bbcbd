"""The lock of a workspace: one writer at a time, and a name for who that is.

The lock is the kernel's (`flock`) on a lock file; it ends with the process that holds it, however that dies.
The text of the file names the holder for people. It is information, never the lock: text without the
kernel's lock is stale, and the kernel's lock counts also past the time that the text promises.
"""

from __future__ import annotations

import fcntl
import os
import stat as modes
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta

import msgspec

from devstate.clock import SYSTEM, Clock, rfc3339
from devstate.errors import StateLockHeld, StorageFault

from .atomic import storage_fault, write_all
from .files import OS, Files, retried

__all__ = ["Holder", "LockInfo", "current_holder", "hold_lock", "inspect_lock"]

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TEXT_LIMIT = 4096
# An `inspect_lock` elsewhere holds the lock for an instant; even who does not want to wait tries this long.
_PATIENCE = 0.05


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock. `command` is for people (`history append`), without its arguments."""

    pid: int
    host: str
    user: str
    command: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}, `{self.command}`"


class LockInfo(msgspec.Struct, frozen=True):
    """What stands in a lock file, and whether the kernel holds the lock.

    `since` and `until` are RFC 3339 texts. `holder` is None where the file names nobody. `alive` says that
    the holder's process number is in use on this host. `stale` text names a holder that holds nothing.
    """

    held: bool
    holder: Holder | None
    since: str | None
    until: str | None
    alive: bool

    @property
    def stale(self) -> bool:
        """Whether the file names a holder although nobody holds the lock (its process died)."""
        return not self.held and self.holder is not None


class _Text(msgspec.Struct, frozen=True):
    """The JSON text of a lock file."""

    holder: Holder
    since: str
    until: str | None = None


def current_holder(command: str) -> Holder:
    """This process as a holder: its number, host and user name."""
    import pwd

    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        user = str(os.getuid())
    return Holder(os.getpid(), os.uname().nodename, user, command)


@contextmanager
def hold_lock(
    path: str | os.PathLike[str],
    *,
    holder: Holder,
    wait: float = 10.0,
    ttl: float | None = None,
    clock: Clock = SYSTEM,
    files: Files = OS,
) -> Generator[None]:
    """Hold the lock for a block; wait up to `wait` seconds for it.

    `ttl` (seconds) tells others how long this will take at most. The lock file stays after the block, empty.
    It excludes threads as well as processes. Raises StateLockHeld (who, since, until), StorageFault.
    """
    name = os.fspath(path)
    fd = _acquire(name, wait, files)
    owner = os.getpid()
    _HELD[fd] = files
    try:
        _sign(fd, holder, ttl, clock, name, files)
        yield
    finally:
        if os.getpid() == owner:  # a forked child has closed its copy, see _forget_in_child
            _HELD.pop(fd, None)
            with suppress(OSError):  # text that stays is stale by definition
                files.ftruncate(fd, 0)
            files.close(fd)


def inspect_lock(path: str | os.PathLike[str], *, files: Files = OS) -> LockInfo | None:
    """Who holds the lock, without taking it; None where there is no lock file. Nothing is changed.

    Raises StorageFault where the file cannot be read.
    """
    name = os.fspath(path)
    try:
        fd = retried(files.open, name, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_fault("read the lock", error, name) from None
    try:
        _require_regular(fd, name, files)
        try:
            # Shared, so that two inspections do not see each other; given back with the descriptor.
            files.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held = False
        except BlockingIOError:
            held = True
        text = _read_text(fd, files)
    except OSError as error:
        raise storage_fault("read the lock", error, name) from None
    finally:
        files.close(fd)
    if text is None:
        return LockInfo(held, None, None, None, alive=False)
    here = text.holder.host == os.uname().nodename
    alive = here and files.process_alive(text.holder.pid)
    return LockInfo(held, text.holder, text.since, text.until, alive)


def _acquire(name: str, wait: float, files: Files) -> int:
    """A descriptor of the lock file, with the exclusive lock on it."""
    deadline = time.monotonic() + max(wait, _PATIENCE)
    pause = 0.005
    while True:
        try:
            fd = retried(files.open, name, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
        except OSError as error:
            raise storage_fault("lock", error, name) from None
        text = None
        kept = False
        try:
            _require_regular(fd, name, files)
            files.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Where somebody removed the file in between, this lock would exclude nobody.
            kept = _is_current(fd, name, files)
        except (BlockingIOError, InterruptedError):
            text = _read_text(fd, files)
        except OSError as error:
            raise storage_fault("lock", error, name) from None
        finally:
            if not kept:
                files.close(fd)
        if kept:
            return fd
        left = deadline - time.monotonic()
        if left <= 0:
            raise _held_by(text, name)
        time.sleep(min(pause, left))
        pause = min(pause * 2, 0.1)


def _sign(fd: int, holder: Holder, ttl: float | None, clock: Clock, name: str, files: Files) -> None:
    """Write who holds the lock into the file; not synced, since a lock does not outlive the system."""
    now = clock.now()
    until = None if ttl is None else rfc3339(now + timedelta(seconds=ttl))
    try:
        files.ftruncate(fd, 0)
        write_all(fd, msgspec.json.encode(_Text(holder, rfc3339(now), until)) + b"\n", files)
    except OSError as error:
        raise storage_fault("sign the lock", error, name) from None


def _read_text(fd: int, files: Files) -> _Text | None:
    """What the file says, None where that is nothing or not ours."""
    try:
        return msgspec.json.decode(retried(files.pread, fd, _TEXT_LIMIT, 0), type=_Text)
    except (OSError, msgspec.DecodeError, ValueError):
        return None


def _is_current(fd: int, name: str, files: Files) -> bool:
    mine = files.fstat(fd)
    try:
        there = files.stat(name, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _require_regular(fd: int, name: str, files: Files) -> None:
    if not modes.S_ISREG(files.fstat(fd).st_mode):
        raise StorageFault(
            f"{name} is not a regular file and cannot serve as a lock",
            path=name,
            remedy="Move it away; the next command makes a new lock file.",
        )


def _held_by(text: _Text | None, name: str) -> StateLockHeld:
    who = "a process that did not leave its name" if text is None else str(text.holder)
    since = "unknown" if text is None else text.since
    until = None if text is None else text.until
    tail = "" if until is None else f", which said it would need it until {until}"
    return StateLockHeld(
        f"the lock {name} is held by {who} since {since}{tail}",
        holder=who,
        since=since,
        until=until,
        path=name,
        remedy="Wait for it to end, give a longer `--wait`, or end that process: its lock ends with it.",
    )


_HELD: dict[int, Files] = {}


def _forget_in_child() -> None:
    """A forked child shares the descriptor: would it keep that, the lock would outlive the holder."""
    while _HELD:
        fd, files = _HELD.popitem()
        with suppress(OSError):
            files.close(fd)


os.register_at_fork(after_in_child=_forget_in_child)
