"""Snapshot files: the bytes, their way to the disk, and that no damage goes unnoticed."""

from __future__ import annotations

import errno
import hashlib
import struct
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS, Data
from devstate.durable.simulated import SimulatedCrash, SimulatedFiles
from devstate.engine.errors import DurabilityError, EngineError, SnapshotCorruptError, UnsupportedFormat
from devstate.engine.layout import snapshot_name, snapshots_folder
from devstate.engine.snapshot_file import (
    END_TYPE,
    META_TYPE,
    SECTION_BYTES,
    SnapshotInfo,
    SnapshotMeta,
    array_header,
    encode_array_header,
    encode_end,
    encode_envelope,
    encode_meta,
)
from devstate.engine.snapshot_reading import (
    SnapshotContents,
    check_snapshot,
    iter_records,
    list_snapshots,
    read_snapshot,
)
from devstate.engine.snapshot_writing import state_digest, write_snapshot
from devstate.errors import DevStateError, InputMissing, InputUnreadable

encode = msgspec.msgpack.encode

META = SnapshotMeta(
    db_uuid=bytes(range(16)),
    salt=b"saltsalt",
    cv=7,
    next_tx=9,
    base_ts=1_700_000_000_000_000,
    first_history_lsn=0,
    ext={1: ("kv", 1), 6: ("run", 1), 200: ("plug-in", 3)},
)
RECORDS = {
    1: [encode([bytes(16), f"key{number}", number, b"value" * number]) for number in range(5)],
    6: [encode([bytes(16), 1, {"status": "active"}])],
    200: [encode(number) for number in range(20)],
}
Types = dict[int, list[bytes]]


def write(path: str | Path, types: Types = RECORDS, *, files: object = OS, **options: object) -> SnapshotInfo:
    values: dict[str, object] = {"timestamp": META.base_ts, "wal_offset": 4096, "meta": META, **options}
    return write_snapshot(str(path), sections=types.items(), files=files, **values)  # type: ignore[arg-type]


def written(types: Types = RECORDS, **options: object) -> bytes:
    """The bytes of a snapshot, without a disk."""
    files = SimulatedFiles()
    write("/s", types, files=files, **options)
    data = files.image().read("/s")
    assert data is not None
    return data


def read(data: bytes, *, name: str = "/s", salt: bytes | None = None) -> SnapshotContents:
    files = SimulatedFiles()
    files.put(name, data)
    return read_snapshot(name, salt=salt, files=files)


def check(data: bytes, *, name: str = "/s", salt: bytes | None = None) -> SnapshotInfo:
    files = SimulatedFiles()
    files.put(name, data)
    return check_snapshot(name, salt=salt, files=files)


def records_of(contents: SnapshotContents) -> Types:
    found: Types = {}
    for type_id, section in contents.sections:
        found.setdefault(type_id, []).extend(bytes(record) for record in iter_records(section))
    return found


def section(type_id: int, data: bytes) -> bytes:
    return struct.pack("<BQ", type_id, len(data)) + data


def sound(*middle: bytes, meta: bytes | None = None, end: bytes | None = None) -> bytes:
    """A file with a right checksum around sections that need not be right."""
    first = section(META_TYPE, encode_meta(META)) if meta is None else meta
    last = section(END_TYPE, encode_end({})) if end is None else end
    return encode_envelope(b"".join((first, *middle, last)), timestamp=1, wal_offset=2)


def damage(data: bytes, **options: object) -> SnapshotCorruptError:
    """What both readers say of it; they say the same."""
    with pytest.raises(SnapshotCorruptError) as by_check:
        check(data, **options)  # type: ignore[arg-type]
    with pytest.raises(SnapshotCorruptError) as by_read:
        read(data, **options)  # type: ignore[arg-type]
    assert (by_check.value.reason, str(by_check.value)) == (by_read.value.reason, str(by_read.value))
    assert by_read.value.path is not None
    return by_read.value


# -- the bytes -----------------------------------------------------------------------------------------


def test_the_envelope_of_the_specification() -> None:
    vector = "494e4d454d5f534e41500100000000401e18240a0600000000000000000065425c51"
    assert encode_envelope(b"", timestamp=1_700_000_000_000_000, wal_offset=0).hex() == vector


