"""Running another command in the place of this one: its terminal, its signals, its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Ended", "Signals", "run_child"]

NOT_FOUND = 127
NOT_EXECUTABLE = 126

_INTERVAL = 0.05
# The first two come from a keyboard to every process in the foreground, the child among them.
_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_PASSED_ON = (*_KEYBOARD, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ended:
    """How a command ended, with the status that a shell would give it. `problem` says why it did not start."""

    status: int
    problem: str | None = None
    remedy: str = ""


class Signals:
    """While it is open, signals that would end this process are the child's; a context manager.

    What comes before there is a child is kept for it. Signals that are ignored stay ignored.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._kept: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Signals:
        for number in _PASSED_ON:
            now = signal.getsignal(number)
            if now is not None and now != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def give_to(self, child: subprocess.Popen[bytes]) -> None:
        """From now on they go to this process."""
        self._child = child
        for number in self._kept:
            _send(child, number)

    def _came(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._kept.append(number)
        elif number not in _KEYBOARD or not _in_foreground():
            _send(self._child, number)


def run_child(
    argv: Sequence[str],
    signals: Signals,
    *,
    environ: Mapping[str, str],
    stdout: int | None = None,
    meanwhile: Callable[[], object],
) -> Ended:
    """Run a command to its end, on this process's standard streams (its output to `stdout`, where given).

    `meanwhile` is called every 50 ms. 126 and 127 are the statuses of what could not be started.
    """
    sys.stdout.flush()
    try:
        child = subprocess.Popen(list(argv), env=dict(environ), stdout=stdout)
    except OSError as error:
        return _not_started(argv[0], error)
    signals.give_to(child)
    ended = threading.Event()

    def wait() -> None:
        child.wait()
        ended.set()

    # A thread that sleeps in the kernel: the end is known at once, and nothing is polled for it.
    threading.Thread(target=wait, name="devstate-child", daemon=True).start()
    while not ended.wait(_INTERVAL):
        meanwhile()
    status = child.returncode
    return Ended(status if status >= 0 else 128 - status)


def _not_started(program: str, error: OSError) -> Ended:
    if isinstance(error, FileNotFoundError):
        if os.path.exists(program) and "/" in program:
            return Ended(
                NOT_FOUND,
                f"cannot run {program}: the interpreter that its first line names does not exist",
                "Correct the first line of the script.",
            )
        return Ended(
            NOT_FOUND,
            f"there is no command {program!r}",
            "Check its spelling and PATH. What a shell knows (aliases, pipes) runs with `-- sh -c '...'`.",
        )
    why = error.strerror or str(error)
    return Ended(
        NOT_EXECUTABLE,
        f"cannot run {program}: {why}",
        "Name a program that may be executed, or the interpreter of the script before it.",
    )


def _send(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):  # it has just ended, or runs as another user now
        child.send_signal(number)


def _in_foreground() -> bool:
    """Whether the keyboard's signals reach this process, and so the child by themselves."""
    for fd in (0, 1, 2):
        with suppress(OSError):
            if os.tcgetpgrp(fd) == os.getpgrp():
                return True
    return False
