"""Reading a database folder for people: every byte accounted for, the verdicts of recovery, nothing touched."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine import Database
from devstate.engine.envelope import encode_entry
from devstate.engine.inspection import (
    SegmentIndex,
    describe_entry,
    describers,
    entry_fields,
    entry_head,
    judge_snapshot,
    look_at,
    preview_opening,
    type_name,
)
from log_samples import SALT, Commit, commit, commits, joined


def indexed(data: bytes, *, start: int = 0, last: bool = True) -> SegmentIndex:
    index = SegmentIndex(start, salt=SALT, last_cv=0 if start == 0 else None, last=last)
    for _ in index.extend(data, 0):
        pass
    return index


def marks(index: SegmentIndex) -> list[str]:
    return [index.mark(row) for row in range(len(index))]


def rows_of(made: Commit) -> int:
    return len(made.content) + 1


def a_database(path: Path, *, snapshot: bool = False) -> Path:
    with Database.open(path) as db:
        with db.run(name="solve", tags=["eval"]) as run:
            run.kv.put("model", "m1")
            run.json.create("plan", {"steps": [{"do": "search"}]})
            run.events.append("tool_call", {"q": "größer"})
        if snapshot:
            db.snapshot()
            db.begin_run(name="later")
    return path


def fingerprint(root: Path) -> dict[str, tuple[str, int, int]]:
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
            path.stat().st_ino,
        )
        for path in [root, *root.rglob("*")]
    }


# -- the index --------------------------------------------------------------------------------------------


def test_a_sound_segment_is_transactions_and_nothing_else():
    made = commits(20)
    index = indexed(joined(made))
    assert not index.defects and not index.unfinished
    assert (index.commits, index.first_cv, index.last_cv) == (20, 1, 20)
    assert marks(index) == [mark for one in made for mark in [*["committed"] * len(one.content), "commit"]]
    assert [index.span(row) for row in range(3)] == [
        (0, len(made[0].pieces()[0])),
        (len(made[0].pieces()[0]), len(made[0].pieces()[1])),
        (len(made[0].pieces()[0]) + len(made[0].pieces()[1]), len(made[0].pieces()[2])),
    ]


def test_rows_cover_every_byte_whatever_is_in_the_file():
    data = bytearray(joined(commits(8)))
    for at in range(0, len(data), 7):
        broken = bytes(data[:at]) + bytes([data[at] ^ 0x55]) + bytes(data[at + 1 :])
        index = indexed(broken)
        assert sum(index.span(row)[1] for row in range(len(index))) == len(broken)
        assert index.defects, f"the flip at byte {at} goes unnoticed"


@given(st.binary(max_size=400))
def test_any_bytes_are_indexed(data: bytes):
    index = indexed(data)
    assert sum(index.span(row)[1] for row in range(len(index))) == len(data)
    for row in range(len(index)):
        offset, size = index.span(row)
        entry_head(data[offset : offset + size])
        assert entry_fields(data[offset : offset + size])


def test_damage_in_the_middle_is_lost_data_and_says_so():
    made = commits(6)
    data = bytearray(joined(made))
    data[made[2].lsn + 23] ^= 0xFF
    index = indexed(bytes(data))
    first = sum(map(rows_of, made[:2]))
    assert index.defects[0] == first
    assert {index.damage(row) for row in index.defects} == {"lost"}
    assert index.reasons[first] == "checksum"
    assert index.mark(first) == "damaged"
    assert index.last_cv == 6, "what follows is to be seen"


def test_a_failed_write_between_two_commits_is_a_harmless_gap():
    made = commits(2)
    half = made[1].data[:40]
    third = commit(2, made[0].end + len(half), sequence=3)
    index = indexed(made[0].data + half + third.data)
    assert index.counts() == {"gap": 1}


def test_a_torn_end_is_a_tail_in_the_last_segment_only():
    data = joined(commits(4))[:-10]
    assert set(indexed(data).counts()) == {"tail"}
    assert set(indexed(data, last=False).counts()) == {"lost"}
    assert indexed(data).unfinished > 0


def test_missing_commits_show_at_the_one_behind_them():
    made = commits(4)
    third = commit(3, made[0].end)
    index = indexed(made[0].data + third.data)
    row = rows_of(made[0]) + rows_of(third) - 1
    assert (index.defects, index.reasons[row], index.damage(row)) == ([row], "sequence", "lost")


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        (lambda one: commit(one.cv, one.lsn + 1), "position"),
        (lambda one: commit(1, one.lsn), "duplicate"),
        (lambda one: commit(one.cv, one.lsn, salt=b"othersal"), "foreign"),
    ],
)
def test_markers_that_do_not_fit(marker, reason):
    first = commit(1, 0)
    wrong = marker(commit(2, first.end))
    index = indexed(first.data + wrong.data)
    assert reason in index.reasons.values()


def test_swapped_entries_do_not_fit_their_marker():
    first, second, closing = commit(2, 0).pieces()[0], commit(2, 0).pieces()[1], commit(2, 0).pieces()[-1]
    index = SegmentIndex(0, salt=SALT, last_cv=1)
    list(index.extend(second + first + closing, 0))
    assert "commit" in index.reasons.values()


def test_the_index_grows_with_the_file_and_forgets_what_was_unfinished():
    data = joined(commits(30))
    index = SegmentIndex(0, salt=SALT, last_cv=0)
    for end in [*range(0, len(data), 61), len(data)]:
        since = index.resume()
        list(index.extend(data[since:end], since))
    whole = indexed(data)
    assert (index.offsets, index.types, index.marks) == (whole.offsets, whole.types, whole.marks)
    assert not index.defects and index.end == len(data)


def test_the_row_at_a_position_and_its_transaction():
    made = commits(9)
    index = indexed(joined(made))
    first = sum(map(rows_of, made[:4]))
    assert index.row_at(made[4].lsn) == first
    assert index.row_at(made[4].lsn + 5) == first
    assert index.row_at(10**9) == len(index) - 1
    assert index.transaction(first) == (first, first + rows_of(made[4]) - 1)


# -- entries ----------------------------------------------------------------------------------------------


def test_the_fields_of_an_entry_stand_where_the_format_puts_them():
    entry = bytes.fromhex(
        "3f0000001001010000000000000000112233445566"
        "7795c410000102030405060708090a0b0c0d0e0fa46b65793101cf00060a24181e4000a676616c756531dbedcf2d"
    )
    fields = {field.name: field for field in entry_fields(entry)}
    assert fields["length"].value == "63"
    assert fields["type"].value == "0x10 KvPut"
    assert fields["tx salt"].value == "0011223344556677"
    assert fields["key"].value == '"key1"' and entry[fields["key"].start : fields["key"].end] == b"\xa4key1"
    assert fields["ts"].value == "2023-11-14T22:13:20.000000Z"
    assert fields["checksum"].value == "0x2dcfeddb"
    outer = [field for field in entry_fields(entry) if not field.depth]
    assert [field.start for field in outer[1:]] == [field.end for field in outer[:-1]]
    assert (outer[0].start, outer[-1].end) == (0, len(entry))


@pytest.mark.parametrize(
    ("payload", "head"),
    [
        ([b"r" * 16, "k", 3, 4, "more"], (b"r" * 16, "k", 3, 4)),
        ([b"r" * 16, 7, 3, 4], (b"r" * 16, 7, 3, 4)),
        ([b"r" * 16, None, 3, 4, {"a": [1]}], (b"r" * 16, None, 3, 4)),
        (["no run", "k", 3, 4], (None, "k", 3, 4)),
        ([b"r", 1.5, "3", 4.0], (b"r", None, None, None)),
        ([b"r", [1], None, -4], (b"r", None, None, -4)),
        ([b"r", "k", 3], (None, None, None, None)),
        ({"cv": 3}, (None, None, None, None)),
        (5, (None, None, None, None)),
    ],
)
def test_the_head_of_an_entry_is_what_can_be_told_of_it(payload: object, head: tuple[object, ...]):
    for tail in (b"", b"\x01"):  # bytes behind the payload: no part of it can be believed
        entry = encode_entry(0x70, (9).to_bytes(8, "little") + SALT, msgspec.msgpack.encode(payload) + tail)
        found = entry_head(entry)
        expected = (None,) * 4 if tail else head
        assert (found.run, found.key, found.cv, found.ts) == expected
        assert found.sequence == 9
        assert entry_head(entry[:-6] + entry[-4:]).sequence == 9


def test_an_unknown_type_is_told_by_its_number(tmp_path):
    entry = encode_entry(0x70, bytes(8) + SALT, b"\x94\xc4\x10" + bytes(16) + b"\xa1k\x01\x02")
    assert type_name(0x70) == "type 0x70"
    told = describe_entry(entry, 0, describers())
    assert (told["name"], told["cv"], told["content"]["key"]) == ("type 0x70", 1, '"k"')


def test_an_entry_is_described_by_its_kind(tmp_path):
    root = a_database(tmp_path / "db")
    segment = look_at(str(root)).segments[0]
    data = Path(segment.path).read_bytes()
    index = SegmentIndex(0)
    list(index.extend(data, 0))
    kinds = describers()
    told = []
    for row in range(len(index)):
        offset, size = index.span(row)
        told.append(describe_entry(data[offset : offset + size], offset, kinds))
    put = next(one for one in told if one["name"] == "KvPut")
    assert put["content"] == {"op": "put", "key": "model", "value": "m1"}
    event = next(one for one in told if one["name"] == "EventAppend")
    assert event["content"]["payload"] == {"q": "größer"}


# -- the folder -------------------------------------------------------------------------------------------


def test_what_is_no_database(tmp_path):
    assert not look_at(str(tmp_path / "none")).there
    (tmp_path / "other").mkdir()
    assert look_at(str(tmp_path / "other")) == type(look_at(""))(str(tmp_path / "other"))
    (tmp_path / "other" / "letter.txt").write_text("x")
    assert look_at(str(tmp_path / "other")).other
    assert look_at(str(tmp_path / "other" / "letter.txt")).other


def test_what_is_in_a_folder(tmp_path):
    root = a_database(tmp_path / "db", snapshot=True)
    look = look_at(str(root))
    assert look.there and look.meta is not None and look.clean is not None and not look.fault
    assert len(look.snapshots) == 1 and judge_snapshot(look.snapshots[0], look.salt).info is not None
    assert look.holder is None or look.holder == os.getpid()


def test_a_damaged_snapshot_and_a_damaged_meta_are_told(tmp_path):
    root = a_database(tmp_path / "db", snapshot=True)
    snapshot = next((root / "snapshots").iterdir())
    data = bytearray(snapshot.read_bytes())
    data[60] ^= 1
    snapshot.write_bytes(data)
    (root / "META").write_bytes(b"x")
    look = look_at(str(root))
    assert look.fault and look.salt is None
    assert "checksum" in judge_snapshot(look.snapshots[0], None).reason


def test_who_holds_it(tmp_path):
    with Database.open(tmp_path / "db") as db:
        db.begin_run(name="x")
        assert look_at(str(tmp_path / "db")).holder == os.getpid()


def test_what_opening_would_do(tmp_path):
    root = a_database(tmp_path / "db", snapshot=True)
    sound = preview_opening(str(root))
    assert sound.result is not None and sound.result.snapshot_used is not None and sound.lost is None
    wal = max((root / "wal").iterdir())
    data = bytearray(wal.read_bytes())
    (root / "CLEAN").unlink()
    wal.write_bytes(data + b"\x01\x02")
    torn = preview_opening(str(root))
    assert torn.result is not None and torn.result.tail_bytes_discarded == 2
    first = root / "wal" / wal.name
    whole = a_database(tmp_path / "other")
    segment = next((whole / "wal").iterdir())
    bad = bytearray(segment.read_bytes())
    bad[len(bad) // 3] ^= 0xFF
    segment.write_bytes(bad)
    damaged = preview_opening(str(whole))
    assert damaged.lost is not None and "destroyed" in " ".join(damaged.lost.sentences())
    assert first.exists()
    nothing = preview_opening(str(tmp_path / "nowhere"))
    assert nothing.fault is not None


def test_inspecting_changes_nothing_and_takes_no_lock(tmp_path):
    root = a_database(tmp_path / "db", snapshot=True)
    before = fingerprint(root)
    look = look_at(str(root))
    for file in look.snapshots:
        judge_snapshot(file, look.salt)
    preview_opening(str(root))
    assert fingerprint(root) == before
    with Database.open(root):  # exclusively
        pass
    for name in ("LOCK", "WRITERS"):
        with open(root / name, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
