"""Making a symbolic link durably.

DevState reads through no link and writes through none; it makes one only to show what a check says about it.
So this is no call of `Files`, and crash checks do not need it.
"""

from __future__ import annotations

import os

from .atomic import storage_fault
from .files import OS

__all__ = ["create_symlink"]


def create_symlink(path: str | os.PathLike[str], target: str) -> None:
    """Make a symbolic link to `target` at a path where nothing is yet. Raises StorageFault."""
    name = os.fspath(path)
    try:
        os.symlink(target, name)
        OS.fsync_dir(os.path.dirname(name) or ".")
    except OSError as error:
        raise storage_fault("make the link", error, name) from None