def test_an_envelope_without_sections_is_no_snapshot() -> None:
    assert damage(encode_envelope(b"", timestamp=1, wal_offset=0)).reason == "meta"


def test_a_whole_file_written_by_hand() -> None:
    meta = {
        "db_uuid": META.db_uuid,
        "salt": META.salt,
        "cv": 7,
        "next_tx": 9,
        "base_ts": META.base_ts,
        "first_history_lsn": 0,
        "ext": {1: ["kv", 1], 6: ["run", 1], 200: ["plug-in", 3]},
    }
    body = b"INMEM_SNAP" + struct.pack("<IQQ", 1, META.base_ts, 4096)
    body += section(0, encode(meta))
    body += section(1, b"\x95" + b"".join(RECORDS[1]))
    body += section(6, b"\x91" + RECORDS[6][0])
    body += section(200, b"\xdc\x00\x14" + b"".join(RECORDS[200]))
    body += section(255, encode({"counts": {1: [1, 5], 6: [1, 1], 200: [1, 20]}}))
    assert written() == body + struct.pack("<I", zlib.crc32(body))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s"
    info = write(path)
    contents = read_snapshot(str(path), salt=META.salt)
    assert contents.info == info == check_snapshot(str(path), salt=META.salt)
    assert contents.meta == META
    assert records_of(contents) == RECORDS
    assert info == SnapshotInfo(
        path=str(path),
        wal_offset=4096,
        timestamp=META.base_ts,
        cv=7,
        bytes=path.stat().st_size,
        crc32=int.from_bytes(path.read_bytes()[-4:], "little"),
        transaction_count=7,
        records={1: 5, 6: 1, 200: 20},
    )


def test_equal_input_gives_equal_bytes() -> None:
    turned = msgspec.structs.replace(META, ext=dict(reversed(META.ext.items())))
    split = [(1, RECORDS[1][:2]), (1, []), (1, RECORDS[1][2:]), (3, []), (6, RECORDS[6]), (200, RECORDS[200])]
    files = SimulatedFiles()
    write_snapshot(
        "/s",
        timestamp=META.base_ts,
        wal_offset=4096,
        meta=turned,
        sections=((type_id, iter(records)) for type_id, records in split),
        files=files,
    )
    assert files.image().read("/s") == written()


def test_sections_are_cut_at_the_limit_and_hold_whole_records() -> None:
    large = encode(b"x" * 100)
    types = {1: [*RECORDS[1], large, *RECORDS[1]]}
    contents = read(written(types, section_bytes=60))
    assert records_of(contents) == types
    sizes = [len(part) for _, part in contents.sections]
    assert sum(size > 60 for size in sizes) == 1
    assert len(sizes) > 3
    assert contents.info.records == {1: 11}


def test_the_usual_limit_of_a_section() -> None:
    record = encode(b"x" * (1 << 20))
    contents = read(written({1: [record] * 20}))
    assert [len(part) <= SECTION_BYTES for _, part in contents.sections] == [True] * 3
    assert contents.info.records == {1: 20}


def test_the_last_section_counts_in_order() -> None:
    assert encode_end({6: (1, 1), 1: (2, 9)}) == encode({"counts": {1: [2, 9], 6: [1, 1]}})


def test_an_empty_state() -> None:
    contents = read(written({1: []}))
    assert (contents.sections, contents.info.records) == ((), {})


def test_opaque_sections_come_out_as_they_went_in() -> None:
    original = written(section_bytes=40)
    parts = read(original).sections
    for kept in ((1,), (6,), (200,), (1, 200), (1, 6, 200)):
        opaque = {type_id: [part for number, part in parts if number == type_id] for type_id in kept}
        types = {type_id: records for type_id, records in RECORDS.items() if type_id not in kept}
        assert written(types, section_bytes=40, opaque=opaque) == original


