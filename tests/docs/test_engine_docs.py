"""The pages on the engine: their vectors, examples and tables, held to what the engine does."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import pytest

from devstate.engine import Database
from devstate.engine import errors as engine_errors
from devstate.engine.builtin import builtin_registry
from devstate.engine.errors import UnsupportedFormat, WalCorruptionError
from devstate.engine.framing import (
    SnapshotMark,
    frame_abort,
    frame_snapshot_mark,
    frame_transaction,
    make_tx_id,
)
from devstate.engine.history_index import build_index
from devstate.engine.recovery_result import RecoveryOptions
from devstate.engine.reports import REASONS
from devstate.engine.scan import ListedEntry, scan_entries
from devstate.engine.snapshot_file import encode_envelope
from devstate.engine.snapshotting import commits_in

DOCS = Path(__file__).parents[2] / "docs"
RUN = bytes(range(16))
RUN_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
SALT = bytes.fromhex("0011223344556677")
TS = 1_700_000_000_000_000
OWNER = [4711, "box", "88215", "b7", "h1"]
SEGMENT = f"wal/{0:020d}.wal"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def vectors(name: str) -> dict[str, bytes]:
    """The lines `name  hex` of the page's vectors, the hex of one over several lines and spaces."""
    found: dict[str, bytes] = {}
    for block in re.findall(r"```text\n(.*?)```", page(name).partition("\n## Vectors\n")[2], re.DOTALL):
        for part in re.split(r"^(?=[A-Z])", block, flags=re.MULTILINE):
            if part.strip():
                title, _, digits = part.partition("  ")
                found[title] = bytes.fromhex("".join(digits.split()))
    return found


def entropy(size: int) -> bytes:
    return (SALT * 4)[:size]


def log_of(root: Path) -> bytes:
    """The whole log: its segments one after the other."""
    return b"".join(path.read_bytes() for path in sorted((root / "wal").iterdir()))


def make_sample(root: str) -> dict[str, bytes]:
    """A database whose log holds an entry of each type; its vectors by the names on the pages."""
    db = Database.open(root, now=lambda: TS, entropy=entropy, owner=OWNER)
    db.begin_run(RUN_TEXT, name="solve", tags=["eval"], metadata={"seed": 7})
    run = db.handle(RUN_TEXT)
    run.kv.put("key1", "value1")
    run.kv.put("key2", 1.5, ttl=60)
    run.kv.delete("key1")
    run.json.create("plan", {"steps": []})
    run.json.set("plan", "$.steps[0]", "look")
    run.json.patch("plan", [("set", "goal", "win"), ("delete", "$.steps[0]")])
    run.json.delete("plan")
    run.events.append("tick", {"n": 1})
    run.state.init("phase", "think")
    run.state.transition("phase", lambda value: "act", label="go")
    run.state.cas("phase", 2, "rest")
    run.state.delete("phase")
    run.traces.record("decision", "choose", tags=["a"], attrs={"k": 1}, start=5, end=9, span_id="s1")
    db.pause_run(RUN_TEXT)
    db.resume_run(RUN_TEXT)
    info = db.snapshot()
    db.end_run(RUN_TEXT)
    db.close()
    data = log_of(Path(root))
    names = {0x10: "KvPut", 0x11: "KvDelete", 0x20: "JsonCreate", 0x21: "JsonSet", 0x22: "JsonDelete",
             0x23: "JsonPatch", 0x30: "EventAppend", 0x40: "StateInit", 0x41: "StateSet",
             0x42: "StateTransition", 0x50: "TraceRecord", 0x60: "RunCreate", 0x61: "RunUpdate",
             0x62: "RunEnd", 0x63: "RunBegin"}  # fmt: skip
    found: dict[str, bytes] = {}
    for entry in scan_entries(data, 0):
        assert isinstance(entry, ListedEntry)
        if entry.entry_type in names:
            title = names[entry.entry_type]
            number = sum(known.split(" ")[0] == title for known in found) + 1
            found[title if number == 1 else f"{title} {number}"] = entry.payload
    found["META"] = Path(root, "META").read_bytes()
    found["CLEAN"] = Path(root, "CLEAN").read_bytes()
    found["INDEX"] = build_index(commits_in(data, 0), start=0, end=len(data))
    found["SNAPSHOT"] = Path(info.path).read_bytes()
    return found


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return make_sample(str(tmp_path_factory.mktemp("vectors") / "db"))


