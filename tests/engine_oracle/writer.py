"""A small independent writer of logs and databases, so that files for attacks are built without the product.

A transaction is a dict with `run` (16 bytes), `ts`, and `entries`: a list of (type, key, *the elements after
the first four). Run, cv and ts of each entry are put in here. Commits are numbered from 1 without holes,
unless a dict has its own `cv`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine_oracle import snapshots
from engine_oracle.entries import ABORT, COMMIT, NIL, SNAPSHOT_MARKER, encode_entry, encode_meta, sums
from engine_oracle.packing import TOMBSTONE, pack

SALT = bytes.fromhex("0011223344556677")
UUID = bytes(range(16, 32))
RUN = bytes(range(16))
START = 1_700_000_000_000_000


def payload_of(run: bytes, cv: int, ts: int, entry: Sequence[Any]) -> bytes:
    """The payload of (type, key, *rest)."""
    return pack([run, entry[1], cv, ts, *entry[2:]])


def encode_transaction(
    entries: Sequence[Sequence[Any]],
    *,
    run: bytes,
    cv: int,
    ts: int,
    lsn: int,
    sequence: int,
    salt: bytes = SALT,
) -> bytes:
    """The entries and their commit marker, for position `lsn`."""
    pieces = [encode_entry(entry[0], payload_of(run, cv, ts, entry), sequence, salt) for entry in entries]
    crc = sums([int.from_bytes(piece[-4:], "little") for piece in pieces])
    marker = encode_entry(COMMIT, pack([cv, ts, len(pieces), lsn, run, crc]), sequence, salt)
    return b"".join(pieces) + marker


def encode_abort(reason: str, sequence: int, salt: bytes = SALT) -> bytes:
    return encode_entry(ABORT, pack([reason]), sequence, salt)


def encode_marker(file: str, wal_offset: int, cv: int, ts: int, crc: int) -> bytes:
    """A snapshot marker: the one entry that has no transaction."""
    return encode_entry(SNAPSHOT_MARKER, pack([file, wal_offset, cv, ts, crc]), 0, NIL[8:])


def encode_log(
    transactions: Iterable[Mapping[str, Any]], *, start: int = 0, last_cv: int = 0, salt: bytes = SALT
) -> list[bytes]:
    """The bytes of each transaction; a mapping with `raw` instead of entries is put in as those bytes."""
    pieces: list[bytes] = []
    lsn, cv, sequence = start, last_cv, last_cv
    for transaction in transactions:
        if "raw" in transaction:
            piece = bytes(transaction["raw"])
        else:
            cv, sequence = transaction.get("cv", cv + 1), sequence + 1
            piece = encode_transaction(
                transaction["entries"],
                run=transaction["run"],
                cv=cv,
                ts=transaction["ts"],
                lsn=lsn,
                sequence=transaction.get("sequence", sequence),
                salt=salt,
            )
        pieces.append(piece)
        lsn += len(piece)
    return pieces


def write_log(
    folder: str | os.PathLike[str],
    transactions: Iterable[Mapping[str, Any]],
    *,
    per_segment: int | None = None,
    history: int = 0,
    salt: bytes = SALT,
    db_uuid: bytes = UUID,
) -> list[int]:
    """Write a database: META, and segments of `per_segment` transactions, the first `history` segments in `history/`.

    Returns the end LSN of each transaction.
    """
    pieces = encode_log(transactions, salt=salt)
    for place in ("wal", "history", "snapshots"):
        os.makedirs(os.path.join(folder, place), exist_ok=True)
    write_bytes(os.path.join(folder, "META"), encode_meta(db_uuid, salt, START))
    step = per_segment or max(len(pieces), 1)
    start = 0
    ends: list[int] = []
    for number, at in enumerate(range(0, max(len(pieces), 1), step)):
        body = b"".join(pieces[at : at + step])
        place = "history" if number < history else "wal"
        write_bytes(os.path.join(folder, place, f"{start:020}.wal"), body)
        for piece in pieces[at : at + step]:
            ends.append((ends[-1] if ends else 0) + len(piece))
        start += len(body)
    return ends


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def write_snapshot(
    folder: str | os.PathLike[str],
    state: Mapping[str, Any],
    *,
    wal_offset: int,
    salt: bytes = SALT,
    db_uuid: bytes = UUID,
    records_per_section: int = 1000,
) -> str:
    """Write the snapshot file of a state of `engine_oracle.interpret`; returns its path.

    A state does not keep the commit number of each document, event, cell and span: they get that of their run's last
    commit, and `created` too.
    """
    sections: dict[int, list[list[Any]]] = {kind: [] for kind in sorted(snapshots.FIELDS)}
    for run_id, run in sorted(state["runs"].items()):
        cv = run["run"]["last_cv"]
        at = [cv, state["ts"]]
        for key, (kv_cv, ts, value, expires) in sorted(run["kv"].items(), key=_by_bytes):
            sections[snapshots.KV].append([run_id, key, kv_cv, ts, expires, value])
        for kind, place, extra in ((snapshots.JSON, "json", [cv]), (snapshots.STATE, "state", [])):
            dead = {key: (ver, TOMBSTONE) for key, ver in run["gone"][place].items()}
            for key, (ver, value) in sorted({**run[place], **dead}.items(), key=_by_bytes):
                sections[kind].append([run_id, key, *at, *extra, ver, value])
        for seq, ts, name, payload, prev, digest in run["events"]:
            sections[snapshots.EVENT].append([run_id, seq, cv, ts, name, payload, prev, digest])
        order = {span: number for number, span in enumerate(run["traces"])}
        for span, facts in sorted(run["traces"].items(), key=_by_bytes):
            sections[snapshots.TRACE].append([run_id, span, *at, order[span], *facts.values()])
        facts = {**run["run"], "first_lsn": 0, "last_lsn": 0}
        sections[snapshots.RUN].append([run_id, *at, facts])
    meta = {"db_uuid": db_uuid, "salt": salt, "cv": state["cv"], "next_tx": state["cv"] + 1}
    meta |= {"base_ts": state["ts"], "first_history_lsn": 0, "ext": {}}
    data = snapshots.snapshot_bytes(
        meta,
        sections,
        timestamp=state["ts"],
        wal_offset=wal_offset,
        records_per_section=records_per_section,
    )
    path = os.path.join(folder, "snapshots", f"snapshot_{wal_offset:020}.dat")
    write_bytes(path, data)
    return path


def _by_bytes(item: tuple[str, Any]) -> bytes:
    return item[0].encode()
