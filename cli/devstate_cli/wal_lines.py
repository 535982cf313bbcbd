"""The entries of the log in lines: for a person, and as documents."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from devstate.engine.envelope import NIL_TX, SNAPSHOT_MARKER, TRANSACTION_COMMIT
from devstate.engine.framing import split_tx_id
from devstate.engine.inspection_fields import type_name
from devstate.engine.jsonable import jsonable
from devstate.engine.reports import reason_in_words
from devstate.engine.scan import ListedEntry, Region, scan_entries
from devstate.findings import shortened

from .screen import Screen
from .shown_values import Veil, moment

__all__ = ["Dump", "entry_document", "entry_lines", "heading", "holds_entries"]

_any = msgspec.msgpack.Decoder().decode
_UNREADABLE = (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError)
# Where in the arrays of these types the identifier of a run stands.
_RUN_PLACES = {TRANSACTION_COMMIT: (4,), 0x60: (0, 5)}
_TX_WIDTH = 10


class Dump:
    """The entries and regions of segments, in order, and what is to be said of all of them.

    Damage is told from an unfinished tail by what comes behind it: a commit behind it means that it was there
    before that commit.
    """

    def __init__(self, pieces: Iterable[tuple[int, int, Callable[[], bytes]]], since: int) -> None:
        """`pieces` are the segments: LSN of the beginning, size, and what gives the bytes."""
        self._pieces = pieces
        self._since = since
        self.entries = 0
        self.commits = 0
        self.damaged = 0
        self._at_the_end = 0
        self._tail_reason = ""
        self._salt: bytes | None = None

    def __iter__(self) -> Iterator[ListedEntry | Region]:
        expected: int | None = None
        for start, size, load in self._pieces:
            if expected is not None and start != expected:
                # The end of a segment is the beginning of the next one.
                self._defect("missing" if start > expected else "overlap")
                if start > max(expected, self._since):
                    yield Region(expected, 0, start - expected, "missing")
            expected = start + size
            if expected > self._since:
                data = load()
                expected = start + len(data)
                yield from self._of_segment(data, start)

    def _of_segment(self, data: bytes, start: int) -> Iterator[ListedEntry | Region]:
        for item in scan_entries(data, start, salt=self._salt):
            sound = isinstance(item, ListedEntry) and item.crc_ok
            if not sound:
                self._defect(item.reason if isinstance(item, Region) else "checksum")
            elif isinstance(item, ListedEntry):
                self._salt = self._salt or (item.tx_id[8:] if item.tx_id != NIL_TX else None)
                if item.entry_type == TRANSACTION_COMMIT:
                    self.damaged += self._at_the_end
                    self._at_the_end = 0
            if item.lsn + item.size <= self._since:
                continue
            self.entries += sound
            self.commits += sound and isinstance(item, ListedEntry) and item.entry_type == TRANSACTION_COMMIT
            yield item

    def _defect(self, reason: str) -> None:
        self._at_the_end += 1
        self._tail_reason = reason

    @property
    def status(self) -> int:
        """1 where something is damaged before the last commit."""
        return 1 if self.damaged else 0

    def summary(self) -> str:
        """One line on all of it."""
        told = f"{_counted(self.entries, 'entry', 'entries')}, {_counted(self.commits, 'commit', 'commits')}"
        if self.damaged:
            places = _counted(self.damaged, "damaged place", "damaged places")
            told += f"; {places} before the last commit (`devstate db check` judges them)"
        if self._at_the_end:
            told += f"; an unfinished tail: {reason_in_words(self._tail_reason)}"
        return told


def holds_entries(data: bytes) -> bool:
    """Whether there is any intact entry in bytes that may be no segment at all."""
    return any(isinstance(item, ListedEntry) and item.crc_ok for item in scan_entries(data, 0, salt=None))


def heading() -> str:
    """The head of the columns."""
    return f"{'lsn':>12}  {'type':<18}  {'tx':>{_TX_WIDTH}}  {'cv':>8}  {'run':<8}  {'bytes':>8}  content"


def entry_document(item: ListedEntry | Region, veil: Veil, with_hex: bool) -> dict[str, Any]:
    """The members of one line of `devstate.wal.dump/1` after its schema."""
    if isinstance(item, Region):
        return {"lsn": item.lsn, "type": None, "size": item.size, "reason": item.reason}
    document: dict[str, Any] = {
        "lsn": item.lsn,
        "type": item.entry_type,
        "type_name": type_name(item.entry_type),
        "version": item.version,
        "tx": _tx(item),
        "length": item.size - 4,  # the field of that name in the entry: what follows it
        "size": item.size,
        "crc_ok": item.crc_ok,
        "payload": _payload(item),
    }
    if not item.crc_ok:
        document["reason"] = "checksum"
    if with_hex:
        document["hex"] = item.payload.hex()
        if veil.secret_in(item.payload):
            document["hex"] = "[MASKED]"
    return veil.document(document)


def entry_lines(item: ListedEntry | Region, screen: Screen, veil: Veil, with_hex: bool) -> Iterator[str]:
    """The line of one entry, and its bytes where they are wanted."""
    if isinstance(item, Region):
        words = f"{item.size:,} bytes that are no entry: {reason_in_words(item.reason)}"
        yield f"{item.lsn:>12,}  {screen.paint(f'✘ {words}', 'bad')}"
        return
    payload = _payload(item)
    parts: list[Any] = payload if isinstance(payload, list) else []
    cv, run, rest = _told(item, parts)
    name = type_name(item.entry_type)
    mark = "" if item.crc_ok else screen.paint("✘ wrong checksum  ", "bad")
    content = veil.line(rest, max(20, screen.width - 82 + 8)) if parts else ""
    tx = _tx(item)
    yield (
        f"{item.lsn:>12,}  {screen.paint(f'{shortened(name, 18):<18}', _style(item))}  "
        f"{'-' if tx is None else tx['sequence']:>{_TX_WIDTH}}  {cv:>8}  {run:<8}  {item.size:>8,}  {mark}{content}"
    ).rstrip()
    if with_hex:
        yield from _hex(item.payload, veil.hidden(item.payload))


def _told(item: ListedEntry, parts: list[Any]) -> tuple[str, str, Any]:
    """Commit version, run, and what else an entry says."""
    if item.entry_type == TRANSACTION_COMMIT and len(parts) >= 6:
        cv, ts, count, _, run, _ = parts[:6]
        what = {"entries": count, "ts": moment(ts) if isinstance(ts, int) else ts}
        return str(cv), str(run)[:8], what
    if item.entry_type == SNAPSHOT_MARKER and len(parts) >= 5:
        return str(parts[2]), "", {"file": parts[0], "wal_offset": parts[1]}
    if item.entry_type < 0x10 or len(parts) < 4:
        return "", "", parts
    key, rest = parts[1], parts[4:]
    return str(parts[2]), str(parts[0])[:8], [key, *rest] if key is not None else rest


def _style(item: ListedEntry) -> str:
    return "dim" if item.entry_type < 0x10 else "plain"


def _tx(item: ListedEntry) -> dict[str, Any] | None:
    """The transaction's number and the salt of its database; None for an entry outside transactions."""
    if item.tx_id == NIL_TX:
        return None
    sequence, salt = split_tx_id(item.tx_id)
    return {"sequence": sequence, "salt": salt.hex()}