def envelopes() -> dict[str, bytes]:
    tx_id = make_tx_id(1, SALT)
    payload = msgspec.msgpack.encode([RUN, "key1", 1, TS, "value1"])
    both = frame_transaction([(0x10, payload)], tx_id, RUN, 1, TS, 0)
    mark = SnapshotMark(file=f"snapshot_{129:020d}.dat", wal_offset=129, cv=1, ts=TS, crc32=1)
    return {
        "Entry": both[:67],
        "Commit": both[67:],
        "Abort": frame_abort(tx_id, ""),
        "Note": frame_snapshot_mark(mark),
    }


WAL, SNAPSHOT = "formats/wal.md", "formats/snapshot.md"


def test_the_vectors_of_the_log_are_what_the_engine_writes(sample: dict[str, bytes]) -> None:
    expected = {**envelopes(), **sample}
    del expected["SNAPSHOT"]
    assert vectors(WAL) == expected


def test_the_vectors_of_snapshots_are_what_the_engine_writes(sample: dict[str, bytes]) -> None:
    assert vectors(SNAPSHOT) == {
        "ENVELOPE": encode_envelope(b"", timestamp=TS, wal_offset=0),
        "SNAPSHOT": sample["SNAPSHOT"],
    }


def test_the_vectors_have_an_entry_of_every_type() -> None:
    titles = {title.split(" ")[0] for title in vectors(WAL)}
    assert {name for name, _ in types_of_page().values()} <= titles


def types_of_page() -> dict[int, tuple[str, str]]:
    """The data types of the page: number to name and key."""
    rows = re.findall(r"^\| 0x(..) \| (\w+) \| (.*?) \| .*?\|$", page(WAL), re.MULTILINE)
    return {int(number, 16): (name, key) for number, name, key in rows}


def test_the_types_of_the_page_are_those_that_have_a_handler() -> None:
    handled = {number for kind in builtin_registry().instances() for number in kind.wal_entry_types()}
    assert set(types_of_page()) == handled
    assert len(handled) == 15


def test_every_verdict_has_its_word() -> None:
    named = set(re.findall(r"\(`([a-z]+)`\)", page(WAL)))
    assert named <= set(REASONS)
    assert {
        "sequence",
        "position",
        "time",
        "missing",
        "overlap",
        "inapplicable",
        "vanished",
        "gaps",
        "nested",
    } <= named


def test_the_reasons_for_rejecting_a_snapshot() -> None:
    from devstate.engine.snapshot_reading import check_snapshot

    table = page(SNAPSHOT).partition("\n## Loading\n")[2]
    named = set(re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE))
    told = (check_snapshot.__doc__ or "").partition("`reason`:")[2].partition(")")[0]
    assert named == {*re.findall(r"`([a-z]+)`", told), "records"}


def test_the_fields_of_a_run_in_their_order(sample: dict[str, bytes]) -> None:
    from devstate.engine.snapshot_reading import iter_records

    text = page(SNAPSHOT).partition("The fields of a run, in this order: ")[2].partition("\n`last_lsn`")[0]
    named = re.findall(r"\b[a-z]+(?:_[a-z]+)*\b", " ".join(re.findall(r"`([a-z_, ]+)`", text)))
    data = sample["SNAPSHOT"]
    start = data.index(b"\x91\x94\xc4\x10" + RUN + b"\x10")
    (record,) = iter_records(data[start : data.index(b"\xff\x21\0\0\0\0\0\0\0", start)])
    fields = list(msgspec.msgpack.decode(record)[3])
    assert [name for name in dict.fromkeys(named) if name in fields] == fields
    assert set(named) == set(fields)


