"""Transactions as bytes: the vectors of the format, what a marker says of its entries, odd payloads."""

from __future__ import annotations

from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine import framing
from devstate.engine.envelope import MAX_ENTRY_LENGTH, NIL_TX, WalEntry, decode_entry, encode_entry
from devstate.engine.errors import EngineError, EngineLimitExceeded
from devstate.engine.framing import AbortMarker, CommitMarker, SnapshotMark

SALT = bytes.fromhex("0011223344556677")
RUN = bytes(range(16))
TS = 1_700_000_000_000_000
TX = framing.make_tx_id(1, SALT)
KV_PAYLOAD = bytes.fromhex(
    "95c410000102030405060708090a0b0c0d0e0fa46b65793101cf00060a24181e4000a676616c756531"
)
KV_ENTRY = bytes.fromhex("3f000000100101000000000000000011223344556677") + KV_PAYLOAD + b"\xdb\xed\xcf\x2d"
COMMIT = bytes.fromhex(
    "3a0000000001010000000000000000112233445566779601cf00060a24181e40000100"
    "c410000102030405060708090a0b0c0d0e0fce7896358397c7d6e1"
)

u64 = st.integers(0, 2**64 - 1)


def entries_of(data: bytes) -> list[WalEntry]:
    found: list[WalEntry] = []
    offset = 0
    while offset < len(data):
        entry = decode_entry(data, offset, len(data), offset)
        assert isinstance(entry, WalEntry), entry
        found.append(entry)
        offset += len(entry.payload) + 26
    return found


def test_vector_of_a_transaction():
    assert framing.frame_transaction([(0x10, KV_PAYLOAD)], TX, RUN, 1, TS, 0) == KV_ENTRY + COMMIT
    assert len(COMMIT) == 62
    marker = CommitMarker(1, TS, 1, 0, RUN, 0x78963583)
    assert framing.decode_commit(COMMIT[22:-4]) == marker
    assert framing.encode_commit(marker) == COMMIT[22:-4]


def test_vector_of_an_abort_without_a_reason():
    assert framing.frame_abort(TX, "") == bytes.fromhex(
        "16000000010101000000000000000011223344556677e0d90c4f"
    )
    assert framing.decode_abort(b"") == AbortMarker("")


@given(u64, st.binary(min_size=8, max_size=8))
def test_tx_id_round_trip(sequence: int, salt: bytes):
    assert framing.split_tx_id(framing.make_tx_id(sequence, salt)) == (sequence, salt)


@given(
    st.lists(st.tuples(st.integers(0x10, 0xFF), st.binary(max_size=60)), min_size=1, max_size=8),
    st.binary(min_size=16, max_size=16),
    u64,
    u64,
    u64,
)
def test_the_marker_counts_places_and_checks_its_entries(
    entries: list[tuple[int, bytes]], run: bytes, cv: int, ts: int, lsn: int
):
    data = framing.frame_transaction(entries, TX, run, cv, ts, lsn)
    *found, last = entries_of(data)
    assert [(entry.entry_type, entry.payload) for entry in found] == entries
    assert {entry.tx_id for entry in [*found, last]} == {TX}
    sums = b"".join(encode_entry(*entry[:1], TX, entry[1])[-4:] for entry in entries)
    assert last.entry_type == 0
    assert framing.decode_commit(last.payload) == CommitMarker(cv, ts, len(entries), lsn, run, crc32(sums))


def test_nothing_is_not_a_transaction():
    with pytest.raises(EngineError):
        framing.frame_transaction([], TX, RUN, 1, TS, 0)


@pytest.mark.parametrize("others", [[], [(0x10, b"x")]])
def test_an_entry_too_long_is_refused(others: list[tuple[int, bytes]]):
    with pytest.raises(EngineLimitExceeded):
        framing.frame_transaction([*others, (0x10, bytes(MAX_ENTRY_LENGTH - 21))], TX, RUN, 1, TS, 0)


def test_abort_and_snapshot_mark_round_trip():
    (abort,) = entries_of(framing.frame_abort(TX, "disk full"))
    assert (abort.entry_type, abort.tx_id) == (1, TX)
    assert framing.decode_abort(abort.payload) == AbortMarker("disk full")
    mark = SnapshotMark("snapshot_00000000000000000129.dat", 129, 1, TS, 0xDEADBEEF)
    (entry,) = entries_of(framing.frame_snapshot_mark(mark))
    assert (entry.entry_type, entry.tx_id) == (2, NIL_TX)
    assert framing.decode_snapshot_mark(entry.payload) == mark


def test_elements_of_later_versions_are_passed_over():
    payload = msgspec.msgpack.encode([5, TS, 2, 77, RUN, 9, "later", {"more": 1}])
    assert framing.decode_commit(payload) == CommitMarker(5, TS, 2, 77, RUN, 9)


@pytest.mark.parametrize(
    "content",
    [
        [],
        [1, TS, 1, 0, RUN],
        [-1, TS, 1, 0, RUN, 0],
        [1, TS, -1, 0, RUN, 0],
        [1, TS, 1, -5, RUN, 0],
        [1, TS, 1, 0, RUN[:15], 0],
        [1, TS, 1, 0, RUN + b"x", 0],
        [1, TS, 1, 0, RUN, 2**32],
        [1, TS, 1, 0, "0123456789abcdef", 0],
        [1.0, TS, 1, 0, RUN, 0],
        [None, TS, 1, 0, RUN, 0],
        {"cv": 1},
        7,
    ],
)
def test_a_payload_that_is_no_marker_is_said_in_words(content: object):
    found = framing.decode_commit(msgspec.msgpack.encode(content))
    assert isinstance(found, str)
    assert found


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda tail: COMMIT[22:40] + tail)))
def test_random_payloads_never_raise(payload: bytes):
    for decode in (framing.decode_commit, framing.decode_abort, framing.decode_snapshot_mark):
        found = decode(payload)
        assert isinstance(found, (str, CommitMarker, AbortMarker, SnapshotMark))


@pytest.mark.parametrize(
    "payload", [b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91\xa1\xff"]
)
def test_deep_huge_and_ill_encoded_payloads(payload: bytes):
    assert isinstance(framing.decode_commit(payload), str)
    assert isinstance(framing.decode_abort(payload), str)
    assert isinstance(framing.decode_snapshot_mark(payload), str)
