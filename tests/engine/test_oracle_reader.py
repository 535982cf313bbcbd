"""The second reader of the engine's files against its own writer and against the vectors of the format."""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_oracle import entries as kinds
from engine_oracle import snapshots
from engine_oracle.entries import encode_clean, encode_entry, entries_of, entry_at, read_meta
from engine_oracle.interpret import (
    Inapplicable,
    apply,
    chain_faults,
    digest,
    empty_state,
    from_snapshot,
    state_of,
)
from engine_oracle.log import NoBase, read_log
from engine_oracle.packing import TOMBSTONE, Extension, PackingError, pack, same, unpack
from engine_oracle.snapshots import SnapshotError, envelope, parse_snapshot, snapshot_bytes
from engine_oracle.writer import (
    RUN,
    SALT,
    START,
    UUID,
    encode_abort,
    encode_marker,
    encode_transaction,
    write_bytes,
    write_log,
)

PUT = bytes.fromhex(
    "3f000000 10 01 01000000000000000011223344556677"
    "95 c410000102030405060708090a0b0c0d0e0f a46b657931 01 cf00060a24181e4000 a676616c756531 dbedcf2d"
)
MARKER = bytes.fromhex(
    "3a000000 00 01 01000000000000000011223344556677"
    "96 01 cf00060a24181e4000 01 00 c410000102030405060708090a0b0c0d0e0f ce78963583 97c7d6e1"
)
EMPTY_ABORT = bytes.fromhex("16000000 01 01 01000000000000000011223344556677 e0d90c4f")
EMPTY_SNAPSHOT = bytes.fromhex("494e4d454d5f534e4150 01000000 00401e18240a0600 0000000000000000 65425c51")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=30,
)


@given(values)
def test_packing_is_what_a_library_packs_and_unpacks(value: Any) -> None:
    data = pack(value)
    assert data == msgspec.msgpack.encode(value)
    assert same(unpack(data), value)


