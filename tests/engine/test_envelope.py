"""One entry as bytes: the vectors of the format, round trips, and every kind of damage."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine import envelope
from devstate.engine.envelope import WalEntry, decode_entry, encode_entry
from devstate.engine.errors import EngineLimitExceeded

SALT = bytes.fromhex("0011223344556677")
TX = bytes.fromhex("0100000000000000") + SALT
KV_PAYLOAD = bytes.fromhex(
    "95c410000102030405060708090a0b0c0d0e0fa46b65793101cf00060a24181e4000a676616c756531"
)
KV_ENTRY = bytes.fromhex("3f0000001001") + TX + KV_PAYLOAD + bytes.fromhex("dbedcf2d")


def test_vector_of_a_data_entry():
    assert encode_entry(0x10, TX, KV_PAYLOAD) == KV_ENTRY
    assert len(KV_ENTRY) == 67
    assert decode_entry(KV_ENTRY, 0, 67, 900) == WalEntry(0x10, 1, TX, KV_PAYLOAD, 900)


def test_vector_of_an_empty_payload():
    abort = bytes.fromhex("160000000101" + "0100000000000000" + "0011223344556677" + "e0d90c4f")
    assert encode_entry(envelope.TRANSACTION_ABORT, TX, b"") == abort
    assert len(abort) == envelope.OVERHEAD
    assert decode_entry(abort, 0, 26, 0) == WalEntry(1, 1, TX, b"", 0)


@given(
    st.integers(0, 255), st.binary(min_size=16, max_size=16), st.binary(max_size=300), st.binary(max_size=40)
)
def test_round_trip_between_other_bytes(entry_type: int, tx_id: bytes, payload: bytes, around: bytes):
    entry = encode_entry(entry_type, tx_id, payload)
    data = around + entry + around
    found = decode_entry(data, len(around), len(data), 7)
    assert found == WalEntry(entry_type, 1, tx_id, payload, 7)
    assert len(entry) == len(payload) + envelope.OVERHEAD
    assert int.from_bytes(entry[:4], "little") == len(payload) + envelope.MIN_LENGTH
    assert int.from_bytes(entry[-4:], "little") == crc32(entry[4:-4])


def test_every_truncation_is_a_defect():
    for size in range(1, len(KV_ENTRY)):
        assert decode_entry(KV_ENTRY[:size], 0, size, 0) == envelope.SHORT
        assert decode_entry(KV_ENTRY, 0, size, 0) == envelope.SHORT, "bytes after `end` do not count"


def test_every_flipped_bit_is_a_defect():
    for place in range(len(KV_ENTRY) * 8):
        damaged = bytearray(KV_ENTRY + KV_ENTRY)
        damaged[place // 8] ^= 1 << place % 8
        assert isinstance(decode_entry(bytes(damaged), 0, len(damaged), 0), str), place


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(1), envelope.ZEROS),
        (bytes(26), envelope.ZEROS),
        (bytes(5000), envelope.ZEROS),
        (b"\x01", envelope.SHORT),
        (b"\x01\x00\x00", envelope.SHORT),
        (bytes(4) + b"\x01" + bytes(30), envelope.BAD_LENGTH),
        ((21).to_bytes(4, "little") + bytes(40), envelope.BAD_LENGTH),
        ((22).to_bytes(4, "little") + bytes(21), envelope.SHORT),
        ((22).to_bytes(4, "little") + bytes(22), envelope.BAD_CHECKSUM),
        ((23).to_bytes(4, "little") + bytes(22), envelope.SHORT),
        (envelope.MAX_ENTRY_LENGTH.to_bytes(4, "little") + bytes(40), envelope.SHORT),
        ((envelope.MAX_ENTRY_LENGTH + 1).to_bytes(4, "little") + bytes(40), envelope.BAD_LENGTH),
        (b"\xff" * 60, envelope.BAD_LENGTH),
    ],
)
def test_reasons(data: bytes, reason: str):
    assert decode_entry(data, 0, len(data), 0) == reason == envelope.defect_at(data, 0, len(data))


def test_the_longest_entry_and_one_byte_more():
    room = envelope.MAX_ENTRY_LENGTH - envelope.MIN_LENGTH
    entry = encode_entry(0x10, TX, bytes(room))
    found = decode_entry(entry, 0, len(entry), 0)
    assert isinstance(found, WalEntry)
    assert len(found.payload) == room
    with pytest.raises(EngineLimitExceeded) as caught:
        encode_entry(0x10, TX, bytes(room + 1))
    assert (caught.value.limit, caught.value.found) == (
        envelope.MAX_ENTRY_LENGTH,
        envelope.MAX_ENTRY_LENGTH + 1,
    )


def test_an_entry_of_more_than_the_longest_is_none_though_all_of_it_is_there():
    body = bytes(envelope.MAX_ENTRY_LENGTH - 3)
    data = (len(body) + 4).to_bytes(4, "little") + body + crc32(body).to_bytes(4, "little")
    assert decode_entry(data, 0, len(data), 0) == envelope.BAD_LENGTH


@given(st.binary(min_size=1, max_size=200), st.integers(0, 199))
def test_random_bytes_never_raise(data: bytes, offset: int):
    offset %= len(data)
    found = decode_entry(data, offset, len(data), 0)
    assert isinstance(found, (str, WalEntry))
