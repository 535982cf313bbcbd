"""Events: the append-only list of a run and its hash chain."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine.envelope import WalEntry
from devstate.engine.errors import (
    EngineError,
    EngineLimitExceeded,
    NotFound,
    ValueRangeError,
    ValueTypeError,
)
from devstate.engine.primitives.cells import StateStore
from devstate.engine.primitives.events import NO_HASH, Event, Events, EventStore
from mini_engine import OTHER_RUN, RUN, MiniEngine

PAYLOADS = (
    st.none()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.dictionaries(st.text(max_size=2), st.floats(allow_nan=False), max_size=2)
)


@pytest.fixture
def engine() -> MiniEngine:
    return MiniEngine(EventStore, StateStore)


@pytest.fixture
def events(engine: MiniEngine) -> Events:
    return engine.handle("events")


def expected_hash(event: Event, before: bytes) -> bytes:
    """By the definition alone."""
    whole = msgspec.msgpack.encode([RUN, event.seq, event.ts, event.type, event.payload, before])
    return hashlib.sha256(whole).digest()


def test_the_chain_by_its_definition(engine: MiniEngine, events: Events) -> None:
    first = events.append("start", {"goal": "x"})
    second = events.append("tick")
    one, two = events.read(0), events.read(1)
    assert one.prev_hash == NO_HASH == bytes(32)
    assert one.hash == first.hash == expected_hash(one, NO_HASH)
    assert two.prev_hash == one.hash
    assert two.hash == second.hash == expected_hash(two, one.hash)
    assert (first.seq, second.seq) == (0, 1) and second.hex == second.hash.hex()
    assert one.payload == {"goal": "x"} and two.payload is None
    assert (one.cv, two.cv) == (1, 2)
    engine.agree()


def test_a_hash_fixed_for_ever(events: Events) -> None:
    ref = events.append("t", 1)
    assert ref.hex == "75eb76c2f6db2fce5c66e117636f51442c5598f93ca99872a6aaceb3ed7b40fe"


def test_append_many_is_one_transaction(engine: MiniEngine, events: Events) -> None:
    refs = events.append_many([("a", 1), ("b", [2]), ("a", None)])
    assert [ref.seq for ref in refs] == [0, 1, 2]
    assert engine.committer.cv == 1
    assert {event.ts for event in events.range()} == {events.read(0).ts}
    assert events.append_many([]) == [] and engine.committer.cv == 1
    assert events.verify_chain() is None
    engine.agree()


def test_reading(events: Events) -> None:
    assert events.head() is None and events.len() == len(events) == 0 and bool(events)
    events.append_many([("a", 0), ("b", 1), ("a", 2)])
    head = events.head()
    assert head is not None and (head.seq, head.payload) == (2, 2)
    assert len(events) == 3
    assert [event.seq for event in events.range(1)] == [1, 2]
    assert [event.seq for event in events.range(0, 2)] == [0, 1]
    assert events.range(2, 1) == [] and events.range(5, 9) == []
    assert [event.seq for event in events.range(-4, 99)] == [0, 1, 2]
    assert [event.payload for event in events.by_type("a")] == [0, 2] and events.by_type("c") == []
    assert list(events.types().items()) == [("a", 2), ("b", 1)]
    for seq in (3, -1, "0", True):
        with pytest.raises(NotFound):
            events.read(seq)  # type: ignore[arg-type]


@pytest.mark.parametrize("spoil", ["payload", "type", "ts", "hash", "prev_hash", "order"])
def test_verify_chain_names_the_first_bad_event(engine: MiniEngine, events: Events, spoil: str) -> None:
    events.append_many([("t", number) for number in range(6)])
    assert events.verify_chain() is None
    records: Any = engine.primitives.named("events")._lists[RUN]  # type: ignore[attr-defined]
    cv, payload, ts, (kind, before, own), _ = records[3]
    bad = {
        "payload": (cv, msgspec.msgpack.encode(9), ts, (kind, before, own), None),
        "type": (cv, payload, ts, ("u", before, own), None),
        "ts": (cv, payload, ts + 1, (kind, before, own), None),
        "hash": (cv, payload, ts, (kind, before, bytes(32)), None),
        "prev_hash": (cv, payload, ts, (kind, bytes(32), own), None),
        "order": records[4],
    }
    records[3] = bad[spoil]
    assert events.verify_chain() == 3


def test_a_link_that_was_forged_with_its_hash_is_found(engine: MiniEngine, events: Events) -> None:
    events.append_many([("t", number) for number in range(3)])
    records: Any = engine.primitives.named("events")._lists[RUN]  # type: ignore[attr-defined]
    cv, payload, ts, (kind, _, _), _ = records[1]
    linked = bytes(31) + b"\1"
    own = hashlib.sha256(msgspec.msgpack.encode([RUN, 1, ts, kind, msgspec.Raw(payload), linked])).digest()
    records[1] = (cv, payload, ts, (kind, linked, own), None)
    assert events.verify_chain() == 1


def test_a_transaction_numbers_from_what_it_sees_and_the_commit_numbers_anew(
    engine: MiniEngine, events: Events
) -> None:
    events.append("before", 0)
    with engine.transaction() as tx:
        mine: Events = tx.ext("events")
        assert mine.append("mine", 1).seq == 1
        engine.beside(lambda: events.append("theirs", 2))
        assert [ref.seq for ref in mine.append_many([("mine", 3), ("mine", 4)])] == [2, 3]
        assert len(mine) == 4
        assert [event.type for event in mine.range()] == ["before", "mine", "mine", "mine"]
        assert mine.read(3).payload == 4 and mine.verify_chain() is None
        head = mine.head()
        assert head is not None and head.seq == 3
        assert len(events) == 2
    assert [event.payload for event in events.range()] == [0, 2, 1, 3, 4]
    assert tx.commit_info is not None
    first, others = tx.commit_info.results
    assert [ref.seq for ref in (first, *others)] == [2, 3, 4]
    assert others[1].hash == events.read(4).hash
    assert events.verify_chain() is None
    engine.agree()


def test_reads_and_appends_never_conflict(engine: MiniEngine, events: Events) -> None:
    events.append("a")
    with engine.transaction() as tx:
        mine: Events = tx.ext("events")
        assert len(mine) == 1 and mine.head() is not None and mine.range()
        engine.beside(lambda: events.append("b"))
        assert len(mine) == 1
        with pytest.raises(NotFound):
            mine.read(1)
        tx.ext("state").set("x", 1)
    assert len(events) == 2
    engine.agree()


def test_a_transaction_that_is_rolled_back_uses_no_number(engine: MiniEngine, events: Events) -> None:
    with pytest.raises(KeyError), engine.transaction() as tx:
        tx.ext("events").append("lost")
        raise KeyError
    assert events.append("kept").seq == 0
    engine.agree()


def test_runs_have_their_own_chains(engine: MiniEngine, events: Events) -> None:
    other: Events = engine.handle("events", OTHER_RUN)
    mine, theirs = events.append("t", 1), other.append("t", 1)
    assert mine.seq == theirs.seq == 0 and mine.hash != theirs.hash
    assert other.verify_chain() is None
    engine.primitives.delete_run(RUN)
    assert len(events) == 0 and len(other) == 1


@pytest.mark.parametrize(
    ("kind", "payload", "error"),
    [
        ("", 1, ValueRangeError),
        ("x" * 257, 1, EngineLimitExceeded),
        (3, 1, ValueTypeError),
        ("t", {1: 2}, ValueTypeError),
        ("t", 2**64, ValueRangeError),
    ],
)
def test_what_cannot_be_stored_uses_no_number(
    engine: MiniEngine, events: Events, kind: Any, payload: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        events.append(kind, payload)
    with pytest.raises(error):
        events.append_many([("fine", 1), (kind, payload)])
    assert engine.log.end == 0
    assert events.append("t", 1).seq == 0


def entry(seq: int, cv: int = 9) -> WalEntry:
    fields = [RUN, seq, cv, 5, "t", 1, bytes(32), bytes(32)]
    return WalEntry(0x30, 1, bytes(16), msgspec.msgpack.encode(fields), 0)


def test_an_entry_out_of_its_place_is_refused() -> None:
    store = EventStore()
    with pytest.raises(EngineError):
        store.apply_wal_entry(entry(1))
    store.apply_wal_entry(entry(0))
    for seq in (0, 2):
        with pytest.raises(EngineError):
            store.apply_wal_entry(entry(seq))
    assert store.length(RUN) == 1


def test_hashes_are_taken_as_the_log_has_them() -> None:
    store = EventStore()
    store.apply_wal_entry(entry(0))
    record = store.latest(RUN, 0)
    assert record is not None and record[3] == ("t", bytes(32), bytes(32))


def test_installing_twice_is_once(events: Events, engine: MiniEngine) -> None:
    events.append("t", 1)
    store = engine.primitives.named("events")
    record = store.latest(RUN, 0)
    assert record is not None
    store.install(RUN, 0, record)
    assert store.length(RUN) == 1
    for key in (0, 2):
        with pytest.raises(EngineError):
            store.install(RUN, key, (9, b"\xc0", 1, ("t", NO_HASH, NO_HASH), None))


def test_a_snapshot_with_a_missing_event_is_refused(engine: MiniEngine, events: Events) -> None:
    events.append_many([("t", 1), ("t", 2)])
    records = list(engine.primitives.named("events").snapshot_serialize())
    with pytest.raises(EngineError):
        EventStore().snapshot_deserialize(memoryview(b"\x91" + records[1]))


def test_what_readers_at_a_commit_see(engine: MiniEngine, events: Events) -> None:
    for number in range(5):
        events.append_many([("t", number), ("u", number)])
    store: Any = engine.primitives.named("events")
    assert [store.length_at(RUN, cv) for cv in range(7)] == [0, 2, 4, 6, 8, 10, 10]
    assert store.length_at(OTHER_RUN, 5) == 0
    view = store.view(RUN, 3)
    assert len(view) == 6 and view[-1].payload == 2 and view[0] == events.read(0)
    assert [event.seq for event in view[1:3]] == [1, 2] and view[-1].seq == 5
    assert [event.seq for event in view] == list(range(6))
    with pytest.raises(IndexError):
        view[6]
    fixed = list(store.at(2, nullcontext()).snapshot_serialize())
    assert len(fixed) == 4 and fixed == list(store.snapshot_serialize())[:4]
    twin = store.copy()
    events.append("later")
    assert twin.length(RUN) == 10 and len(view) == 6


def test_texts_diffs_and_descriptions(engine: MiniEngine, events: Events) -> None:
    events.append("note", {"text": "word"})
    store: Any = engine.primitives.named("events")
    assert list(store.texts(RUN)) == [(0, 'note\n{"text":"word"}')]
    assert {seq: msgspec.msgpack.decode(value) for seq, value in store.diff_items(RUN).items()} == {
        0: ["note", {"text": "word"}]
    }
    assert engine.described() == [
        {
            "op": "append",
            "key": 0,
            "type": "note",
            "payload": {"text": "word"},
            "hash": events.read(0).hash.hex(),
        }
    ]


GROUPS = st.lists(
    st.tuples(
        st.sampled_from(["implicit", "many", "transaction", "beside"]),
        st.lists(PAYLOADS, min_size=1, max_size=4),
    ),
    max_size=12,
)


@given(GROUPS)
def test_the_twin_agrees_with_every_history(groups: list[tuple[str, list[Any]]]) -> None:
    engine = MiniEngine(EventStore, StateStore)
    events: Events = engine.handle("events")
    model: list[Any] = []
    for how, payloads in groups:
        if how == "implicit":
            for payload in payloads:
                events.append("t", payload)
        elif how == "many":
            events.append_many([("t", payload) for payload in payloads])
        else:
            with engine.transaction() as tx:
                for payload in payloads:
                    tx.ext("events").append("t", payload)
                if how == "beside":
                    engine.beside(lambda: events.append("other"))
                    model.append(None)
        model.extend(payloads)
        assert len(events) == len(model)
    assert [event.payload for event in events.range()] == model
    assert events.verify_chain() is None
    engine.agree()
