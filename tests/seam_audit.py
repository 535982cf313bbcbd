"""Runs operations under an audit hook that reports file calls of the core made outside `devstate.durable`.

Run as a program: an audit hook cannot be taken out again, so it gets a process of its own.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Callable

import devstate

CORE = os.path.dirname(os.path.abspath(devstate.__file__)) + os.sep
DURABLE = os.path.join(CORE, "durable") + os.sep
METADATA = os.path.dirname(importlib.metadata.__file__) + os.sep

FILE_EVENTS_TEXT = """
    open os.chdir os.chflags os.chmod os.chown os.getxattr os.link os.listdir os.listxattr os.lockf
    os.mkdir os.remove os.removexattr os.rename os.rmdir os.scandir os.setxattr os.symlink
    os.truncate os.utime os.walk os.fwalk fcntl.fcntl fcntl.flock fcntl.lockf mmap.__new__ glob.glob
    pathlib.Path.glob pathlib.Path.rglob sqlite3.connect
"""
FILE_EVENTS = frozenset(FILE_EVENTS_TEXT.split())
FILE_PACKAGES = ("shutil.", "tempfile.")

violations: list[str] = []
events_in_durable: list[str] = []


def hook(event: str, arguments: tuple[object, ...]) -> None:
    if event not in FILE_EVENTS and not event.startswith(FILE_PACKAGES):
        return
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(("<frozen importlib", METADATA)):
            return  # the interpreter reads a module or what is installed; not a file call of ours
        if name.startswith(DURABLE):
            events_in_durable.append(event)
            return
        if name.startswith(CORE):
            violations.append(f"{name[len(CORE) :]}:{frame.f_lineno} {event} {arguments[0]!r}")
            return
        frame = frame.f_back


def run(operations: tuple[Callable[[str], None], ...]) -> None:
    for operation in operations:
        with tempfile.TemporaryDirectory() as folder:
            operation(folder)


def planted(folder: str) -> None:
    """A file call that stands in a module of the core outside the layer."""
    code = compile("open(path, 'w').close()", CORE + "chain/planted.py", "exec")
    exec(code, {"path": os.path.join(folder, "x")})


def main() -> None:
    from seam_operations import OPERATIONS

    sys.addaudithook(hook)
    run((planted,) if "--planted" in sys.argv else OPERATIONS)
    for violation in violations:
        print(violation)
    print(f"{len(events_in_durable)} file events in the layer")


if __name__ == "__main__":
    main()
