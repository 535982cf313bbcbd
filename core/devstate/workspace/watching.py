"""A stream of readings: a first one, then one for each change on disk.

The operating system tells that something happened; what happened is found by looking again. An atomic
replace comes as a removal and a creation, a burst of writes as one event, and an event may come for
nothing: a reading is sent when its content differs from the last one. The watch is set up before the first
look, and after each look the files are compared with what they were before it, so that the last change of a
burst is never missed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, Protocol

from devstate.chain import VerificationCancelled
from devstate.durable import OS, Files, Identity, identity_of
from devstate.errors import DevStateError

from .observing import Observation, Signature, signature
from .places import FOLDER, HISTORY, STATE
from .reading import Reading
from .store import locate_store, watched_folders

__all__ = ["watch"]

_DEBOUNCE_MS: Final = 100
_STEP_MS: Final = 20
# Some file systems tell of no changes made elsewhere: this often a few `stat` calls look for them.
_RECHECK_MS = 5000
_POLL_MS: Final = 300
_ARTIFACTS: Final = 2000

_DOCUMENTS = tuple(os.path.basename(path) for path in (STATE, HISTORY))


class Stop(Protocol):
    """What ends a watch: `threading.Event`, or anything else that can be asked."""

    def is_set(self) -> bool: ...


class _Stop:
    """Set when the caller's event is, or when the stream is no longer read."""

    def __init__(self, outer: Stop | None) -> None:
        self._outer = outer
        self._own = threading.Event()

    def set(self) -> None:
        self._own.set()

    def is_set(self) -> bool:
        return self._own.is_set() or (self._outer is not None and self._outer.is_set())


class _Ears:
    """The watch on the folders as they are now; set up anew when a folder came, went or was replaced."""

    def __init__(self, root: str, db: str | None, files: Files) -> None:
        self._root = root
        self._db = db
        self._files = files
        self._places: tuple[tuple[str, int, int], ...] = ()
        self._notify: Any = None

    def listen(self) -> bool:
        """Watch what is there now; True where that is something else than before."""
        places = self._find_places()
        if self._notify is not None and places == self._places:
            return False
        different = places != self._places
        self._places = places
        if self._notify is not None:
            self._notify.close()
        self._notify = _open_notify([path for path, _, _ in places])
        return different

    def wait(self, stop: _Stop, timeout_ms: int) -> frozenset[str] | None:
        """Paths that something happened to, none after a while without events, None when stopped.

        A burst is waited for: until nothing happened for a step, or the debounce time is over.
        """
        if self._notify is None:  # one of the folders went just now: the next `listen` tries again
            return None if _slept(stop, min(timeout_ms, _POLL_MS) / 1000) else frozenset()
        try:
            seen = self._notify.watch(_DEBOUNCE_MS, _STEP_MS, timeout_ms, stop)
        except RuntimeError:  # the watcher broke down
            self._notify = None
            return frozenset()
        if isinstance(seen, str):
            return None if seen != "timeout" else frozenset()
        return frozenset(path for _, path in seen)

    def _find_places(self) -> tuple[tuple[str, int, int], ...]:
        """The folders to watch, each with its device and inode: a folder of the same name may be another."""
        root = self._root
        while _identity(os.path.join(root, "."), self._files) is None and os.path.dirname(root) != root:
            root = os.path.dirname(root)
        position = locate_store(self._root, self._db, files=self._files)
        wanted = [root, os.path.join(self._root, FOLDER), *watched_folders(position.path, files=self._files)]
        places: list[tuple[str, int, int]] = []
        for path in wanted:
            inside = os.path.join(path, ".")  # the folder itself, where the path is a link to one
            identity = _identity(inside, self._files)
            if identity is not None:
                places.append((path, identity.dev, identity.ino))
        return tuple(places)


