"""META and CLEAN: round trips, every damage, later formats; the names of the files of a database."""

from __future__ import annotations

import contextlib
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine import layout
from devstate.engine.errors import EngineError, UnsupportedFormat
from devstate.engine.meta import (
    SMALL_FILE_LIMIT,
    CleanMark,
    Meta,
    decode_clean,
    decode_meta,
    encode_clean,
    encode_meta,
)

META = Meta(db_uuid=bytes(range(16)), salt=bytes.fromhex("0011223344556677"), created=1_700_000_000_000_000)
u64 = st.integers(0, 2**64 - 1)
salts = st.binary(min_size=8, max_size=8).filter(any)


def sealed(content: object) -> bytes:
    data = msgspec.msgpack.encode(content)
    return data + crc32(data).to_bytes(4, "little")


def as_map(**changes: object) -> dict[str, object]:
    return {"format": 1, "db_uuid": META.db_uuid, "salt": META.salt, "created": META.created, **changes}


@given(st.binary(min_size=16, max_size=16), salts, u64)
def test_meta_round_trip(db_uuid: bytes, salt: bytes, created: int):
    meta = Meta(db_uuid=db_uuid, salt=salt, created=created)
    assert decode_meta(encode_meta(meta), "META") == meta


def test_meta_is_the_map_and_the_checksum_of_the_format():
    assert encode_meta(META) == sealed(as_map())


def test_every_damage_of_meta_is_said_with_its_path():
    good = encode_meta(META)
    damaged = [good[:size] for size in range(len(good))]
    for place in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[place // 8] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for data in [*damaged, good + b"\0", bytes(len(good)), good + good]:
        with pytest.raises(EngineError) as caught:
            decode_meta(data, "/db/META")
        assert caught.value.path == "/db/META"
        assert caught.value.remedy
        assert not isinstance(caught.value, UnsupportedFormat)


@pytest.mark.parametrize(
    "content",
    [
        as_map(salt=bytes(8)),
        as_map(salt=b"short"),
        as_map(db_uuid=b"x"),
        as_map(created=-1),
        as_map(format=0),
        as_map(format=-1),
        as_map(format="1"),
        {"format": 1},
        {},
        [1],
        None,
    ],
)
def test_meta_with_a_good_checksum_and_wrong_content(content: object):
    with pytest.raises(EngineError):
        decode_meta(sealed(content), "META")


def test_a_later_format_is_not_called_damage():
    later = sealed({"format": 2, "identity": {"anything": "else"}})
    with pytest.raises(UnsupportedFormat) as caught:
        decode_meta(later, "META")
    assert caught.value.version == 2


def test_fields_of_later_programs_are_passed_over():
    assert decode_meta(sealed(as_map(note="later")), "META") == META
    assert decode_clean(sealed({"end_lsn": 5, "cv": 2, "note": "later"})) == CleanMark(5, 2)


@pytest.mark.parametrize("salt", [bytes(8), b"1234567", b"123456789"])
def test_a_bad_salt_is_not_written(salt: bytes):
    with pytest.raises(EngineError):
        encode_meta(Meta(db_uuid=bytes(16), salt=salt, created=0))


@given(u64, u64)
def test_clean_round_trip(end_lsn: int, cv: int):
    assert decode_clean(encode_clean(CleanMark(end_lsn, cv))) == CleanMark(end_lsn, cv)


def test_every_damage_of_clean_is_none():
    good = encode_clean(CleanMark(129, 1))
    assert good == sealed({"end_lsn": 129, "cv": 1})
    for size in range(len(good)):
        assert decode_clean(good[:size]) is None
    for place in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[place // 8] ^= 1 << place % 8
        assert decode_clean(bytes(flipped)) is None
    for content in ({"end_lsn": -1, "cv": 0}, {"end_lsn": 1}, [1, 2], "x"):
        assert decode_clean(sealed(content)) is None


def test_a_file_far_too_large_is_damaged():
    large = sealed(as_map(note="x" * SMALL_FILE_LIMIT))
    with pytest.raises(EngineError):
        decode_meta(large, "META")
    assert decode_clean(large) is None


@given(st.binary(max_size=100), st.booleans())
def test_random_bytes_raise_nothing_else(data: bytes, seal: bool):
    if seal:
        data += crc32(data).to_bytes(4, "little")
    assert decode_clean(data) is None or isinstance(decode_clean(data), CleanMark)
    with contextlib.suppress(EngineError):
        decode_meta(data, "META")


@given(u64)
def test_names_round_trip_and_sort_like_their_numbers(number: int):
    pairs = [
        (layout.segment_name, layout.parse_segment_name),
        (layout.index_name, layout.parse_index_name),
        (layout.snapshot_name, layout.parse_snapshot_name),
    ]
    for name, parse in pairs:
        assert parse(name(number)) == number
        assert (name(number) < name(2**63)) == (number < 2**63)
        assert [other(name(number)) for _, other in pairs if other is not parse] == [None, None]
        assert not layout.is_temp_name(name(number))


@pytest.mark.parametrize(
    "name",
    ["", "1.wal", "00000000000000000001.wal\n", "-0000000000000000001.wal", "0000000000000000000१.wal",
     "00000000000000000001.WAL", "99999999999999999999.wal", "00000000000000000001.wal.bak", "LOCK"],
)  # fmt: skip
def test_other_names_are_no_segments(name: str):
    assert layout.parse_segment_name(name) is None


def test_names_of_the_format():
    assert layout.segment_name(129) == "00000000000000000129.wal"
    assert layout.index_name(129) == "00000000000000000129.idx"
    assert layout.snapshot_name(129) == "snapshot_00000000000000000129.dat"
    folders = (layout.wal_folder, layout.history_folder, layout.snapshots_folder, layout.quarantine_folder)
    assert [folder("/db") for folder in folders] == [
        "/db/wal",
        "/db/history",
        "/db/snapshots",
        "/db/quarantine",
    ]


def test_names_of_unfinished_files():
    assert layout.is_temp_name(layout.temp_name("12-abc"))
    assert layout.is_temp_name(".META.1234-0123456789ab.tmp")
    for name in ("META", ".tmp", ".tmp-", "x.tmp", ".hidden", ".META.tmp"):
        assert not layout.is_temp_name(name)