@pytest.mark.parametrize(
    ("types", "opaque"),
    [
        ({6: RECORDS[6], 1: RECORDS[1]}, {}),
        ({0: RECORDS[6]}, {}),
        ({255: RECORDS[6]}, {}),
        ({1: RECORDS[1]}, {1: [b"\x90"]}),
        ({}, {0: [b"\x90"]}),
        ({}, {255: [b"\x90"]}),
        ({}, {9: [b"\x01"]}),
    ],
)
def test_types_out_of_place_are_refused(types: Types, opaque: dict[int, list[bytes]]) -> None:
    files = SimulatedFiles()
    with pytest.raises(ValueError, match=r"type|array"):
        write("/s", types, files=files, opaque=opaque)
    assert files.image().paths() == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": bytes(8)},
        {"salt": b"x"},
        {"db_uuid": b""},
        {"ext": {0: ("x", 1)}},
        {"ext": {255: ("x", 1)}},
        {"cv": -1},
        {"cv": 1 << 64},
    ],
)
def test_an_impossible_meta_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bytes|type ids|unsigned"):
        encode_meta(msgspec.structs.replace(META, **changes))


@pytest.mark.parametrize(
    "changes", [{"cv": 0}, {"cv": (1 << 64) - 1}, {"ext": {1: ("first", 1), 254: ("last", 1)}}, {"ext": {}}]
)
def test_a_meta_at_the_edges_of_the_possible(changes: dict[str, object]) -> None:
    meta = msgspec.structs.replace(META, **changes)
    whole = sound(meta=section(META_TYPE, encode_meta(meta)), end=section(END_TYPE, encode_end({})))
    assert read(whole).meta == meta


@pytest.mark.parametrize("count", [0, 1, 15, 16, 255, 65_535, 65_536, (1 << 32) - 1])
def test_array_headers(count: int) -> None:
    header = encode_array_header(count)
    assert array_header(header + b"more") == (count, len(header))
    assert array_header(header[:-1]) is None
    if count < 100_000:
        assert header == encode([None] * count)[: len(header)]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
states = st.dictionaries(st.integers(1, 254), st.lists(values.map(encode), max_size=12), max_size=4)


