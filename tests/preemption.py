"""Threads that are stopped, or interrupted, at a chosen line of chosen modules.

halted = Halted(work, at=17, files=FILES)      # a thread that does `work` is about to do its 17th line in FILES
halted.where                                   # "wal_writer.py:131"; "" where `work` has fewer lines
...                                            # whatever may come between
halted.go_on()

where = interrupted(work, at=17, files=FILES)  # KeyboardInterrupt comes in this thread, before that line
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

__all__ = ["PATIENCE", "Halted", "begun", "files_of", "interrupted", "lines_of"]

PATIENCE = 30.0
"""Seconds after which a thread that does not go on counts as stuck. Nothing waits so long where all is well."""


def files_of(*modules: ModuleType) -> frozenset[str]:
    """The files whose lines count."""
    return frozenset(str(module.__file__) for module in modules)


class _Lines:
    """Counts the lines of some files that the thread comes to, and calls `reached` before the one at `at`."""

    def __init__(self, at: int, files: frozenset[str], reached: Callable[[str], None]) -> None:
        self.passed = 0
        self.first: dict[str, int] = {}  # each line that there is, and when it was first come to
        self._at = at
        self._files = files
        self._reached = reached

    def follow(self, work: Callable[[], None]) -> None:
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            work()
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.passed += 1
            where = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
            self.first.setdefault(where, self.passed)
            if self.passed == self._at:
                self._reached(where)
        return self._line


def lines_of(work: Callable[[], None], files: frozenset[str]) -> tuple[int, dict[str, int]]:
    """How many lines of these files `work` comes to in this thread; and, for each of them, when for the first time."""
    lines = _Lines(0, files, lambda where: None)
    lines.follow(work)
    return lines.passed, lines.first


def interrupted(work: Callable[[], None], *, at: int, files: frozenset[str]) -> str:
    """Do `work`, and raise KeyboardInterrupt before its line `at`; where that was, "" where it has fewer lines.

    What `work` raises otherwise, or makes of the interrupt, comes through.
    """
    found = ""

    def reached(where: str) -> None:
        nonlocal found
        found = where
        raise KeyboardInterrupt

    try:
        _Lines(at, files, reached).follow(work)
    except KeyboardInterrupt:
        assert found
    return found


def begun(work: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that does it, and where what it raises will be."""
    raised: list[BaseException] = []

    def do() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread, raised


class Halted:
    """A thread that stands before its line `at`; or that is done, where it has fewer."""

    def __init__(self, work: Callable[[], None], *, at: int, files: frozenset[str]) -> None:
        self.where = ""
        self._arrived = threading.Event()
        self._leave = threading.Event()
        lines = _Lines(at, files, self._stand)

        def do() -> None:
            try:
                lines.follow(work)
            finally:
                self._arrived.set()

        self._thread, self._raised = begun(do)
        assert self._arrived.wait(PATIENCE), "it is stuck by itself"

    def _stand(self, where: str) -> None:
        self.where = where
        self._arrived.set()
        assert self._leave.wait(PATIENCE), "nobody let it go on"

    def go_on(self) -> None:
        """Let it go on to its end; raises what it raised."""
        self._leave.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"stuck behind {self.where}"
        for error in self._raised:
            raise error