def _payload(item: ListedEntry) -> Any:
    """The array of the payload as JSON, runs as UUID text; the bytes where they are no msgpack."""
    if not item.payload:
        return None
    try:
        value = _any(item.payload)
    except _UNREADABLE:
        return {"$bytes": b64encode(item.payload).decode("ascii")}
    if isinstance(value, list):
        places = _RUN_PLACES.get(item.entry_type, (0,) if item.entry_type >= 0x10 else ())
        value = [
            str(uuid.UUID(bytes=part))
            if place in places and isinstance(part, bytes) and len(part) == 16
            else part
            for place, part in enumerate(value)
        ]
    try:
        return jsonable(value)
    except RecursionError:
        return {"$bytes": b64encode(item.payload).decode("ascii")}


def _hex(data: bytes, hidden: set[int]) -> Iterator[str]:
    """Rows of 16 bytes; `**` where a byte may not be shown."""
    for start in range(0, len(data), 16):
        row = list(enumerate(data[start : start + 16], start))
        digits = " ".join("**" if at in hidden else f"{byte:02x}" for at, byte in row)
        letters = "".join("*" if at in hidden else chr(byte) if 32 <= byte < 127 else "." for at, byte in row)
        yield f"{'':>14}{start:06x}  {digits:<47}  {letters}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