@settings(deadline=None)
@given(states, st.integers(1, 300), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_round_trip(types: Types, limit: int, timestamp: int, wal_offset: int) -> None:
    ordered = dict(sorted(types.items()))
    data = written(ordered, section_bytes=limit, timestamp=timestamp, wal_offset=wal_offset)
    contents = read(data, salt=META.salt)
    assert records_of(contents) == {type_id: records for type_id, records in ordered.items() if records}
    assert (contents.info.timestamp, contents.info.wal_offset) == (timestamp, wal_offset)
    assert contents.info == check(data)
    for _, part in contents.sections:
        count, _ = array_header(part) or (0, 0)
        assert len(part) <= limit or count == 1
    again = ((number, map(bytes, iter_records(part))) for number, part in contents.sections)
    assert state_digest(again) == state_digest(ordered.items())


# -- the digest ----------------------------------------------------------------------------------------


def test_the_digest_is_of_type_length_and_bytes_of_each_record() -> None:
    expected = hashlib.sha256()
    for type_id, records in RECORDS.items():
        for record in records:
            expected.update(struct.pack("<BQ", type_id, len(record)) + record)
    assert state_digest(RECORDS.items()) == expected.hexdigest()


def test_the_digest_of_much() -> None:
    records = [bytes([number % 251]) * 40_000 for number in range(80)]
    once = state_digest([(1, records)])
    whole = b"".join(struct.pack("<BQ", 1, len(record)) + record for record in records)
    assert once == hashlib.sha256(whole).hexdigest()
    assert once == state_digest([(1, records[:41]), (1, iter(records[41:])), (2, [])])
    assert once != state_digest([(1, records[:79])])


def test_the_digest_tells_states_apart() -> None:
    states: list[list[tuple[int, list[bytes]]]] = [
        [],
        [(1, [b"ab", b"c"])],
        [(1, [b"a", b"bc"])],
        [(1, [b"abc"])],
        [(1, [b"c", b"ab"])],
        [(2, [b"abc"])],
        [(1, [b"ab"]), (2, [b"c"])],
    ]
    assert len({state_digest(state) for state in states}) == len(states)


def test_the_digest_wants_types_in_order() -> None:
    with pytest.raises(ValueError, match="after"):
        state_digest([(2, []), (1, [])])


# -- damage --------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found() -> None:
    data = written(section_bytes=40)
    for position in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[position] ^= 1 << bit
            if 10 <= position < 14:
                for reader in (check, read):
                    with pytest.raises(UnsupportedFormat):
                        reader(bytes(broken))
                continue
            assert damage(bytes(broken)).reason == ("magic" if position < 10 else "checksum")


def test_every_truncation_and_extension_is_found() -> None:
    data = written(section_bytes=40)
    for size in range(len(data)):
        assert damage(data[:size]).reason == ("short" if size < 34 else "checksum")
    for more in (b"\0", b"\xff", bytes(9), bytes(512), data[-4:], data):
        assert damage(data + more).reason == "checksum"


@pytest.mark.parametrize("version", [0, 2, 3, 255, 2**32 - 1])
def test_another_version_is_no_damage(version: int) -> None:
    body = b"INMEM_SNAP" + struct.pack("<I", version) + written()[14:-4]
    for reader in (check, read):
        with pytest.raises(UnsupportedFormat) as caught:
            reader(body + struct.pack("<I", zlib.crc32(body)))
        assert (caught.value.version, caught.value.path) == (version, "/s")


ONE = section(1, b"\x91\x01")
TWO = section(2, b"\x91\x01")
BOTH = section(END_TYPE, encode_end({1: (1, 1), 2: (1, 1)}))
REAL_META = section(META_TYPE, encode_meta(META))


def changed_meta(**changes: object) -> bytes:
    fields = msgspec.to_builtins(META, builtin_types=(bytes,), str_keys=False)
    return section(META_TYPE, encode({**fields, **changes}))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (sound(TWO, ONE, end=BOTH), "order"),
        (sound(ONE, REAL_META, TWO, end=BOTH), "order"),
        (sound(REAL_META, ONE, TWO, end=BOTH), "order"),
        (sound(meta=ONE), "meta"),
        (sound(meta=b""), "meta"),
        (sound(meta=section(META_TYPE, b"")), "meta"),
        (sound(meta=section(META_TYPE, b"\x80")), "meta"),
        (sound(meta=section(META_TYPE, b"\x91" * 100_000)), "meta"),
        (sound(meta=section(META_TYPE, encode_meta(META) + b"\xc0")), "meta"),
        (sound(meta=section(META_TYPE, bytes(2 << 20))), "meta"),
        (sound(meta=changed_meta(salt=bytes(8))), "meta"),
        (sound(meta=changed_meta(salt=b"short")), "meta"),
        (sound(meta=changed_meta(cv=-1)), "meta"),
        (sound(meta=section(META_TYPE, encode_meta(META).replace(b"plug", b"\xff\xff\xff\xff"))), "meta"),
        (sound(meta=changed_meta(ext={255: ["x", 1]})), "meta"),
        (sound(meta=changed_meta(later="x" * (2 << 20))), "meta"),
        (sound(ONE, TWO, end=b""), "end"),
        (sound(ONE, TWO, end=section(END_TYPE, b"\x80")), "end"),
        (sound(ONE, TWO, end=BOTH + b"\0"), "end"),
        (sound(ONE, TWO, end=BOTH + BOTH), "end"),
        (sound(ONE, TWO), "counts"),
        (sound(ONE, end=BOTH), "counts"),
        (sound(ONE, ONE, TWO, end=BOTH), "counts"),
        (sound(section(1, b"\x92\x01\x01"), TWO, end=BOTH), "counts"),
        (sound(section(1, b""), TWO, end=BOTH), "section"),
        (sound(section(1, b"\x01"), TWO, end=BOTH), "section"),
        (sound(section(1, b"\x81\x01\x01"), TWO, end=BOTH), "section"),
        (sound(section(1, b"\xdd\x00"), TWO, end=BOTH), "section"),
        (sound(section(1, b"\xdd\xff\xff\xff\xff\x01"), end=BOTH), "section"),
        (
            sound(section(1, b"\xdc\x00\xff" + bytes(254)), end=section(END_TYPE, encode_end({1: (1, 255)}))),
            "section",
        ),
        (sound(ONE, end=struct.pack("<BQ", 2, 2**63)), "section"),
        (sound(end=struct.pack("<BQ", END_TYPE, 10) + b"\x81\xa6counts\x80"), "section"),
        (sound(ONE, end=struct.pack("<BQ", 2, 2**64 - 1)), "section"),
        (sound(ONE, end=b"\x02\x00\x00"), "section"),
    ],
)
def test_a_right_checksum_over_wrong_sections(data: bytes, reason: str) -> None:
    assert damage(data).reason == reason


