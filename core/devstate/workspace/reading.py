"""What is on disk at one moment, as immutable data: the one thing that every face renders."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Literal

import msgspec

from devstate.chain import ChainReport, Entry, HistoryIndex, Source
from devstate.durable import LockInfo
from devstate.findings import Finding, Severity
from devstate.trae import ArtifactReading, StateDocument

__all__ = ["Binding", "HistoryReading", "Reading", "StateReading", "StorePosition"]


class StateReading(msgspec.Struct, frozen=True):
    """`state.json` as read: its path in the workspace, size in bytes, whole SHA-256 (hex) and exact bytes.

    `document` is None where the bytes are no state document; the findings of the reading say why.
    """

    path: str
    size: int
    sha256: str
    raw: bytes
    document: StateDocument | None


class HistoryReading(msgspec.Struct, frozen=True, weakref=True):
    """`history.json` as read: the chain's report, and an index over the file, which stays open.

    Entries are decoded when asked for. `source` is closed by `close`, or when the reading is no longer used.
    """

    path: str
    size: int
    sha256: str
    report: ChainReport
    index: HistoryIndex
    source: Source

    def __post_init__(self) -> None:
        weakref.finalize(self, self.source.close)

    def __len__(self) -> int:
        return len(self.index)

    def __bool__(self) -> bool:  # a history without entries is still a history
        return True

    def entry(self, index: int) -> Entry:
        """Entry `index`, counted from 0. Raises IndexError, and what reading the source raises."""
        return self.index.entry(index, self.source)

    def entries(self, start: int = 0, stop: int | None = None) -> Sequence[Entry]:
        """The entries from `start` up to `stop` (exclusive; None = the last). Raises like `entry`."""
        end = len(self.index) if stop is None else min(stop, len(self.index))
        return self.index.entries(start, end, self.source)

    def close(self) -> None:
        """Let go of the open file; entries cannot be decoded any more. More calls do nothing."""
        self.source.close()


class Binding(msgspec.Struct, frozen=True):
    """How the state and the history name each other; in v1 that is a circle.

    `state_sha256` is the checksum of state.json, `head_checksum` the one that the last entry names; `bound`
    says whether they are equal. `bound_entry` is the last entry that names this state, None where none
    does. `distinct` is 1 where all entries name the same checksum, else None (they are not counted).
    `history_listed` says whether state.json lists a checksum of history.json, `history_current` whether
    that one is the file's (None: not listed); where it is old, `history_entries` is how many entries the
    history had when it was right (None: never, so the file was not only appended to). `sentence` explains
    it to a person.
    """

    state_sha256: str
    head_checksum: str
    bound: bool
    bound_entry: int | None
    distinct: int | None
    history_listed: bool
    history_current: bool | None
    sentence: str
    history_entries: int | None = None


class StorePosition(msgspec.Struct, frozen=True):
    """Where the truth is kept: `files`, or the embedded database at `path`; `in_sync` None = not compared.

    `version` is a text that is another one after each change of the database's files.
    """

    backend: Literal["files", "embedded"] = "files"
    path: str | None = None
    in_sync: bool | None = None
    version: str | None = None


class Reading(msgspec.Struct, frozen=True, weakref=True):
    """One look at a workspace. Nothing in it changes; a change on disk makes a new one.

    `root` is an absolute path, `revision` counts the readings of one `Workspace` from 1, `taken_at` is
    RFC 3339. `state` and `history` are None where the file could not be read. `leftovers` are paths of
    temporary files relative to the root. `findings` holds all that is wrong anywhere, gravest first.
    """

    root: str
    revision: int
    taken_at: str
    state: StateReading | None
    history: HistoryReading | None
    artifacts: tuple[ArtifactReading, ...]
    binding: Binding | None
    store: StorePosition
    locks: tuple[LockInfo, ...]
    leftovers: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def chain(self) -> ChainReport | None:
        """The verdict on the history, None where it could not be read."""
        return None if self.history is None else self.history.report

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    @property
    def unreadable(self) -> bool:
        """Whether neither document could be read."""
        return self.state is None and self.history is None

    def close(self) -> None:
        """Let go of the open history file; also done when the reading is no longer used."""
        if self.history is not None:
            self.history.close()