@pytest.mark.parametrize("size", [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_packing_of_each_size_class(size: int) -> None:
    for value in ("x" * size, b"x" * size, [1] * size, {str(n): n for n in range(size)}):
        assert pack(value) == msgspec.msgpack.encode(value)
        assert unpack(pack(value)) == value
    extension = msgspec.msgpack.encode(msgspec.msgpack.Ext(5, b"x" * size))
    assert unpack(extension) == Extension(5, b"x" * size)
    assert pack(Extension(5, b"x" * size)) == extension


@given(st.binary(max_size=60))
def test_unpacking_any_bytes_gives_a_value_or_its_one_error(data: bytes) -> None:
    try:
        value = unpack(data)
    except PackingError:
        return
    assert (
        same(unpack(pack(value)), value) or b"\xca" in data
    )  # a float of 32 bits may be a NaN of another kind


NO_VALUES = {
    "nothing": b"",
    "no meaning": b"\xc1",
    "ends early": b"\x91",
    "a count that cannot be": b"\xdd\xff\xff\xff\xff",
    "more than one": b"\x00\x00",
    "too deep": b"\x91" * 500 + b"\0",
}


@pytest.mark.parametrize("data", NO_VALUES.values(), ids=NO_VALUES.keys())
def test_bytes_that_are_no_value(data: bytes) -> None:
    with pytest.raises(PackingError):
        unpack(data)


def test_equality_is_typed() -> None:
    for one, other in ((1, True), (1, 1.0), (0.0, -0.0), ("a", b"a"), ([1], [1.0]), ({"a": 0}, {"a": False})):
        assert not same(one, other)
    assert same(math.nan, math.nan)
    assert same({"a": 1, "b": [2.5]}, {"b": [2.5], "a": 1})
    assert digest([1]) != digest([True])


def test_the_writer_writes_the_vectors() -> None:
    written = encode_transaction(
        [(kinds.KV_PUT, "key1", "value1")], run=RUN, cv=1, ts=START, lsn=0, sequence=1, salt=SALT
    )
    assert written == PUT + MARKER
    assert (len(PUT), len(MARKER)) == (67, 62)
    assert encode_entry(kinds.ABORT, b"", 1, SALT) == EMPTY_ABORT
    assert envelope(b"", START, 0) == EMPTY_SNAPSHOT


def test_the_reader_reads_the_vectors(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    write_bytes(tmp_path / "wal" / f"{0:020}.wal", PUT + MARKER)
    reading = read_log(tmp_path)
    assert reading.verdict == "clean"
    assert reading.transactions == [
        {
            "cv": 1,
            "ts": START,
            "lsn": 0,
            "end": 129,
            "run": RUN,
            "sequence": 1,
            "entries": [(kinds.KV_PUT, [RUN, "key1", 1, START, "value1"])],
            "unknown": [],
        }
    ]
    abort = entry_at(EMPTY_ABORT, 0)
    assert abort is not None
    assert (abort.type, abort.payload, abort.end) == (kinds.ABORT, b"", 26)
    with pytest.raises(
        SnapshotError, match="section"
    ):  # an envelope alone is no snapshot: meta and end are missing
        parse_snapshot(EMPTY_SNAPSHOT)


def put(key: str, value: object, run: bytes = RUN, **more: Any) -> dict[str, Any]:
    return {"run": run, "ts": START, "entries": [(kinds.KV_PUT, key, value)], **more}


def begin(run: bytes = RUN) -> dict[str, Any]:
    created = (kinds.RUN_CREATE, None, "solve", None, ["eval"], {})
    return {"run": run, "ts": START, "entries": [created, (kinds.RUN_BEGIN, None)]}


def test_segments_are_one_log(tmp_path: Path) -> None:
    ends = write_log(tmp_path, [begin(), *(put(f"k{n}", n) for n in range(8))], per_segment=2, history=2)
    reading = read_log(tmp_path)
    assert [transaction["cv"] for transaction in reading.transactions] == list(range(1, 10))
    assert [transaction["end"] for transaction in reading.transactions] == ends
    assert (reading.verdict, reading.end) == ("clean", ends[-1])
    assert apply(reading.transactions)["runs"][RUN]["kv"]["k3"] == (5, START, 3, None)
    part = read_log(tmp_path, start=ends[4], last_cv=5)
    assert part.transactions == reading.transactions[5:]
    meta = read_meta(tmp_path)
    assert meta is not None
    assert meta["salt"] == SALT


def test_a_tail_without_a_marker_is_torn_and_an_end_is_where_the_last_commit_is(tmp_path: Path) -> None:
    ends = write_log(tmp_path, [begin(), put("a", 1), {"raw": encode_entry(0x10, b"\xc0", 3, SALT)}])
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.position, reading.end) == ("torn", ends[1], ends[1])
    assert reading.orphaned == 1


def test_what_a_failed_write_left_is_a_gap_when_the_next_commit_follows_on(tmp_path: Path) -> None:
    left = encode_entry(kinds.KV_PUT, pack([RUN, "lost", 3, START, 0]), 3, SALT)
    ends = write_log(
        tmp_path,
        [
            begin(),
            put("a", 1),
            {"raw": left + left[:20]},
            {"raw": encode_abort("EIO", 3)},
            put("b", 2, sequence=4),
        ],
    )
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.position, reading.end) == ("gap", ends[1] + len(left), ends[-1])
    assert (reading.last_cv, reading.aborted, reading.orphaned, reading.next_sequence) == (3, 1, 0, 5)
    assert set(apply(reading.transactions)["runs"][RUN]["kv"]) == {"a", "b"}


def test_a_hole_in_the_commit_numbers_is_lost_data(tmp_path: Path) -> None:
    write_log(tmp_path, [begin(), put("a", 1), put("b", 2, cv=4), put("c", 3)])
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.last_cv) == ("lost", 2)
    assert [frame["cv"] for frame in reading.lost] == [4, 5]


def test_a_commit_number_that_was_there_is_a_copy_and_proves_nothing(tmp_path: Path) -> None:
    ends = write_log(tmp_path, [begin(), put("a", 1), put("b", 2, cv=2)])
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.last_cv, reading.end) == ("torn", 2, ends[1])


