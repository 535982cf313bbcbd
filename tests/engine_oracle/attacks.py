"""Databases made by hand that a reader may get wrong: every checksum in them is good.

Each `Attack` writes a folder. `verdict` is "clean", "gap", "torn" or "lost" as of `engine_oracle.log`, or "refused"
where no state may come out at all, and the reason is not damage of the log's bytes. `kept` is the number of the last
commit that may be seen; the key "evil" must never be seen.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from engine_oracle.entries import COMMIT, NIL, encode_entry, entries_of, sums
from engine_oracle.interpret import ZEROS, event_hash
from engine_oracle.packing import Packed, pack
from engine_oracle.snapshots import END, KV, META, envelope
from engine_oracle.snapshots import RUN as RUN_SECTION
from engine_oracle.writer import (
    RUN,
    SALT,
    START,
    UUID,
    encode_log,
    encode_transaction,
    write_bytes,
    write_log,
)

Builder = Callable[[str], None]
OTHER_RUN = bytes([9]) * 16


class Attack(NamedTuple):
    name: str
    build: Builder
    verdict: str
    kept: int


def begin(run: bytes = RUN) -> dict[str, Any]:
    entries = [(0x60, None, "solve", None, [], {}), (0x63, None)]
    return {"run": run, "ts": START, "entries": entries}


def put(key: str, value: Any = 1, **more: Any) -> dict[str, Any]:
    return {"run": RUN, "ts": START, "entries": [(0x10, key, value)], **more}


def data(*entries: tuple[Any, ...], **more: Any) -> dict[str, Any]:
    return {"run": RUN, "ts": START, "entries": list(entries), **more}


def _log(*transactions: dict[str, Any]) -> Builder:
    return lambda folder: _written(folder, transactions)


def _third(*transactions: dict[str, Any]) -> Builder:
    """These after a begun run and one commit."""
    return _log(begin(), put("a"), *transactions)


def _written(folder: str, transactions: Any) -> None:
    write_log(folder, transactions)


def _position() -> int:
    """The LSN at which the third commit begins, after `begin()` and `put("a")`."""
    return sum(map(len, encode_log([begin(), put("a")])))


def _frame(
    entries: list[bytes], *, marker: list[Any], sequence: int = 3, version: int = 1, tx: bytes = SALT
) -> bytes:
    return b"".join(entries) + encode_entry(COMMIT, pack(marker), sequence, tx, version)


def _raw(
    payload: bytes, *, kind: int = 0x10, cv: int = 3, n: int = 1, run: bytes = RUN, ts: int = START,
    marker_version: int = 1, extra: tuple[Any, ...] = (), crc: int | None = None, lsn: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The third transaction, of one entry with this payload, with a marker that fits it but for what is said."""
    entry = encode_entry(kind, payload, 3, SALT)
    checksum = sums([int.from_bytes(entry[-4:], "little")]) if crc is None else crc
    marker = [cv, ts, n, _position() if lsn is None else lsn, run, checksum, *extra]
    return {"raw": _frame([entry], marker=marker, version=marker_version)}


def _put_payload(key: str = "evil", run: bytes = RUN, cv: int = 3, ts: int = START) -> bytes:
    return pack([run, key, cv, ts, 1])


def _body_with_a_planted_transaction() -> tuple[bytes, int]:
    """A log in which a value holds a whole transaction, good for where it lies; and where that ends."""
    inner = b""
    for _ in range(3):  # where it lies depends on how long it is, which depends on where it lies
        lies = b"".join(encode_log([begin(), put("a"), put("b", inner)])).rfind(inner) if inner else 0
        inner = encode_transaction([(0x10, "evil", 1)], run=RUN, cv=3, ts=START, lsn=lies, sequence=99)
    body = b"".join(encode_log([begin(), put("a"), put("b", inner), put("c")]))
    return body, body.find(inner) + len(inner)


def _planted(folder: str) -> None:
    """The entry around the planted transaction is damaged."""
    body = bytearray(_body_with_a_planted_transaction()[0])
    body[_position() + 4] ^= 0x40  # its type
    write_log(folder, [{"raw": bytes(body)}])


def _planted_and_cut(folder: str) -> None:
    """The write of the entry around it ended right behind it, as a loss of power may leave it."""
    body, end = _body_with_a_planted_transaction()
    write_log(folder, [{"raw": body[:end]}])