def test_a_reader_written_from_the_page(sample: dict[str, bytes], tmp_path: Path) -> None:
    """The envelope, the marker and the density of versions, with nothing but struct, zlib and msgpack."""
    make_sample(str(tmp_path / "db"))
    data = log_of(tmp_path / "db")
    held: dict[bytes, list[tuple[int, bytes]]] = {}
    position = last = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "little")
        body, checksum = (
            data[position + 4 : position + length],
            data[position + length : position + length + 4],
        )
        assert crc32(body) == int.from_bytes(checksum, "little")
        if body[0] >= 0x10:
            run, _, cv, ts = msgspec.msgpack.decode(body[18:])[:4]
            assert (run, cv, ts) == (RUN, last + 1, TS)
            held.setdefault(body[2:18], []).append((position, checksum))
        elif body[0] == 0:
            entries = held.pop(body[2:18])
            cv, _, n, lsn, _, crc = msgspec.msgpack.decode(body[18:])
            sums = b"".join(one for _, one in entries)
            assert (cv, n, lsn, crc) == (last + 1, len(entries), entries[0][0], crc32(sums))
            last = cv
        position += 4 + length
    assert last == 17 and not held
    assert {"db_uuid", "salt", "format", "created"} == set(msgspec.msgpack.decode(sample["META"][:-4]))


# -- what the page decides, through `Database.open`

pack = msgspec.msgpack.encode


