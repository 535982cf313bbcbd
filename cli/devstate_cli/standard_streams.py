"""The three descriptors that every process has, also where whoever started it closed one, or reads no more of it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["let_go", "replace_closed"]


def replace_closed() -> None:
    """Put the null device in the place of what is closed: to be called before any file is opened.

    The next file to be opened would get the number of a closed one, and with it whatever is written there,
    by a child too: a file of the database among them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def let_go(stream: TextIO) -> None:
    """What was not written is nobody's any more, and the interpreter's last flush has no error to tell."""
    with suppress(OSError, ValueError):  # no real descriptor behind it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