def test_unknown_fields_of_meta_are_let_be() -> None:
    assert read(sound(meta=changed_meta(later="x"))).meta == META


def test_a_snapshot_of_another_database() -> None:
    data = written()
    assert damage(data, salt=b"another!").reason == "salt"
    assert check(data, salt=META.salt).cv == 7


def test_a_snapshot_under_a_wrong_name() -> None:
    data = written()
    assert check(data, name=f"/{snapshot_name(4096)}").wal_offset == 4096
    assert damage(data, name=f"/{snapshot_name(4097)}").reason == "name"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x92\x01",
        b"\x91\x01\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000 + b"\x01",
        b"\x91\xc1",
    ],
)
def test_a_section_that_cannot_be_taken_apart(data: bytes) -> None:
    with pytest.raises(SnapshotCorruptError) as caught:
        iter_records(memoryview(data))
    assert caught.value.reason == "section"


@pytest.mark.parametrize(
    "data",
    [
        sound(section(1, b"\xdd\xff\xff\xff\xff" + bytes(9)), end=BOTH),
        sound(ONE, end=struct.pack("<BQ", 2, 2**40)),
        sound(meta=section(META_TYPE, b"\xdf\xff\xff\xff\xff" + bytes(9))),
        sound(meta=section(META_TYPE, b"\x81\xa7db_uuid\xc6\xff\xff\xff\xff" + bytes(9))),
        sound(ONE, TWO, end=section(END_TYPE, b"\x81\xa6counts\xdf\xff\xff\xff\xff" + bytes(9))),
    ],
)
def test_a_length_that_lies_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        damage(data)
        for part in (b"\xdd\xff\xff\xff\xff\x01", b"\x91\xdd\xff\xff\xff\xff", b"\x91\xc6\xff\xff\xff\xff"):
            with pytest.raises(SnapshotCorruptError):
                iter_records(part)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def read_everything(data: bytes) -> None:
    """Whatever the bytes are, a reader ends with them or with a typed error."""
    for reader in (check, read):
        try:
            found = reader(data)
            if isinstance(found, SnapshotContents):
                records_of(found)
        except EngineError:
            pass


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    read_everything(data)
    read_everything(encode_envelope(data, timestamp=1, wal_offset=2))
    read_everything(sound(section(1, data), end=section(END_TYPE, data)))
    read_everything(sound(meta=section(META_TYPE, data)))


