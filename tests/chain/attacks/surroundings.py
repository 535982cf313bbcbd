"""What a case needs that no committed file can hold: links, pipes, a huge file, a busy writer."""

from __future__ import annotations

import os
import socket
import threading
from types import TracebackType

from forge.chain import chain, dump

GIB = 1024**3


def prepare(name: str, workspace: str) -> None:
    """Set up `name` in the folder `workspace`, which holds the files of the case."""
    docs = os.path.join(workspace, "docs")
    history = os.path.join(workspace, ".trae", "history.json")
    os.makedirs(docs, exist_ok=True)
    if name == "symlink_file":
        os.symlink("target.md", os.path.join(docs, "link.md"))
    elif name == "symlink_folder":
        os.symlink("docs", os.path.join(workspace, "linked"))
    elif name == "symlink_dangling":
        os.symlink("nowhere.md", os.path.join(docs, "link.md"))
    elif name == "symlink_device":
        os.symlink("/dev/zero", os.path.join(docs, "link.md"))
    elif name == "symlink_loop":
        os.symlink("link.md", os.path.join(docs, "link.md"))
    elif name == "fifo":
        os.mkfifo(os.path.join(docs, "pipe"))
    elif name == "socket":
        bind(docs)
    elif name == "huge_file":
        with open(history, "wb") as handle:
            handle.write(b"[")
            handle.truncate(GIB + 1)
    elif name == "changing_file":
        first, rest = dump(chain()).split(b"    },\n    {", 1)
        with open(history, "wb") as handle:
            handle.write(first + b"    }," + b" " * (48 * 1024 * 1024) + b"{" + rest)
    else:
        raise ValueError(f"no set-up is called {name}")


def bind(folder: str) -> None:
    """A socket's name may have about a hundred characters, less than a test's folder: bind it from inside."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.fchdir(here)
        os.close(here)


class Writer:
    """Appends one space after the other to a file, from entering to leaving."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.write)

    def write(self) -> None:
        with open(self.path, "ab", buffering=0) as handle:
            while not self.over.is_set():
                handle.write(b" ")

    def __enter__(self) -> Writer:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()
