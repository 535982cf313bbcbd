"""Which process owns a run, and whether it lives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from devstate.durable.files import OS, Files

__all__ = ["NOBODY", "Owners"]

NOBODY: Final = (0, "", "", "", "")
"""The owner of a run that no process has to live for: it is on no host, and so never found dead."""

_BOOT: Final = "/proc/sys/kernel/random/boot_id"


class Owners:
    """Owners are `[pid, host, start time, boot id, handle]`; what a system does not tell is empty.

    A process number alone is not enough: numbers are used again, and start anew with the system.
    """

    def __init__(self, handle: str, files: Files = OS) -> None:
        self._files = files
        self._host = os.uname().nodename
        self._boot = self._text(_BOOT)
        self.handle = handle

    def here(self) -> list[Any]:
        """This process, through this handle."""
        pid = os.getpid()
        return [pid, self._host, self._started(pid), self._boot, self.handle]

    def alive(self, owner: Sequence[Any] | None) -> bool:
        """Whether the owner can still go on with its run. One on another host counts as alive, and one that
        says no process: nobody can tell."""
        if not owner:
            return False
        if len(owner) < 5:
            return True
        pid, host, started, boot, handle = owner[:5]
        if host != self._host:
            return True
        if boot and self._boot and boot != self._boot:
            return False
        if not isinstance(pid, int) or not self._files.process_alive(pid):
            return False
        if pid == os.getpid():
            return handle in OPEN_HANDLES
        return not started or self._started(pid) in ("", started)

    def lasts(self, owner: Sequence[Any] | None) -> bool:
        """Whether it stays alive for as long as this handle is open: its own runs, and those that need nobody."""
        return owner is not None and len(owner) >= 5 and (owner[4] == self.handle or owner[1] != self._host)

    def _started(self, pid: int) -> str:
        # The 22nd field, in ticks since the boot; the second holds the program's name, which may hold anything.
        text = self._text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return text[19] if len(text) > 19 else ""

    def _text(self, path: str) -> str:
        files = self._files
        try:
            fd = files.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return files.read(fd, 4096).decode("utf-8", "replace").strip()
        except OSError:
            return ""
        finally:
            files.close(fd)


# The handles of databases that this process has open.
OPEN_HANDLES: set[str] = set()