def test_interleaved_transactions_are_applied_in_the_order_of_their_markers(tmp_path: Path) -> None:
    first = encode_transaction([(0x10, "k", "first")], run=RUN, cv=3, ts=START, lsn=0, sequence=9)
    held = entries_of(first)[0]
    write_log(tmp_path, [begin(), {"raw": b""}])
    start = (tmp_path / "wal" / f"{0:020}.wal").stat().st_size
    lsn_second = start + held.end
    second = encode_transaction([(0x10, "k", "second")], run=RUN, cv=2, ts=START, lsn=lsn_second, sequence=10)
    again = encode_transaction([(0x10, "k", "first")], run=RUN, cv=3, ts=START, lsn=start, sequence=9)
    body = again[: held.end] + second + again[held.end :]
    with (tmp_path / "wal" / f"{0:020}.wal").open("ab") as file:
        file.write(body)
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.last_cv) == ("clean", 3)
    assert apply(reading.transactions)["runs"][RUN]["kv"]["k"][2] == "first"


def test_snapshot_markers_and_entries_without_a_transaction_change_nothing(tmp_path: Path) -> None:
    marker = encode_marker("snapshot_00000000000000000000.dat", 0, 0, START, 0)
    unframed = encode_entry(kinds.KV_PUT, pack([RUN, "x", 2, START, 1]), 0, bytes(8))
    ends = write_log(tmp_path, [{"raw": marker}, begin(), {"raw": unframed}, put("a", 1), {"raw": marker}])
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.unframed, reading.end) == ("clean", 1, ends[-1])
    assert set(apply(reading.transactions)["runs"][RUN]["kv"]) == {"a"}


def test_bytes_of_another_database_are_a_defect(tmp_path: Path) -> None:
    foreign = encode_transaction(
        [(0x10, "k", 1)], run=RUN, cv=2, ts=START, lsn=0, sequence=2, salt=b"another!"
    )
    ends = write_log(tmp_path, [begin(), {"raw": foreign}])
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.position, reading.last_cv) == ("torn", ends[0], 1)


def test_an_unknown_type_in_a_committed_transaction_is_said_and_the_rest_applied(tmp_path: Path) -> None:
    mixed = {"run": RUN, "ts": START, "entries": [(0x70, "v", 3, b"\0" * 12), (kinds.KV_PUT, "k", 1)]}
    write_log(tmp_path, [begin(), mixed])
    reading = read_log(tmp_path)
    assert (reading.verdict, reading.unknown_types) == ("clean", {0x70})
    assert set(apply(reading.transactions)["runs"][RUN]["kv"]) == {"k"}


def test_a_log_that_ends_before_its_clean_close_has_lost_bytes(tmp_path: Path) -> None:
    ends = write_log(tmp_path, [begin(), put("a", 1)])
    assert read_log(tmp_path, clean=(ends[-1], 2)).verdict == "clean"
    assert read_log(tmp_path, clean=(ends[-1] + 100, 3)).verdict == "lost"
    write_bytes(tmp_path / "CLEAN", encode_clean(ends[-1], 2))
    assert state_of(tmp_path)[1].verdict == "clean"
    write_bytes(tmp_path / "CLEAN", encode_clean(ends[-1], 3))
    assert state_of(tmp_path)[1].verdict == "lost"
    write_bytes(tmp_path / "CLEAN", encode_clean(ends[-1], 3)[:-1])
    assert state_of(tmp_path)[1].verdict == "clean"


def test_a_log_that_does_not_begin_where_it_must_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path, [begin(), put("a", 1), put("b", 1)], per_segment=1)
    (tmp_path / "wal" / f"{0:020}.wal").unlink()
    with pytest.raises(NoBase):
        read_log(tmp_path)


def sample_sections() -> dict[int, list[list[Any]]]:
    facts = {"name": "n", "parent": None, "tags": [], "metadata": {}, "status": "active", "started_at": START,
             "ended_at": None, "reason": None, "tx_count": 2, "event_count": 0, "first_cv": 1, "last_cv": 2,
             "first_lsn": 0, "last_lsn": 0}  # fmt: skip
    return {
        snapshots.KV: [[RUN, "a", 2, START, None, 1], [RUN, "b", 2, START, None, TOMBSTONE]],
        snapshots.JSON: [[RUN, "d", 2, START, 2, 1, {"x": [1]}], [RUN, "e", 2, START, 2, 4, TOMBSTONE]],
        snapshots.STATE: [[RUN, "s", 2, START, 3, "on"]],
        snapshots.TRACE: [
            [RUN, "a", 2, START, 1, None, "query", "n", None, None, {}, []],
            [RUN, "z", 2, START, 0, None, "query", "n", None, None, {}, []],
        ],
        snapshots.RUN: [[RUN, 2, START, facts]],
    }


