"""A program in a pseudo-terminal, and what a person would see of it: for black-box scenarios of the inspector."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pexpect
import pyte

_KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "pagedown": "\x1b[6~",
    "pageup": "\x1b[5~",
    "home": "\x1b[H",
    "end": "\x1b[F",
}
# What pyte does not know and would print: questions about the terminal, keyboard modes.
_UNKNOWN = re.compile(rb"\x1b\[[?>=<]?[0-9;]*\$?[pu]")


class Session:
    """`devstate ARGUMENTS` in a terminal of `columns` x `lines`; a context manager that ends what it began."""

    def __init__(
        self,
        *arguments: str,
        home: Path,
        columns: int = 80,
        lines: int = 24,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        inherited = {name: value for name in ("PATH", "LANG") if (value := os.environ.get(name))}
        found = [importlib.util.find_spec(name) for name in ("devstate", "devstate_tui", "devstate_cli")]
        paths = [str(Path(spec.origin).parent.parent) for spec in found if spec and spec.origin]
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._pending = b""
        self.written = 0
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "devstate_cli", *arguments],
            dimensions=(lines, columns),
            cwd=str(cwd or home),
            timeout=30,
            env={
                **inherited,
                "HOME": str(home),
                "XDG_CONFIG_HOME": str(home / "config"),
                "XDG_DATA_HOME": str(home / "data"),
                "TERM": "xterm-256color",
                "PYTHONPATH": os.pathsep.join(paths),
                **(environ or {}),
            },
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Waited for without a limit: on a busy machine the end takes longer than the tenth of a second of `close`.
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close()

    # -- the person ----------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Press keys by name, or type texts."""
        for key in keys:
            self.child.send(_KEYS.get(key, key))
            self._read(0.05)
            if key == "escape":  # what follows too soon would be taken for an Alt combination
                self.settle(0.25)

    def click(self, column: int, line: int) -> None:
        """Click the left button on a cell, counted from 0."""
        for end in "Mm":
            self.child.send(f"\x1b[<0;{column + 1};{line + 1}{end}")
        self._read(0.05)

    # -- the screen ----------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The lines on screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """All of the screen."""
        return "\n".join(self.lines)

    def columns_of(self, glyph: str) -> list[int]:
        """In which column, counted in cells from 0, the glyph stands first on each line; -1 where it does not."""
        width = self._screen.columns
        buffer = self._screen.buffer
        return [
            next((x for x in range(width) if buffer[y][x].data == glyph), -1)
            for y in range(self._screen.lines)
        ]

    def wait_for(self, *texts: str, seconds: float = 30) -> None:
        """Wait until all of these are on the screen; fail with the screen if they never are."""
        end = time.monotonic() + seconds
        while not all(text in self.text for text in texts):
            if time.monotonic() > end or not (self._read(0.05) or self.child.isalive()):
                missing = [text for text in texts if text not in self.text]
                raise AssertionError(f"{missing} never came; on the screen:\n{self.text}")

    def wait_until_gone(self, text: str, seconds: float = 30) -> None:
        """Wait until this is on the screen no more."""
        end = time.monotonic() + seconds
        while text in self.text:
            self._read(0.05)
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} stays; on the screen:\n{self.text}")

    def colours(self) -> set[str]:
        """The colours of all that is written on the screen, `default` being the terminal's own."""
        cells = (cell for line in self._screen.buffer.values() for cell in line.values())
        return {colour for cell in cells for colour in (cell.fg, cell.bg)}

    def settle(self, seconds: float = 0.5) -> None:
        """Read until the program has been silent for this long."""
        while self._read(seconds):
            pass

    def end(self) -> int:
        """Quit with `q`; the exit status."""
        self.press("q")
        self.child.expect(pexpect.EOF)
        self.child.wait()
        status = self.child.exitstatus
        return -1 if status is None else status

    def _read(self, seconds: float) -> bool:
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.written += len(data)
        data = self._pending + data
        # A sequence may be cut in two by the end of a read.
        cut = data.rfind(b"\x1b", -32)
        whole = data if cut < 0 or re.search(rb"[@-Z\\^-~]\Z", data[cut + 2 :]) else data[:cut]
        self._pending = data[len(whole) :]
        self._stream.feed(_UNKNOWN.sub(b"", whole))
        return True