def _interleaved_orphan(folder: str) -> None:
    """An entry of a transaction that never commits lies inside another one, which is whole."""
    pieces = encode_log([begin(), put("a")])
    orphan = encode_entry(0x10, _put_payload(), 77, SALT)
    entry, marker = entries_of(pieces[1])
    body = pieces[0] + pieces[1][: entry.end] + orphan + pieces[1][marker.position :]
    write_log(folder, [{"raw": body}])


def _stray() -> dict[str, Any]:
    return {"raw": encode_entry(0x10, _put_payload(), 3, SALT)}


def _event_at(seq: int, ts: int = START) -> tuple[Any, ...]:
    return (0x30, seq, "t", 1, ZEROS, event_hash(RUN, seq, ts, "t", 1, ZEROS))


def _snapshot(folder: str, payload: bytes, version: int = 1, wal_offset: int | None = None) -> None:
    ends = write_log(folder, [begin(), put("a")])
    at = ends[-1] if wal_offset is None else wal_offset
    data_of_it = envelope(payload, START, at, version)
    write_bytes(os.path.join(folder, "snapshots", f"snapshot_{at:020}.dat"), data_of_it)


def section(kind: int, value: Any) -> bytes:
    body = value if isinstance(value, bytes) else pack(value)
    return struct.pack("<BQ", kind, len(body)) + body


_META = section(
    META,
    {
        "db_uuid": UUID,
        "salt": SALT,
        "cv": 2,
        "next_tx": 3,
        "base_ts": START,
        "first_history_lsn": 0,
        "ext": {},
    },
)


def _end(**counts: list[int]) -> bytes:
    return section(END, {"counts": {int(kind[1:]): count for kind, count in counts.items()}})


def _bomb_snapshot(body: bytes) -> Builder:
    """Not whole, so the log is the base."""
    return lambda folder: _snapshot(folder, _META + section(KV, body) + _end(_1=[1, 1]))


def _double_segment(folder: str) -> None:
    """`history/` has another segment of the same start, as an unfinished restore may leave it."""
    write_log(folder, [begin(), put("a"), put("b")])
    stale = b"".join(encode_log([begin(), put("evil")]))
    write_bytes(os.path.join(folder, "history", f"{0:020}.wal"), stale)


def _overlapping(folder: str) -> None:
    """A segment's name says that it begins inside the one before."""
    ends = write_log(folder, [begin(), put("a"), put("b"), put("c")], per_segment=2)
    wal = os.path.join(folder, "wal")
    os.rename(os.path.join(wal, f"{ends[1]:020}.wal"), os.path.join(wal, f"{ends[1] - 10:020}.wal"))


def _empty_beyond(folder: str) -> None:
    """The log was longer once: a segment that begins behind its end is there, though nothing is in it."""
    ends = write_log(folder, [begin(), put("a")])
    write_bytes(os.path.join(folder, "wal", f"{ends[-1] + 500:020}.wal"), b"")


def _torn_before_the_last(folder: str) -> None:
    """The last segment is empty, and the one before ends within an entry."""
    left = encode_entry(0x10, _put_payload(), 3, SALT)[:30]
    ends = write_log(folder, [begin(), put("a"), {"raw": left}])
    write_bytes(os.path.join(folder, "wal", f"{ends[-1]:020}.wal"), b"")


def _strange_names(folder: str) -> None:
    write_log(folder, [begin(), put("a")])
    for name in ("1.wal", f"{10**20:021}.wal", f"{5:020}.wal.tmp", f"{5:020}.WAL", "x.wal", f"{-5:020}.wal"):
        write_bytes(os.path.join(folder, "wal", name), b"not a segment")