META = {
    "db_uuid": UUID,
    "salt": SALT,
    "cv": 2,
    "next_tx": 3,
    "base_ts": START,
    "first_history_lsn": 0,
    "ext": {},
}


@pytest.mark.parametrize("per_section", [1, 1000])
def test_a_snapshot_is_read_as_it_was_written(per_section: int) -> None:
    data = snapshot_bytes(
        META, sample_sections(), timestamp=START, wal_offset=7, records_per_section=per_section
    )
    snapshot = parse_snapshot(data)
    assert (snapshot["wal_offset"], snapshot["timestamp"], snapshot["meta"]) == (7, START, META)
    state = from_snapshot(snapshot)
    run = state["runs"][RUN]
    assert run["kv"] == {"a": (2, START, 1, None)}
    assert run["json"] == {"d": (1, {"x": [1]})}
    assert run["gone"] == {"json": {"e": 4}, "state": {}}
    assert run["state"] == {"s": (3, "on")}
    assert list(run["traces"]) == ["z", "a"]


def test_an_opaque_section_is_kept_as_bytes() -> None:
    data = snapshot_bytes(META, sample_sections(), timestamp=0, wal_offset=0, opaque={9: ([b"ab", b"c"], 5)})
    assert parse_snapshot(data)["opaque"] == {9: [b"ab", b"c"]}
    assert parse_snapshot(data)["counts"][9] == [2, 5]


def test_every_damaged_snapshot_is_rejected() -> None:
    data = snapshot_bytes(META, sample_sections(), timestamp=START, wal_offset=7)
    for length in range(len(data)):
        with pytest.raises(SnapshotError):
            parse_snapshot(data[:length])
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SnapshotError):
            parse_snapshot(bytes(changed))
    with pytest.raises(SnapshotError):
        parse_snapshot(data + b"\0")


def section(kind: int, value: object) -> bytes:
    return struct.pack("<BQ", kind, len(pack(value))) + pack(value)


@pytest.mark.parametrize(
    "payload",
    [
        section(0, META),
        section(0, META) + section(255, {"counts": {1: [1, 1]}}),
        section(0, META) + section(1, []) + section(255, {"counts": {}}),
        section(0, META) + section(2, []) + section(1, []) + section(255, {"counts": {1: [1, 0], 2: [1, 0]}}),
        section(1, []) + section(255, {"counts": {1: [1, 0]}}),
        section(0, META) + section(1, [[RUN, "a"]]) + section(255, {"counts": {1: [1, 1]}}),
        section(0, META) + section(1, 5) + section(255, {"counts": {1: [1, 1]}}),
        section(0, META) + section(255, {"counts": {}}) + section(255, {"counts": {}}),
        section(0, META) + section(255, {"counts": {}})[:-1],
        section(0, META) + b"\x01" + b"\xff" * 8,
    ],
)
def test_a_snapshot_with_a_good_checksum_and_wrong_sections_is_rejected(payload: bytes) -> None:
    with pytest.raises(SnapshotError):
        parse_snapshot(envelope(payload, START, 0))


def test_another_version_of_a_snapshot_is_told_from_damage() -> None:
    with pytest.raises(snapshots.UnsupportedSnapshot):
        parse_snapshot(envelope(section(0, META), START, 0, version=2))