@given(st.data())
def test_changed_bytes_under_a_right_checksum(data: st.DataObject) -> None:
    payload = bytearray(written(section_bytes=40)[30:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    read_everything(encode_envelope(bytes(payload), timestamp=1, wal_offset=2))


# -- the disk ------------------------------------------------------------------------------------------

LARGE = {1: [encode(bytes([number]) * 300_000) for number in range(9)]}


def test_each_failing_call_of_a_writer(tmp_path: Path) -> None:
    path = tmp_path / ".tmp-1-1"
    clean = FaultyFiles(OS)
    write(path, LARGE, files=clean)
    expected = path.read_bytes()
    assert clean.counts["write"] > 3
    assert clean.counts["fsync"] == 1
    for number in (errno.EIO, errno.ENOSPC):
        for nth in range(1, clean.counts["*"] + 1):
            path.unlink(missing_ok=True)
            files = FaultyFiles(OS, [Fault("*", nth, error=number)])
            with pytest.raises(DurabilityError, match=errno.errorcode[number]) as caught:
                write(path, LARGE, files=files)
            assert caught.value.path == str(path)
            assert caught.value.committed is True
            assert not path.exists()
            assert files.counts.get("close", 0) == files.counts["open"] - (nth == 1)
    for nth in range(1, clean.counts["*"] + 1):
        path.unlink(missing_ok=True)
        write(path, LARGE, files=FaultyFiles(OS, [Fault("*", nth, error=errno.EINTR)]))
        assert path.read_bytes() == expected


def test_a_device_that_fails_for_good_leaves_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / ".tmp-1-1"
    with pytest.raises(DurabilityError):
        write(path, files=FaultyFiles(OS, [Fault("*", 2, error=errno.EIO, lasting=True)]))
    assert path.stat().st_size == 0


@pytest.mark.parametrize("short", [1, 7, 100])
def test_short_writes_and_reads_are_finished(tmp_path: Path, short: int) -> None:
    path = tmp_path / "s"
    faults = [Fault("write", 1, short=short, lasting=True), Fault("pread", 1, short=short, lasting=True)]
    info = write(path, files=FaultyFiles(OS, faults))
    assert path.read_bytes() == written()
    files = FaultyFiles(OS, faults)
    assert check_snapshot(str(path), files) == info == read_snapshot(str(path), files=files).info


def test_a_write_that_does_nothing_ends(tmp_path: Path) -> None:
    with pytest.raises(DurabilityError):
        write(tmp_path / "s", files=FaultyFiles(OS, [Fault("write", 1, short=0, lasting=True)]))
    assert list(tmp_path.iterdir()) == []


class LyingFiles(FaultyFiles):
    """A device that says it wrote, and did otherwise."""

    def __init__(self, how: str, nth: int) -> None:
        super().__init__(OS)
        self.how = how
        self.nth = nth

    def write(self, fd: int, data: Data) -> int:
        done = super().write(fd, data)
        if self.counts["write"] == self.nth:
            size = self.inner.fstat(fd).st_size
            if self.how == "flip":
                old = self.inner.pread(fd, 1, size - 1)
                self.inner.pwrite(fd, bytes([old[0] ^ 1]), size - 1)
            elif self.how == "lose":
                self.inner.pwrite(fd, bytes(done), size - done)
            elif self.how == "cut":
                self.inner.ftruncate(fd, size - 1)
            else:
                self.inner.pwrite(fd, b"\0", size)
        return done


# A file cut or lengthened by its first write would be mended by the second.
@pytest.mark.parametrize(
    ("how", "nth"), [("flip", 1), ("flip", 2), ("lose", 1), ("lose", 2), ("cut", 2), ("more", 2)]
)
def test_what_does_not_read_back_is_refused(tmp_path: Path, how: str, nth: int) -> None:
    with pytest.raises(DurabilityError, match="read back") as caught:
        write(tmp_path / "s", files=LyingFiles(how, nth))
    assert caught.value.committed  # what the snapshot would have held is in the log
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"mine")
    with pytest.raises(DurabilityError, match="EEXIST"):
        write(path)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "of the source"), KeyError("x"), KeyboardInterrupt()])
def test_an_error_of_the_records_goes_up_and_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def records() -> Iterator[bytes]:
        yield from RECORDS[1]
        raise error

    sections: Iterable[tuple[int, Iterable[bytes]]] = [(1, records())]
    with pytest.raises(type(error)) as caught:
        write_snapshot(str(tmp_path / "s"), timestamp=1, wal_offset=2, meta=META, sections=sections)
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_power_lost_at_each_call_leaves_the_temporary_file_alone() -> None:
    place = "/db/snapshots/.tmp-1-1"
    other = f"/db/snapshots/{snapshot_name(10)}"
    whole = written(section_bytes=40)
    sound_images = torn_images = 0
    for calls in range(100):
        files = SimulatedFiles(crash_after=calls)
        files.put(other, b"older")
        crashed = False
        try:
            write(place, files=files, section_bytes=40)
        except SimulatedCrash:
            crashed = True
        for image in files.crash_images():
            assert image.read(other) == b"older"
            assert set(image.paths()) <= {"/db", "/db/snapshots", other, place}
            if image.read(place) is None:
                continue
            try:
                found = read_snapshot(place, files=SimulatedFiles(image))
            except SnapshotCorruptError:
                torn_images += 1
            else:
                assert image.read(place) == whole
                assert records_of(found) == RECORDS
                sound_images += 1
        if not crashed:
            break
    else:
        pytest.fail("the writer never ended")
    assert sound_images
    assert torn_images