ATTACKS: list[Attack] = [
    # What a marker says
    Attack("a marker with more entries than there are", _third(_raw(_put_payload(), n=2)), "torn", 2),
    Attack("a marker of no entries", _third(_raw(_put_payload(), n=0)), "torn", 2),
    Attack("a marker with another checksum", _third(_raw(_put_payload(), crc=1)), "torn", 2),
    Attack("a marker for another place", _third(_raw(_put_payload(), lsn=0)), "lost", 2),
    Attack("a marker far ahead", _third(_raw(_put_payload(), cv=2**63)), "lost", 2),
    Attack("a marker with the number 0", _third(_raw(_put_payload(), cv=0)), "torn", 2),
    Attack("a marker with elements to come", _third(_raw(_put_payload("b"), extra=("x", 1))), "clean", 3),
    Attack("a marker of a later version", _third(_raw(_put_payload(), marker_version=2)), "refused", 2),
    Attack("a marker of another run than its entry", _third(_raw(_put_payload(), run=OTHER_RUN)), "lost", 2),
    Attack("a marker of another time than its entry", _third(_raw(_put_payload(), ts=1)), "lost", 2),
    Attack("an entry with another commit number", _third(_raw(_put_payload(cv=9))), "lost", 2),
    Attack(
        "a marker whose payload is no array",
        _third({"raw": _frame([encode_entry(0x10, _put_payload(), 3, SALT)], marker=[])}),
        "torn",
        2,
    ),
    Attack(
        "a marker without a transaction id",
        _third({"raw": encode_entry(COMMIT, pack([3, START, 1, _position(), RUN, 0]), 0, NIL[8:])}),
        "torn",
        2,
    ),
    # What an entry says
    Attack("a core type to come", _third(_raw(_put_payload(), kind=0x0F)), "refused", 2),
    Attack("a payload that is nothing", _third(_raw(b"")), "lost", 2),
    Attack("a payload that claims 4 G items", _third(_raw(b"\xdd\xff\xff\xff\xff")), "lost", 2),
    Attack("a payload that claims 4 G bytes", _third(_raw(b"\x95\xc6\xff\xff\xff\xff")), "lost", 2),
    Attack("a payload nested without end", _third(_raw(b"\x91" * 100_000)), "lost", 2),
    Attack("a payload with a byte too many", _third(_raw(_put_payload() + b"\0")), "lost", 2),
    Attack("a payload in a longer form", _third(_raw(
        pack([RUN, Packed(b"\xd9\x01b"), Packed(b"\xcf" + (3).to_bytes(8, "big")), START, 1]))), "clean", 3),
    Attack("an element to come", _third(data((0x10, "b", 1, None, "later"))), "clean", 3),
    Attack("a hole in the events", _third(data(_event_at(1))), "lost", 2),
    Attack("an event twice", _third(data(_event_at(0), _event_at(0))), "lost", 2),
    Attack("a document that is there, created", _third(
        data((0x20, "d", 1, {}), (0x20, "d", 2, {"x": 1}))), "lost", 2),
    Attack("a patch of what is not there", _third(
        data((0x20, "d", 1, {}), (0x23, "d", 2, [[0, ["ok"], 1], [1, ["none"]]]))), "lost", 2),
    Attack("a transition from another version", _third(
        data((0x40, "s", 1, 0), (0x42, "s", 2, 7, 0, 1, None))), "lost", 2),
    Attack("data of a run that never began", _third(
        {"run": OTHER_RUN, "ts": START, "entries": [(0x10, "x", 1)]}), "lost", 2),
    Attack("a run that begins twice", _third(begin()), "lost", 2),
    # Where things lie
    Attack("a transaction inside a value", _planted, "lost", 2),
    Attack("an entry without an end inside another transaction", _interleaved_orphan, "clean", 2),
    Attack("a commit number twice", _third(put("evil", cv=2), put("b", cv=3)), "gap", 3),
    Attack("a segment of the same start in the history", _double_segment, "clean", 3),
    Attack("a segment that begins inside the one before", _overlapping, "lost", 2),
    Attack("an empty segment beyond a hole", _empty_beyond, "lost", 2),
    Attack("a torn end before the last segment", _torn_before_the_last, "lost", 2),
    Attack("a stray entry with the id of the next transaction", _third(_stray(), put("b")), "gap", 3),
    Attack("files that are no segments", _strange_names, "clean", 2),
    # Snapshots with good checksums
    Attack("a snapshot of a later version", lambda f: _snapshot(f, _META + _end(), version=2), "refused", 0),
    Attack("a snapshot that claims 4 G records", _bomb_snapshot(b"\xdd\xff\xff\xff\xff"), "clean", 2),
    Attack("a snapshot nested without end", _bomb_snapshot(b"\x91" * 100_000), "clean", 2),
    Attack("a snapshot with a record too short", _bomb_snapshot(pack([[RUN, "evil"]])), "clean", 2),
    Attack("a snapshot without an end", lambda f: _snapshot(f, _META), "clean", 2),
    Attack("a snapshot with wrong counts", lambda f: _snapshot(
        f, _META + section(RUN_SECTION, []) + _end(_6=[1, 4])), "clean", 2),
    Attack("a section longer than its file", lambda f: _snapshot(
        f, _META + struct.pack("<BQ", KV, 2**63) + _end()), "clean", 2),
]  # fmt: skip

# By the letter of the rules a gap and a commit: the planted transaction is whole, in its place, and the next one.
UNDECIDED = Attack("a transaction inside a value that a crash cut", _planted_and_cut, "gap", 3)
