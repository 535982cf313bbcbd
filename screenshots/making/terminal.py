"""What commands print on a terminal, as a picture: their own coloured output, taken from a pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from .stage import PROJECT, StageFailure

__all__ = ["printed", "terminal_svg"]


def printed(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], width: int) -> str:
    """What `devstate` prints on a terminal so many columns wide, escape sequences included."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 60, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "devstate_cli", *arguments],
        cwd=cwd,
        env=dict(env),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        close_fds=True,
    )
    os.close(inner)
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(outer, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    process.wait()
    os.close(outer)
    return b"".join(chunks).decode().replace("\r\n", "\n")


def terminal_svg(text: str, width: int, height: int) -> str:
    """A terminal of so many columns and rows that shows this text, as Rich makes it.

    Raises StageFailure where it needs more rows.
    """
    lines = text.rstrip("\n").split("\n")
    if len(lines) > height:
        raise StageFailure(f"{len(lines)} lines do not fit into {height} rows")
    lines += [""] * (height - len(lines))
    console = Console(
        width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor", record=True
    )
    console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)
    return console.export_svg(title=f"~/{PROJECT}")