def test_a_finished_snapshot_is_on_the_disk() -> None:
    files = SimulatedFiles()
    files.put("/db/snapshots/x")
    write("/db/snapshots/.tmp-1-1", files=files)
    files.fsync_dir("/db/snapshots")
    assert {image.read("/db/snapshots/.tmp-1-1") for image in files.crash_images()} == {written()}


@pytest.mark.parametrize("reader", [check_snapshot, read_snapshot])
def test_each_failing_call_of_a_reader(tmp_path: Path, reader: type[object]) -> None:
    path = tmp_path / "s"
    write(path, LARGE)
    clean = FaultyFiles(OS)
    reader(str(path), files=clean)  # type: ignore[call-arg]
    for nth in range(1, clean.counts["*"] + 1):
        files = FaultyFiles(OS, [Fault("*", nth, error=errno.EIO)])
        try:
            reader(str(path), files=files)  # type: ignore[call-arg]
        except SnapshotCorruptError as error:
            assert (error.reason, error.path) == ("unreadable", str(path))
        except InputUnreadable:
            assert nth <= 2  # open, fstat
        else:
            assert nth == clean.counts["*"]  # close: nothing that could be lost
        assert files.counts.get("close", 0) == files.counts["open"] - (nth == 1)


def test_a_file_that_shrinks_under_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write(path, LARGE)
    for nth in (1, 2, 3):
        data = path.read_bytes()
        cut = Fault("pread", nth, before=lambda: path.write_bytes(b"x"))
        with pytest.raises(SnapshotCorruptError) as caught:
            check_snapshot(str(path), FaultyFiles(OS, [cut]))
        assert caught.value.reason == "short"
        path.write_bytes(data)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    for reader in (check_snapshot, read_snapshot):
        with pytest.raises(InputMissing):
            reader(str(tmp_path / "none"))
        with pytest.raises(SnapshotCorruptError, match="a folder, where a regular file is needed") as caught:
            reader(str(tmp_path))
        assert caught.value.reason == "no file"
        # No statement on what is in it: it may be sound.
        with pytest.raises(InputUnreadable):
            reader("a\0b")


def test_a_check_holds_little_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "s"
    record = encode(b"x" * 100_000)
    tracemalloc.start()
    try:
        write_snapshot(
            str(path), timestamp=1, wal_offset=2, meta=META, sections=[(1, (record for _ in range(400)))]
        )
        check_snapshot(str(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 40_000_000
    assert peak < 2 * SECTION_BYTES + (4 << 20)


# -- the folder ----------------------------------------------------------------------------------------


def test_snapshots_are_listed_by_position(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert list_snapshots(root) == ()
    folder = Path(snapshots_folder(root))
    folder.mkdir()
    assert list_snapshots(root) == ()
    for offset, size in ((500, 1), (70, 3), (1 << 40, 2)):
        (folder / snapshot_name(offset)).write_bytes(bytes(size))
    for other in (".tmp-1-1", f"{snapshot_name(3)}.bad", "snapshot_12.dat", "notes", f".{snapshot_name(4)}"):
        (folder / other).write_bytes(b"x")
    found = list_snapshots(root)
    assert [(file.wal_offset, file.size) for file in found] == [(1 << 40, 2), (500, 1), (70, 3)]
    assert found[0].path == str(folder / snapshot_name(1 << 40))


def test_a_snapshot_removed_while_listing(tmp_path: Path) -> None:
    folder = Path(snapshots_folder(str(tmp_path)))
    folder.mkdir()
    for offset in (1, 2):
        (folder / snapshot_name(offset)).write_bytes(b"x")
    gone = Fault("stat", 1, before=lambda: (folder / snapshot_name(1)).unlink())
    assert [file.wal_offset for file in list_snapshots(str(tmp_path), FaultyFiles(OS, [gone]))] == [2]


def test_each_failing_call_of_a_listing(tmp_path: Path) -> None:
    folder = Path(snapshots_folder(str(tmp_path)))
    folder.mkdir()
    (folder / snapshot_name(1)).write_bytes(b"x")
    clean = FaultyFiles(OS)
    list_snapshots(str(tmp_path), clean)
    for nth in range(1, clean.counts["*"] + 1):
        with pytest.raises(DevStateError):
            list_snapshots(str(tmp_path), FaultyFiles(OS, [Fault("*", nth, error=errno.EACCES)]))
