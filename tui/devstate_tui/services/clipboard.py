"""Giving a text to the clipboard, and saying how: a program that confirms it, or the terminal's OSC 52."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

__all__ = ["copy_text", "native_program"]

_TIMEOUT = 3.0  # seconds
# Terminals cut or refuse longer OSC 52 sequences.
OSC_52_LIMIT = 74_000


def native_program(environ: Mapping[str, str], platform: str = sys.platform) -> Sequence[str] | None:
    """The command of this desktop that takes a text from stdin to the clipboard; None without one."""
    candidates: list[Sequence[str]] = []
    if platform == "darwin":
        candidates.append(("pbcopy",))
    if environ.get("WAYLAND_DISPLAY"):
        candidates.append(("wl-copy",))
    if environ.get("DISPLAY"):
        candidates += [("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input")]
    # On the other end of an SSH connection these would fill the clipboard of the wrong computer.
    if environ.get("SSH_CONNECTION"):
        return None
    return next(
        (command for command in candidates if shutil.which(command[0], path=environ.get("PATH"))), None
    )


def copy_text(text: str, osc_52: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> str:
    """Copy, and return a sentence that says how, and how sure that is."""
    command = native_program(environ)
    if command is not None and _piped(command, text, environ):
        return f"copied with {os.path.basename(command[0])}"
    osc_52(text)
    if len(text.encode()) > OSC_52_LIMIT:
        return "sent to the terminal (OSC 52), but it is long: many terminals drop texts over 74 kB"
    return "sent to the terminal (OSC 52); whether it took it, it does not say"


def _piped(command: Sequence[str], text: str, environ: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            env=dict(environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
