"""The inspector in a pseudo-terminal, watched from outside: what is on the screen, when, and at what cost."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from types import TracebackType

import pyte
from harness import MIB, environment

# What pyte does not know and would print: questions about the terminal, keyboard modes.
_UNKNOWN = re.compile(rb"\x1b\[[?>=<]?[0-9;]*\$?[pu]")
PAGE_DOWN = b"\x1b[6~"
HOME = b"\x1b[H"


class Terminal:
    """`devstate ROOT` on a screen of 120 x 40; a context manager that ends the process.

    `started` is the moment of the start (`time.perf_counter`); `written` counts the bytes that came.
    """

    def __init__(self, root: Path, home: Path, *, columns: int = 120, lines: int = 40) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.written = 0
        command = [sys.executable, "-m", "devstate_cli", str(root)]
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(command[0], command, environment(home))
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self._screen.display)

    def send(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def read(self, timeout: float) -> bool:
        """Take what has come within `timeout` seconds; False where nothing has."""
        ready, _, _ = select.select([self._fd], [], [], timeout)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError as error:
            raise RuntimeError(f"the inspector ended:\n{self.text}") from error
        self.written += len(data)
        self._stream.feed(_UNKNOWN.sub(b"", data))
        return True

    def wait_for(self, seen: Callable[[str], bool], timeout: float = 60) -> float:
        """The moment at which the screen first shows something."""
        until = time.perf_counter() + timeout
        while time.perf_counter() < until:
            came = self.read(0.5)
            now = time.perf_counter()
            if came and seen(self.text):
                return now
        raise RuntimeError(f"not on the screen after {timeout} s:\n{self.text}")

    def settle(self, quiet: float, *, first: float = 0.0, timeout: float = 30) -> None:
        """Read until nothing has come for `quiet` seconds; up to `first` seconds are granted to the beginning."""
        until = time.perf_counter() + timeout
        if first and not self.read(first):
            return
        while time.perf_counter() < until and self.read(quiet):
            pass

    def cpu(self) -> float:
        """Seconds of processor that the process has used, by its own clock in nanoseconds."""
        return time.clock_gettime(
            ~self.pid << 3 | 2
        )  # CPUCLOCK_SCHED of another process, see clock_getcpuclockid

    def memory(self) -> tuple[float, float]:
        """MiB resident: now, and at most so far."""
        fields = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            if ":" in line
        )
        now, most = (int(fields[name].split()[0]) * 1024 / MIB for name in ("VmRSS", "VmHWM"))
        return now, most
