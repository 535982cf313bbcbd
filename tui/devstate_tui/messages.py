"""What workers, widgets and screens tell the app.

Threads only post messages. Payloads are frozen; a message that comes in floods is replaced by the next one of
its kind while it still waits in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.errors import DevStateError
    from devstate.findings import Finding
    from devstate.workspace import Reading, Workspace

    from .services.finder import Search
    from .services.log_finder import LogSearch
    from .services.log_reader import LogReader
    from .services.run_reader import RunReader

__all__ = [
    "IndexGrew",
    "LogGrew",
    "LogSearchGrew",
    "OpenEntry",
    "OpenFinding",
    "OpenScreen",
    "ReadingArrived",
    "ReadingStarted",
    "RunsChanged",
    "SearchGrew",
    "WatchFailed",
]


@dataclass
class ReadingStarted(Message):
    """The workspace was found, and its files are being read."""

    workspace: Workspace


@dataclass
class ReadingArrived(Message):
    """A new reading is there: the first one, or one after a change on disk."""

    reading: Reading

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ReadingArrived)


@dataclass
class IndexGrew(Message):
    """A scan of a large history has come this far."""

    progress: Progress

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, IndexGrew)


@dataclass
class SearchGrew(Message):
    """A search has looked at more entries; what it has found is in the search itself."""

    search: Search

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SearchGrew)


@dataclass
class LogGrew(Message):
    """More is known of a database folder; what, is in the reader itself."""

    reader: LogReader

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LogGrew)


@dataclass
class LogSearchGrew(Message):
    """A search of the log has looked at more entries."""

    search: LogSearch

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LogSearchGrew)


@dataclass
class RunsChanged(Message):
    """The runs of a database were read again; what is known is in the reader itself."""

    reader: RunReader

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


@dataclass
class WatchFailed(Message):
    """Nothing can be read or watched: the error says why and what to do. The feed goes on trying."""

    error: DevStateError


@dataclass
class OpenScreen(Message):
    """Show the screen of this mode (`overview`, `chain`)."""

    mode: str


@dataclass
class OpenEntry(Message):
    """Show the Chain with this entry selected; `index` counts from 0."""

    index: int


@dataclass
class OpenFinding(Message):
    """Show one finding in full, with its remedy."""

    finding: Finding
