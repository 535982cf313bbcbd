"""The words and rows of the log, its filter, positions, and the search that goes on where the log grew."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import tui_database as databases
from devstate.engine import Database
from devstate.engine.envelope import encode_entry
from devstate.engine.inspection import SegmentIndex, SnapshotVerdict, look_at
from devstate.engine.segments import Segment
from devstate.errors import InputUnreadable, UsageError
from devstate_tui.models.wal import WalModel, fitting_bytes
from devstate_tui.models.wal_files import file_lines, folder_verdict
from devstate_tui.models.wal_filter import parse_wal_filter
from devstate_tui.screens.dialogs.position import read_position
from devstate_tui.screens.wal.rows import EntrySource
from devstate_tui.services.log_finder import LogSearch
from devstate_tui.services.log_reader import LogReader
from devstate_tui.widgets.fitting import cell_len


class FromFile:
    """Bytes of a segment, read from its file; counts the reads."""

    reads = 0

    def part_of(self, segment: Segment, offset: int, size: int) -> bytes:
        self.reads += 1
        return Path(segment.path).read_bytes()[offset : offset + size]


def model_of(db: Path) -> WalModel:
    look = look_at(str(db))
    segment = look.segments[-1]
    index = SegmentIndex(segment.start, salt=look.salt, last_cv=0 if segment.start == 0 else None)
    for _ in index.extend(Path(segment.path).read_bytes(), 0):
        pass
    return WalModel(segment, index, FromFile())


def never() -> bool:
    return False


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ([3, 1_700_000_000_000_000, 1, 0, bytes(16), 7], "1 entry, 11-14 22:13:20"),
        ([3, 1_700_000_000_000_000, 2, 0, bytes(16), 7, "later"], "2 entries, 11-14 22:13:20"),
        ([3, 1_700_000_000_000_000, 2, 0, b"short", 7], "2 entries, 11-14 22:13:20"),
        ([3, "never", -1, 0, bytes(16), 7], '-1 entries, r"'),
        ([3], "? entries, "),
        ("no marker", "? entries, "),
    ],
)
def test_what_a_marker_says_whatever_is_in_it(tmp_path, payload, words):
    model = model_of(databases.sound(tmp_path / "db", runs=1, puts=1))
    entry = encode_entry(0x00, bytes(16), msgspec.msgpack.encode(payload))
    assert model.what(entry, 0) == words


def test_what_entries_say(tmp_path):
    model = model_of(databases.sound(tmp_path / "db", runs=1, puts=2))
    said = {(row.name, row.what) for row in map(model.row, range(len(model)))}
    assert {
        ("RunCreate", 'solve-0 tags=["eval"] metadata={"seed": 0}'),
        ("JsonCreate", 'plan $ = {"steps": [{"do": "search"}]}'),
        ("JsonSet", "plan $.steps[0].done = true"),
        ("EventAppend", '0 tool_call {"q": "größer 東京"}'),
        ("KvPut", 'key1 = {"n": 1}'),
        ("StateInit", 'phase = "plan"'),
        ("RunEnd", 'status="failed" reason="bad luck"'),
    } <= said


def test_braces_hold_transactions_together(tmp_path):
    model = model_of(databases.sound(tmp_path / "db", runs=1, puts=2))
    braces = "".join(model.row(row).brace for row in range(len(model)))
    assert braces.startswith("┌│└┌└") and braces.replace("│", "").replace("┌└", "") == ""


def test_rows_near_each_other_are_read_at_once(tmp_path):
    model = model_of(databases.sound(tmp_path / "db"))
    for row in range(len(model)):
        model.row(row)
    assert model._source.reads == 1


def test_a_large_value_is_told_by_its_size(tmp_path):
    with Database.open(tmp_path / "db") as db:
        run = db.begin_run(name="large")
        db.kv.put(run, "blob", b"\0" * 200_000)
    model = model_of(tmp_path / "db")
    assert any(model.row(row).what == "blob (200.1 kB)" for row in range(len(model)))
    row = next(row for row in range(len(model)) if model.row(row).what.startswith("blob"))
    value = next(field for field in model.fields(row) if field.name == "value")
    assert value.value == "200,005 bytes"


def test_a_row_as_json(tmp_path):
    model = model_of(databases.sound(tmp_path / "db", runs=1))
    told = json.loads(model.document(0))
    assert (told["name"], told["lsn"], told["status"], told["defect"]) == ("RunCreate", 0, "ok", None)


def test_entries_behind_lost_data_are_cut_off_but_not_behind_history(tmp_path):
    model = model_of(databases.flipped(tmp_path / "db"))
    first = model.index.defects[0]
    assert model.row(first).tone == "bad"
    assert model.row(len(model) - 1).word == "cut off"
    assert "behind damage" in model.title(len(model) - 1)[1]
    model.base = 10**9
    assert model.row(first).tone == "look" and "snapshot" in model.row(first).fault
    assert model.row(len(model) - 1).word == "ok"


@pytest.mark.parametrize(
    ("make", "glyph", "word"),
    [
        (databases.sound, "✔", "sound"),
        (databases.torn, "!", "torn tail"),
        (databases.flipped, "✘", "damaged at"),
    ],
)
def test_the_verdict_on_a_file(tmp_path, make, glyph, word):
    look = look_at(str(make(tmp_path / "db")))
    model = model_of(tmp_path / "db")
    indexes = {model.index.start: model.index}
    (line,) = file_lines(look, indexes, {0}, {})
    assert line.glyph == glyph and line.word.startswith(word)
    assert folder_verdict([line])[1] == line.tone
    (line,) = file_lines(look, indexes, set(), {}, done=False)
    assert line.word.startswith("reading") and folder_verdict([line])[1] == "muted"
    (line,) = file_lines(look, {}, set(), {})
    assert "not read" in line.word


def test_a_rejected_snapshot_says_why_without_its_path(tmp_path):
    look = look_at(str(databases.sound(tmp_path / "db", snapshot=True)))
    path = look.snapshots[0].path
    lines = file_lines(
        look, {}, set(), {path: SnapshotVerdict(reason=f"{path} is not a sound snapshot: it is short")}
    )
    assert next(line.word for line in lines if line.path == path) == "rejected: it is short"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1200, "1.2 kB"),
        (67_108_864, "67.1 MB"),
        (5e9, "5.0 GB"),
    ],
)
def test_sizes(count, said):
    assert fitting_bytes(int(count)) == said


@pytest.mark.parametrize(
    ("text", "lsn"),
    [
        ("4096", 4096),
        ("0x10", 16),
        ("4,096", 4096),
        ("50%", 5000),
        ("100%", 10_000),
        ("-1", 10_000),
        ("0", 0),
    ],
)
def test_positions(text, lsn):
    assert read_position(text, 0, 10_000) == lsn


@pytest.mark.parametrize("text", ["", "x", "10001", "-20000", "0xzz", "1.5"])
def test_positions_that_are_none(text):
    with pytest.raises(UsageError):
        read_position(text, 0, 10_000)


def test_the_parts_of_a_filter():
    chosen = parse_wal_filter("type:kv run:4F1C-aa cv:12 tx:9 is:defect Two words")
    assert chosen.types == {0x10, 0x11} and chosen.run == "4f1caa"
    assert (chosen.cv, chosen.tx, chosen.defects, chosen.words) == (12, 9, True, (b"two", b"words"))
    assert parse_wal_filter("type:0x70").types == {0x70}
    assert parse_wal_filter("type:KvPut type:Commit").types == {0x10, 0x00}
    for wrong in ("type:", "type:0xgg", "run:", "tx:one", "is:", "colour:red"):
        with pytest.raises(UsageError):
            parse_wal_filter(wrong)


def test_a_search_goes_on_where_the_log_grew(tmp_path):
    db = databases.sound(tmp_path / "db")
    reader = LogReader(str(db))
    reader.read(None, tell=lambda: None, cancelled=never)
    assert reader.done and reader.whole == {0}
    index = reader.indexes[0]
    model = WalModel(reader.look.segments[-1], index, reader)  # type: ignore[union-attr]
    search = LogSearch(model, parse_wal_filter("key3"), "key3")
    search.run(tell=lambda: None, cancelled=never)
    assert len(search.found) == 3 and search.done
    with Database.open(db) as writer:
        run = writer.begin_run(name="more")
        writer.kv.put(run, "key3", "again")
    reader.read(None, tell=lambda: None, cancelled=never)
    assert reader.indexes[0] is index, "only the new bytes were read"
    assert not search.done
    search.run(tell=lambda: None, cancelled=never)
    assert len(search.found) == 4
    reader.close()


def test_a_file_that_was_replaced_is_indexed_anew(tmp_path):
    db = databases.sound(tmp_path / "db")
    reader = LogReader(str(db))
    reader.read(None, tell=lambda: None, cancelled=never)
    index = reader.indexes[0]
    segment = databases.segment_of(db)
    data = bytearray(segment.read_bytes())
    data[data.index(b"key7")] ^= 0x20
    segment.write_bytes(data)
    reader.read(None, tell=lambda: None, cancelled=never)
    assert reader.indexes[0] is not index and reader.indexes[0].defects
    reader.close()


def test_a_pass_that_is_cancelled_goes_on_later(tmp_path):
    db = databases.sound(tmp_path / "db", puts=300)
    reader = LogReader(str(db))
    reader.read(None, tell=lambda: None, cancelled=lambda: len(reader.indexes.get(0, ())) > 100)
    assert not reader.done and len(reader.indexes[0]) > 0
    reader.read(None, tell=lambda: None, cancelled=never)
    assert reader.done and not reader.indexes[0].defects
    assert reader.indexes[0].end == databases.segment_of(db).stat().st_size
    reader.close()


def test_a_row_that_cannot_be_read_any_more_says_so(tmp_path):
    class Gone:
        def part_of(self, segment: Segment, offset: int, size: int) -> bytes:
            raise InputUnreadable("the disk is away", path=segment.path)

    model = model_of(databases.sound(tmp_path / "db"))
    source = EntrySource(WalModel(model.segment, model.index, Gone()))
    assert "the disk is away" in source.cells(0, 100)[0][0]
    short = EntrySource(WalModel(model.segment, model.index, FromFile()))
    Path(model.segment.path).write_bytes(b"")
    assert short.cells(0, 100)[0][0].startswith("…")
    assert short.cells(10**6, 100)[0][0].startswith("…")


def test_cells_fill_their_width_at_every_width(tmp_path):
    model = model_of(databases.flipped(tmp_path / "db"))
    source = EntrySource(model)
    for width in range(60, 200, 7):
        heading = cell_len(source.heading(width))
        assert heading <= width
        for row in (0, 1, model.index.defects[0], len(model) - 1):
            assert sum(cell_len(text) for text, _ in source.cells(row, width)) <= width + 1
