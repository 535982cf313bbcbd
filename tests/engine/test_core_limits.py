"""The numbers that formats and promises rest on, as the documents have them."""

from __future__ import annotations

import msgspec

from devstate.engine import commit, envelope, map_primitive, snapshot_file, wal_writer
from devstate.engine.recovery_result import RecoveryOptions
from devstate.engine.snapshotting import SnapshotPolicy

MIB = 1024 * 1024


def test_limits() -> None:
    assert envelope.MAX_ENTRY_LENGTH == 32 * MIB
    assert commit.MAX_TRANSACTION_BYTES == 256 * MIB
    assert commit.MAX_TRANSACTION_ENTRIES == 1_000_000
    assert wal_writer.DEFAULT_SEGMENT_BYTES == 64 * MIB
    assert snapshot_file.SECTION_BYTES == 8 * MIB


def test_numbers_of_the_format() -> None:
    assert (envelope.ENTRY_VERSION, envelope.MIN_LENGTH, envelope.OVERHEAD, envelope.SALT_OFFSET) == (
        1,
        22,
        26,
        14,
    )
    assert (envelope.TRANSACTION_COMMIT, envelope.TRANSACTION_ABORT, envelope.SNAPSHOT_MARKER) == (0, 1, 2)
    assert list(envelope.CORE_TYPES) == list(range(16)) and bytes(16) == envelope.NIL_TX
    assert tuple(bytes((number, 1)) for number in range(256)) == envelope.HEADS
    assert (snapshot_file.VERSION, snapshot_file.MAGIC) == (1, b"INMEM_SNAP")
    assert (snapshot_file.META_TYPE, snapshot_file.FIRST_TYPE) == (0, 1)
    assert (snapshot_file.LAST_TYPE, snapshot_file.END_TYPE) == (254, 255)
    assert msgspec.msgpack.encode(map_primitive.DELETED) == b"\xc7\x00\x01"


def test_what_holds_where_nothing_is_said() -> None:
    assert SnapshotPolicy() == SnapshotPolicy(wal_bytes=100 * MIB, seconds=1800, close_bytes=MIB, keep=2)
    assert RecoveryOptions() == RecoveryOptions(
        max_corrupt_entries=10, on_corruption="raise", unknown="preserve"
    )
    assert RecoveryOptions.permissive() == RecoveryOptions(max_corrupt_entries=100, on_corruption="prefix")
    assert RecoveryOptions.strict() == RecoveryOptions(max_corrupt_entries=0, unknown="raise")