def test_the_newest_whole_snapshot_and_the_tail_give_what_the_log_gives(tmp_path: Path) -> None:
    ends = write_log(tmp_path, [begin(), put("a", 1), put("b", 2), put("c", 3)], per_segment=2, history=1)
    whole, _ = state_of(tmp_path, use_snapshot=False)
    meta = {**META, "cv": 2}
    facts = {
        **apply(read_log(tmp_path).transactions[:2])["runs"][RUN]["run"],
        "first_lsn": 0,
        "last_lsn": ends[0],
    }
    sections = {snapshots.KV: [[RUN, "a", 2, START, None, 1]], snapshots.RUN: [[RUN, 2, START, facts]]}
    good = snapshot_bytes(meta, sections, timestamp=START, wal_offset=ends[1])
    write_bytes(tmp_path / "snapshots" / f"snapshot_{ends[1]:020}.dat", good)
    write_bytes(tmp_path / "snapshots" / f"snapshot_{ends[2]:020}.dat", good[:-1])
    state, reading = state_of(tmp_path)
    assert len(reading.transactions) == 2
    assert digest(state) == digest(whole)


@pytest.mark.parametrize(
    "entries",
    [
        [(kinds.RUN_CREATE, None, "again", None, [], {})],
        [(kinds.EVENT_APPEND, 1, "t", None, bytes(32), bytes(32))],
        [(kinds.JSON_CREATE, "d", 2, {})],
        [(kinds.JSON_SET, "d", 1, [3], 1)],
        [(kinds.JSON_DELETE, "d", 1, [])],
        [(kinds.JSON_CREATE, "d", 1, [])] * 2,
        [(kinds.JSON_CREATE, "d", 1, []), (kinds.JSON_PATCH, "d", 2, [[1, [0]]])],
        [(kinds.STATE_TRANSITION, "s", 2, 1, None, 5, None)],
        [(kinds.STATE_SET, "s", 1, 5, 9)],
        [(kinds.RUN_END, None, "completed", None, 7, 1)],
        [(kinds.KV_PUT, "k")],
    ],
)
def test_an_entry_that_does_not_fit_is_not_applied(tmp_path: Path, entries: list[Any]) -> None:
    write_log(tmp_path, [begin(), {"run": RUN, "ts": START, "entries": entries}])
    reading = read_log(tmp_path)
    with pytest.raises(Inapplicable):
        apply(reading.transactions)


def test_an_entry_of_no_run_is_not_applied(tmp_path: Path) -> None:
    write_log(tmp_path, [put("k", 1)])
    with pytest.raises(Inapplicable, match="no such run"):
        apply(read_log(tmp_path).transactions)


def test_a_transaction_at_or_below_the_base_is_skipped_whole(tmp_path: Path) -> None:
    write_log(tmp_path, [begin(), put("a", 1), put("a", 2)])
    transactions = read_log(tmp_path).transactions
    state = apply(transactions)
    assert digest(apply(transactions, state)) == digest(state)
    assert digest(apply(transactions, apply(transactions[:1]))) == digest(state)
    assert apply([]) == empty_state()


def test_a_changed_event_is_found_by_its_hash(tmp_path: Path) -> None:
    from engine_oracle.interpret import ZEROS, event_hash

    first = event_hash(RUN, 0, START, "t", {"n": 1}, ZEROS)
    second = event_hash(RUN, 1, START, "t", {"n": 2}, first)
    appended = [
        (kinds.EVENT_APPEND, 0, "t", {"n": 1}, ZEROS, first),
        (kinds.EVENT_APPEND, 1, "t", {"n": 2}, first, second),
    ]
    write_log(tmp_path, [begin(), {"run": RUN, "ts": START, "entries": appended}])
    state = apply(read_log(tmp_path).transactions)
    assert chain_faults(state) == []
    seq, ts, kind, _, prev, known = state["runs"][RUN]["events"][1]
    state["runs"][RUN]["events"][1] = (seq, ts, kind, {"n": 3}, prev, known)
    assert chain_faults(state) == [(RUN, 1)]


def test_any_bytes_give_a_reading() -> None:
    from engine_oracle.entries import Segment
    from engine_oracle.log import read_segments

    dice = random.Random(7)
    good = encode_transaction([(0x10, "k", 1)], run=RUN, cv=1, ts=START, lsn=0, sequence=1)
    for _ in range(300):
        cut = dice.randrange(len(good))
        data = good[:cut] + dice.randbytes(dice.randrange(60)) + (good if dice.random() < 0.5 else b"")
        reading = read_segments([Segment(0, data, "")], salt=SALT)
        assert reading.verdict in ("clean", "torn", "gap", "lost")