class Log:
    """A log in the making: the run begun by commit 1, then what is added; `open` opens a database of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = b""
        self.cv = 0
        make_sample(str(root))
        for part in ("wal", "snapshots"):
            for path in (root / part).iterdir():
                path.unlink()
        (root / "CLEAN").unlink()
        created = pack([RUN, None, 1, TS, "r", None, [], {}])
        self.commit((0x60, created), (0x63, pack([RUN, None, 1, TS])))

    def frame(self, *entries: tuple[int, bytes], cv: int = 0, ts: int = TS, lsn: int = -1) -> bytes:
        cv = cv or self.cv + 1
        at = len(self.data) if lsn < 0 else lsn
        return frame_transaction(entries, make_tx_id(cv, SALT), RUN, cv, ts, at)

    def commit(self, *entries: tuple[int, bytes], **odd: int) -> None:
        self.data += self.frame(*entries, **odd)
        self.cv += 1

    def put(self, key: str, **odd: int) -> None:
        cv = odd.get("cv") or self.cv + 1
        self.commit((0x10, pack([RUN, key, cv, odd.get("ts", TS), 1])), **odd)

    def open(self, **options: Any) -> Database:
        (self.root / SEGMENT).write_bytes(self.data)
        return Database.open(self.root, recovery=RecoveryOptions(**options), owner=())

    def refused(self) -> str:
        with pytest.raises(WalCorruptionError) as caught:
            self.open()
        report: Any = caught.value.report
        return report.reason

    def keys(self, **options: Any) -> list[str]:
        with self.open(**options) as db:
            return db.kv.keys(RUN_TEXT)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "db")


def test_held_entries_survive_a_gap(log: Log) -> None:
    whole = log.frame((0x10, pack([RUN, "a", 2, TS, 1])), (0x10, pack([RUN, "b", 2, TS, 1])))
    first = 4 + int.from_bytes(whole[:4], "little")
    log.data += whole[:first] + b"\xee" * 30 + whole[first:]
    with log.open() as db:
        assert db.kv.keys(RUN_TEXT) == ["a", "b"]
        assert db.recovery.corrupt_entries_skipped == 1


def test_many_defects_between_two_commits_are_one_gap(log: Log) -> None:
    log.data += b"\xee" * 40 + frame_abort(make_tx_id(9, SALT), "") + b"\xdd" * 40
    log.put("a")
    with log.open(max_corrupt_entries=1) as db:
        assert db.kv.keys(RUN_TEXT) == ["a"]


def test_a_displaced_commit_is_evidence_and_not_applied(log: Log) -> None:
    log.put("a", lsn=len(log.data) + 1)
    assert log.refused() == "position"
    assert log.keys(on_corruption="prefix") == []


def test_time_that_falls_and_a_larger_version_are_lost_data(log: Log) -> None:
    log.put("a", ts=TS - 1)
    assert log.refused() == "time"
    fresh = Log(log.root.with_name("other"))
    fresh.put("a", cv=3)
    assert fresh.refused() == "sequence"


@pytest.mark.parametrize("odd", [(b"x" * 16, 2, TS), (RUN, 3, TS), (RUN, 2, TS + 1)])
def test_an_entry_that_is_not_of_its_marker_is_inapplicable(log: Log, odd: tuple[bytes, int, int]) -> None:
    run, cv, ts = odd
    log.commit((0x10, pack([run, "a", cv, ts, 1])))
    assert log.refused() == "inapplicable"


def test_a_run_that_was_never_begun_has_no_data(log: Log) -> None:
    other = b"x" * 16
    log.data += frame_transaction(
        [(0x10, pack([other, "a", 2, TS, 1]))], make_tx_id(2, SALT), other, 2, TS, len(log.data)
    )
    assert log.refused() == "inapplicable"


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_marker_of_another_version_is_refused(log: Log, kind: int, version: int) -> None:
    log.data += entry(kind, version, make_tx_id(2, SALT), b"")
    with pytest.raises(UnsupportedFormat):
        log.open()


def test_data_of_version_0_is_version_1_and_of_version_2_degrades(log: Log) -> None:
    for version, key in ((0, "old"), (2, "new")):
        tx_id, lsn, cv = make_tx_id(9, SALT), len(log.data), log.cv + 1
        made = entry(0x10, version, tx_id, pack([RUN, key, cv, TS, 1]))
        marker = pack([cv, TS, 1, lsn, RUN, crc32(made[-4:])])
        log.data += made + entry(0, 1, tx_id, marker)
        log.cv = cv
    with log.open() as db:
        assert (db.kv.keys(RUN_TEXT), db.degraded) == (["old"], (0x10,))


@pytest.mark.parametrize("kind", [0, 1])
def test_a_marker_of_no_transaction_is_a_defect(log: Log, kind: int) -> None:
    log.data += entry(kind, 1, bytes(16), b"")
    with log.open() as db:
        assert db.recovery.tail_reason == "foreign"


def test_the_log_goes_on_behind_trailing_markers_but_not_behind_what_is_unfinished(log: Log) -> None:
    log.data += frame_abort(make_tx_id(2, SALT), "no")
    end = len(log.data)
    with log.open() as db:
        assert db.recovery.wal_end_offset == end
    fresh = Log(log.root.with_name("other"))
    end = len(fresh.data)
    fresh.data += entry(0x10, 1, make_tx_id(2, SALT), pack([RUN, "a", 2, TS, 1]))
    fresh.data += frame_abort(make_tx_id(3, SALT), "no")
    with fresh.open() as db:
        assert db.recovery.wal_end_offset == end
        assert db.recovery.orphaned_transactions == 1


def test_a_commit_inside_a_damaged_entry_is_not_believed(log: Log) -> None:
    inner = log.frame((0x10, pack([RUN, "inner", 2, TS, 1])), lsn=len(log.data) + 59)
    outer = log.frame((0x10, pack([RUN, "outer", 2, TS, inner])))
    assert outer.index(inner) == 59
    log.data += outer[:30] + bytes([outer[30] ^ 1]) + outer[31:]
    assert log.refused() == "nested"
    assert log.keys(on_corruption="prefix") == []


def test_a_segment_in_both_folders_counts_once(log: Log) -> None:
    log.put("a")
    (log.root / "history" / Path(SEGMENT).name).write_bytes(b"something else")
    assert log.keys() == ["a"]


def test_a_set_below_the_root_of_no_document_makes_it(log: Log) -> None:
    log.commit((0x21, pack([RUN, "doc", 2, TS, 1, ["a", 0], "x"])))
    log.commit((0x21, pack([RUN, "list", 3, TS, 1, [0], "y"])))
    with log.open() as db:
        assert db.json.get(RUN_TEXT, "doc") == {"a": ["x"]}
        assert db.json.get(RUN_TEXT, "list") == ["y"]
    fresh = Log(log.root.with_name("other"))
    fresh.commit((0x21, pack([RUN, "doc", 2, TS, 1, [1], "x"])))
    assert fresh.refused() == "inapplicable"


def test_what_a_transition_came_from_is_not_compared(log: Log) -> None:
    log.commit((0x40, pack([RUN, "c", 2, TS, 1, "a"])))
    log.commit((0x42, pack([RUN, "c", 3, TS, 2, 1, "not a", "b", None])))
    with log.open() as db:
        assert db.state.get(RUN_TEXT, "c") == "b"


@pytest.mark.parametrize(("events", "transactions"), [(0, 2), (1, 2), (0, 1)])
def test_the_end_of_a_run_counts_itself(log: Log, events: int, transactions: int) -> None:
    log.commit((0x62, pack([RUN, None, 2, TS, "completed", None, events, transactions])))
    if (events, transactions) == (0, 2):
        with log.open() as db:
            assert db.run_status(RUN_TEXT) == "completed"
    else:
        assert log.refused() == "inapplicable"


def test_a_time_to_live_ends_with_its_last_microsecond(tmp_path: Path) -> None:
    clock = [TS]
    with Database.open(tmp_path / "db", now=lambda: clock[0]) as db:
        run = db.begin_run()
        db.kv.put(run, "k", 1, ttl=2)
        clock[0] = TS + 1_999_999
        assert db.kv.get_entry(run, "k").expires_at == TS + 2_000_000
        clock[0] += 1
        assert db.kv.get(run, "k") is None


def entry(kind: int, version: int, tx_id: bytes, payload: bytes) -> bytes:
    body = bytes((kind, version)) + tx_id + payload
    return (len(body) + 4).to_bytes(4, "little") + body + crc32(body).to_bytes(4, "little")


# -- the examples of the guide

GUIDE = "guide/engine.md"


def python_blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page(name), re.DOTALL | re.MULTILINE)


def promised(block: str) -> list[str]:
    """What a block says it prints: the comment behind each `print(...)`."""
    return [line.rpartition("  # ")[2] for line in block.splitlines() if line.lstrip().startswith("print(")]


@pytest.mark.parametrize("name", [GUIDE, "reference/engine.md"])
def test_the_examples_print_what_stands_beside_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    blocks = python_blocks(name)
    assert blocks
    for number, block in enumerate(blocks):
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            exec(compile(block, f"{name}, example {number}", "exec"), names)
        assert told.getvalue().splitlines() == promised(block), block


def test_the_guide_begins_with_what_a_commit_is_worth() -> None:
    first = page(GUIDE).split("\n\n")[1]
    for word in ("survives the death of its process", "at most the last 100 ms", 'durability="strict"'):
        assert word in " ".join(first.split())


def test_the_guide_lists_every_error() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `(\w+)` \| (\d) \| (yes|) ?\| (.*) \|$", page(GUIDE), re.MULTILINE)
    classes = [getattr(engine_errors, name) for name in engine_errors.__all__]
    assert {(code, name, int(status), again == "yes") for code, name, status, again, _ in rows} == {
        (kind.code, kind.__name__, kind.exit_code, kind.retryable) for kind in classes
    }


# -- the reference


def rows_of(name: str, heading: str) -> dict[str, list[str]]:
    """The first cell of each row under a heading, and the names in the second."""
    part = re.split(r"^## ", page(name).partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", part, re.MULTILINE)
    return {
        first.strip("`"): re.findall(
            r"[a-z_]+", re.sub(r"\(.*?\)|; an entry has.*|with the run.*", "", rest.replace("`", " "))
        )
        for first, rest in rows
        if first.strip()
    }


def test_the_reference_names_all_that_a_database_offers() -> None:
    named = {word for words in rows_of("reference/engine.md", "Database").values() for word in words}
    offered = {name for name in dir(Database) if not name.startswith("_")} | {
        "kv", "json", "events", "state", "traces",
    }  # fmt: skip
    assert named == offered - {"open", "committer", "context"}


def test_the_reference_names_the_operations_of_each_primitive() -> None:
    with Database.open() as db:
        run = db.run()
        rows = rows_of("reference/engine.md", "A run, and a transaction")
        assert set(rows) == {"kv", "json", "events", "state", "traces"}
        for name, operations in rows.items():
            handle = getattr(run, name)
            assert {one for one in dir(handle) if not one.startswith("_")} == set(operations), name


def test_the_reference_names_what_results_hold() -> None:
    from devstate.engine.recovery_result import RecoveryResult
    from devstate.engine.reports import CorruptionReport
    from devstate.engine.run_diff import Divergence, RunDiff
    from devstate.engine.timeline import Timeline
    from devstate.engine.view import ReadOnlyView

    rows = rows_of("reference/engine.md", "What was")
    for kind in (ReadOnlyView, Timeline, RunDiff, Divergence, RecoveryResult, CorruptionReport):
        offered = {name for name in dir(kind) if not name.startswith("_")}
        assert set(rows[kind.__name__]) - {"len", "applied", "diff_items"} == offered - {
            "applied",
            "diff_items",
        }, kind.__name__


def test_the_map_of_modules_is_complete() -> None:
    table = page("design/engine.md").partition("\n## Modules\n")[2].partition("\n## ")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`([a-z_/*]+)`", cell)]
    root = DOCS.parent / "core/devstate/engine"
    there = {
        str(path.relative_to(root).with_suffix(""))
        for path in root.rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "search"
    }
    assert sorted(named) == sorted(there | {"search/*"})


# -- what the index of requirements points to


def test_the_four_names_of_a_primitive() -> None:
    from devstate.engine.ext import PrimitiveStorageExt, StoragePrimitive

    names = {"wal_entry_types", "snapshot_serialize", "snapshot_deserialize", "apply_wal_entry"}
    assert {name for name in vars(PrimitiveStorageExt) if not name.startswith("_")} == names
    for kind in builtin_registry().instances():
        assert isinstance(kind, StoragePrimitive)
        for name in names:
            assert (
                getattr(type(kind), name) is not getattr(StoragePrimitive, name)
                or name == "snapshot_serialize"
            )


def test_indexes_leave_no_trace_in_a_snapshot(tmp_path: Path) -> None:
    found: list[bytes] = []
    for indexed in (False, True):
        with Database.open(tmp_path / str(indexed), now=lambda: TS, entropy=entropy, owner=()) as db:
            db.begin_run(RUN_TEXT)
            if indexed:
                db.index_run(RUN_TEXT)
            for number in range(20):
                db.kv.put(RUN_TEXT, f"k{number}", f"words to find {number}")
            assert len(db.search(RUN_TEXT, "words", k=20).hits) == 20
            found.append(Path(db.snapshot().path).read_bytes())
    assert found[0] == found[1]
    with Database.open(tmp_path / "True") as db:
        db.index_run(RUN_TEXT)
        assert len(db.search(RUN_TEXT, "words", k=20).hits) == 20


def test_the_reference_has_every_argument_of_open() -> None:
    line = page("reference/engine.md").partition("`Database.open(")[2].partition(")`")[0]
    assert re.findall(r"(\w+)=", line) == list(inspect.signature(Database.open).parameters)