async def watch(
    look: Callable[[Callable[[], bool]], Observation],
    *,
    root: str,
    db: str | None = None,
    stop: Stop | None = None,
    files: Files = OS,
) -> AsyncGenerator[Reading]:
    """Send what `look` sees first, and after each change that makes a difference, until `stop` is set.

    `look` gets a function that says whether to give up; it and the waiting run in threads, one at a time.
    """
    halt = _Stop(stop)
    ears = _Ears(root, db, files)
    last: Reading | None = None
    seen: Signature = ()
    try:
        await asyncio.to_thread(ears.listen)
        while not halt.is_set():
            earliest = time.monotonic() + _DEBOUNCE_MS / 1000
            observation = await asyncio.to_thread(_look, look, halt)
            if observation is None:
                return
            seen = observation.signature
            reading = observation.reading
            if last is not None and _same(last, reading):
                reading.close()
            else:
                last = reading
                yield reading
            changed = await asyncio.to_thread(_changed, ears, seen, last, root, db, halt, files)
            # A file that is written all the time is looked at ten times a second, no more.
            if not changed or await asyncio.to_thread(_slept, halt, earliest - time.monotonic()):
                return
    finally:
        halt.set()


def _look(look: Callable[[Callable[[], bool]], Observation], halt: _Stop) -> Observation | None:
    try:
        return look(halt.is_set)
    except VerificationCancelled:
        return None


def _changed(
    ears: _Ears, seen: Signature, last: Reading, root: str, db: str | None, halt: _Stop, files: Files
) -> bool:
    """Wait until the files may differ from those that `seen` was taken of; False when stopped."""
    listed = _artifact_times(last, files)
    while True:
        if ears.listen() or signature(root, db=db, files=files) != seen:
            return True
        paths = ears.wait(halt, _RECHECK_MS)
        if paths is None:
            return False
        if any(_is_document(path) for path in paths):
            return True  # also where the identity is the same: two writes fit in one tick of its times
        if not paths and _artifact_times(last, files) != listed:
            return True


def _is_document(path: str) -> bool:
    folder, name = os.path.split(path)
    return name in _DOCUMENTS and os.path.basename(folder) == FOLDER


def _same(last: Reading, now: Reading) -> bool:
    """Whether two readings say the same, apart from when they were made."""
    return _content(last) == _content(now)


def _content(reading: Reading) -> tuple[object, ...]:
    state, history = reading.state, reading.history
    return (
        None if state is None else state.sha256,
        None if history is None else history.sha256,
        reading.artifacts,
        reading.binding,
        reading.store,
        reading.leftovers,
        reading.findings,
    )


def _artifact_times(reading: Reading, files: Files) -> tuple[Identity | None, ...]:
    """The identities of the listed artifacts, as far as they are few enough to look at again and again."""
    if len(reading.artifacts) > _ARTIFACTS:
        return ()
    return tuple(_identity(os.path.join(reading.root, item.path), files) for item in reading.artifacts)


def _identity(path: str, files: Files) -> Identity | None:
    try:
        return identity_of(path, files=files)
    except DevStateError:
        return None
    except ValueError:  # a path that no system call takes
        return None


def _open_notify(paths: list[str]) -> Any:
    """A watch on the folders themselves, without those below; None where one of them is gone.

    Where the system refuses to watch (too many watches, a file system without events), it looks by itself,
    several times a second.
    """
    # The generator of the public interface begins to watch at its first step, which then waits: too late to
    # miss nothing. This class below it is documented, and begins when it is made.
    from watchfiles._rust_notify import RustNotify  # pyright: ignore[reportPrivateUsage]

    for polling in (False, True):
        try:
            return RustNotify(paths, False, polling, _POLL_MS, False, True)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError):  # the crate's own error is a RuntimeError
            continue
    return None


def _slept(stop: _Stop, seconds: float) -> bool:
    """Wait, and say whether it was ended by the stop."""
    done = threading.Event()
    left = seconds
    while left > 0 and not stop.is_set():
        done.wait(min(left, 0.02))
        left -= 0.02
    return stop.is_set()
