"""What belongs to a machine and not to the repository: locks, temporary files, the store."""

from __future__ import annotations

__all__ = ["IGNORED", "with_ignored"]

IGNORED = (".trae/.lock", ".trae/*.tmp", ".trae/leftovers/", ".trae/store/")

_TITLE = "# DevState: locks, temporary files and the local store"


def with_ignored(text: bytes | None) -> bytes | None:
    """The content of `.gitignore` with the missing lines added at its end; None where none is missing.

    What is there stays byte for byte, its line ends included.
    """
    old = text or b""
    eol = b"\r\n" if b"\r\n" in old else b"\n"
    present = {line.strip().lstrip(b"/") for line in old.split(b"\n")}
    missing = [line.encode() for line in IGNORED if line.encode() not in present]
    if not missing:
        return None
    gap = b"" if not old else (eol if old.endswith(b"\n") else eol + eol)
    return old + gap + eol.join((_TITLE.encode(), *missing)) + eol
