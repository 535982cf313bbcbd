"""What the screens share that follow a database folder instead of the workspace's own files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from textual.message import Message
from textual.worker import get_current_worker

from .view import View

if TYPE_CHECKING:
    from devstate.errors import DevStateError
    from devstate.workspace import Reading

__all__ = ["DatabaseView"]


class _Reader(Protocol):
    def read(self, wanted: Any, /, *, tell: Callable[[], object], cancelled: Callable[[], bool]) -> None: ...


Reader = TypeVar("Reader", bound=_Reader)


class DatabaseView(View):
    """Read in a thread, and again for each change on disk; while it is not shown, as soon as it is shown again."""

    def __init__(self) -> None:
        super().__init__()
        self._behind = False

    def follow(self, folder: str) -> None:
        """Have a reader of this folder, and read."""
        raise NotImplementedError

    def set_empty(self, empty: bool) -> None:
        """Show the page in place of the lists, or the lists; without them most keys have nothing to act on."""
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
            self.refresh_bindings()

    def reason_against(self, action_id: str) -> str | None:
        empty = self.has_class("-empty") and action_id.startswith(f"{self.MODE}.")
        return "there is nothing to show here yet" if empty else None

    def show(self, reading: Reading) -> None:
        self.follow(self.app.db_folder)

    def show_error(self, error: DevStateError) -> None:
        """The workspace cannot be read; the database may well be."""
        self.follow(self.app.db_folder)

    def on_screen_resume(self) -> None:
        if self._behind:
            self.follow(self.app.db_folder)

    def read_in_thread(self, reader: Reader, wanted: object, grew: Callable[[Reader], Message]) -> None:
        """Let the reader read what is new, `wanted` (of its own kind) first; `grew` tells of it now and then."""
        self._behind = not self.is_current
        if self._behind:
            return

        def run() -> None:
            worker = get_current_worker()
            reader.read(
                wanted,
                tell=lambda: self.post_message(grew(reader)),
                cancelled=lambda: worker.is_cancelled,
            )

        self.run_worker(run, thread=True, group=self.MODE, exclusive=True, exit_on_error=False)
