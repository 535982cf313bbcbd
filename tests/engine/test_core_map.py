"""Maps of records with versions: what readers of any moment see, what is let go, and what a snapshot holds."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest

from devstate.engine.envelope import WalEntry
from devstate.engine.map_primitive import DELETED, MapPrimitive, MapView
from devstate.engine.versions import Versions
from mini_engine import OTHER_RUN, RUN, MiniEngine

encode = msgspec.msgpack.encode


class Tally(MapPrimitive):
    type_id = 9
    name = "tally"
    puts = (0x80, 0x82)
    deletes = (0x81,)


class Kept(Tally):
    """Its tombstones stay."""

    keeps_tombstones = True


class Texts(Tally):
    def text(self, run: bytes, key: Any, record: Any) -> str | None:
        return None if key == "silent" else f"{key}!"


def made(kind: type[MapPrimitive] = Tally, *, linking: bool = False) -> Any:
    primitive = kind()
    primitive.versions = Versions(always=linking)
    return primitive


def entry(key: Any, cv: int, *value: Any, kind: int = 0x80, run: bytes = RUN) -> WalEntry:
    return WalEntry(kind, 1, bytes(16), encode([run, key, cv, 100 + cv, *value]), 0)


def applied(primitive: Any, *entries: WalEntry) -> Any:
    for one in entries:
        primitive.apply_wal_entry(one)
    return primitive


def serialized(primitive: Any, cv: int = 1 << 62) -> list[list[Any]]:
    records: Iterable[bytes] = primitive.at(cv, nullcontext()).snapshot_serialize()
    return [msgspec.msgpack.decode(record) for record in records]


def test_entries_make_records_and_delete_them() -> None:
    tally = applied(made(), entry("a", 1, "x", 2), entry("b", 2), entry("a", 3, "y", kind=0x82))
    assert tally.wal_entry_types() == (0x80, 0x82, 0x81)
    assert tally.latest(RUN, "a") == (3, encode(["y"]), 103, None, None)
    assert tally.latest(RUN, "b") == (2, encode([]), 102, None, None)
    assert tally.latest(RUN, "c") is None and tally.latest(OTHER_RUN, "a") is None
    applied(tally, entry("a", 4, kind=0x81), entry("absent", 5, kind=0x81))
    assert tally.latest(RUN, "a") is None and tally.maps[RUN].keys() == {"b"}
    kept = applied(made(Kept), entry("a", 1, 1), entry("a", 2, kind=0x81))
    assert kept.latest(RUN, "a") == (2, None, 102, None, None)


def test_superseded_versions_are_kept_for_older_readers() -> None:
    tally = applied(made(), entry("a", 1, 1), entry("gone", 1, 1))
    versions = tally.versions
    versions.enter("reader", 1)
    applied(tally, entry("a", 2, 2), entry("new", 2, 1), entry("gone", 2, kind=0x81), entry("a", 3, 3))
    assert [record[0] for record in versions.chained] == [2, 2, 3]
    assert {key: record[0] for key, record in tally.live(RUN, 1)} == {"a": 1, "gone": 1}
    assert {key: record[0] for key, record in tally.live(RUN, 2)} == {"a": 2, "new": 2}
    assert {key: record[0] for key, record in tally.live(RUN)} == {"a": 3, "new": 2}
    assert [tally.length_at(RUN, cv) for cv in (0, 1, 2, 3)] == [0, 2, 2, 2]
    assert tally.length_at(OTHER_RUN, 3) == 0
    assert sorted(tally.view(RUN, 1)) == ["a", "gone"]
    assert serialized(tally, 1) == [[RUN, "a", 1, 101, [1]], [RUN, "gone", 1, 101, [1]]]
    assert serialized(tally, 2) == [[RUN, "a", 2, 102, [2]], [RUN, "new", 2, 102, [1]]]
    versions.leave("reader", 3)
    assert not versions.chained and not versions.tombstones and not versions.linking
    assert tally.latest(RUN, "a") == (3, encode([3]), 103, None, None)
    assert "gone" not in tally.maps[RUN]


def test_two_writes_of_one_commit_supersede_what_was_before_it() -> None:
    tally = applied(made(linking=True), entry("a", 1, 1), entry("a", 2, "first"), entry("a", 2, "second"))
    newest = tally.latest(RUN, "a")
    assert (
        newest[:2] == (2, encode(["second"])) and newest[4][:2] == (1, encode([1])) and newest[4][4] is None
    )
    applied(tally, entry("b", 3, 1), entry("b", 3, 2))
    assert tally.latest(RUN, "b")[4] is None
    assert [record[0] for record in tally.versions.chained] == [2, 2]


def test_a_tombstone_of_what_never_was_is_let_go_too() -> None:
    tally = applied(made(linking=True), entry("a", 1, kind=0x81))
    assert [(one[0], one[3]) for one in tally.versions.chained] == [(1, "a")]
    tally.versions.trim(0)
    assert tally.latest(RUN, "a") is not None
    tally.versions.trim(1)
    assert tally.maps[RUN] == {} and not tally.versions.tombstones


def test_trimming_goes_up_to_the_horizon_and_not_beyond() -> None:
    tally = applied(made(linking=True), entry("a", 1, 1), entry("a", 2, 2))
    assert tally.trim(RUN, "a", 1) is False and tally.latest(RUN, "a")[4] is not None
    assert tally.trim(RUN, "a", 2) is False and tally.latest(RUN, "a") == (2, encode([2]), 102, None, None)
    assert tally.trim(RUN, "absent", 9) is False and tally.trim(OTHER_RUN, "a", 9) is False
    applied(tally, entry("a", 3, kind=0x81))
    assert tally.trim(RUN, "a", 3) is True
    assert tally.latest(RUN, "a") == (3, None, 103, None, None)
    kept = applied(made(Kept, linking=True), entry("a", 1, 1), entry("a", 2, kind=0x81))
    assert kept.trim(RUN, "a", 2) is False
    tally.drop(RUN, "a", 2)
    assert tally.latest(RUN, "a") is not None
    tally.drop(RUN, "a", 3)
    assert tally.latest(RUN, "a") is None
    tally.drop(RUN, "a", 3)
    tally.drop(OTHER_RUN, "a", 3)
    applied(tally, entry("a", 4, 4))
    tally.drop(RUN, "a", 4)  # written again since
    assert tally.latest(RUN, "a") is not None


def test_snapshot_records_are_in_order_and_bring_the_same_back() -> None:
    for kind, left in ((Tally, 0), (Kept, 1)):
        tally = applied(
            made(kind),
            entry("b", 1, 1, run=OTHER_RUN),
            entry("b", 2, {"x": 1}),
            entry("a", 3, None),
            entry("c", 4, 1),
            entry("c", 5, kind=0x81),
        )
        told = serialized(tally)
        assert [record[:4] for record in told] == [
            [RUN, "a", 3, 103],
            [RUN, "b", 2, 102],
            *[[RUN, "c", 5, 105]] * left,
            [OTHER_RUN, "b", 1, 101],
        ]
        assert [record[4] for record in told if record[1] == "c"] == [DELETED] * left
        again = made(kind)
        for section in (told[:1], told[1:]):  # several sections of one type
            again.snapshot_deserialize(memoryview(encode(section)))
        assert again.maps == tally.maps and serialized(again) == told
        copied = tally.copy()
        assert copied.maps == tally.maps and copied.maps[RUN] is not tally.maps[RUN]


def test_a_run_that_is_deleted_is_gone_but_not_from_a_snapshot_that_is_being_taken() -> None:
    tally = applied(made(), entry("a", 1, 1), entry("a", 1, 1, run=OTHER_RUN))
    state = tally.at(1, nullcontext())
    tally.changed[RUN] = set()
    tally.delete_run(RUN)
    assert tally.runs() == [OTHER_RUN] and RUN not in tally.changed
    tally.delete_run(RUN)
    assert len(list(state.snapshot_serialize())) == 2
    assert [record[0] for record in serialized(tally)] == [OTHER_RUN]


def test_what_changed_is_noted_for_runs_that_are_watched() -> None:
    tally = made()
    applied(tally, entry("a", 1, 1))
    tally.changed[RUN] = set()
    applied(tally, entry("a", 2, 1), entry("b", 3, kind=0x81), entry("c", 3, 1, run=OTHER_RUN))
    assert tally.changed == {RUN: {"a", "b"}}


def test_a_view_is_a_mapping_of_values_made_anew() -> None:
    tally = applied(
        made(), entry("b", 1, [1]), entry("a", 2, [2]), entry("c", 3, 1), entry("c", 4, kind=0x81)
    )
    view = tally.view(RUN, 9)
    assert isinstance(view, MapView)
    assert (list(view), len(view), "a" in view, "c" in view) == (["a", "b"], 2, True, False)
    assert view["a"] == [[2]] and view["a"] is not view["a"]
    assert view.record("a")[0] == 2
    for look in (view.__getitem__, view.record):
        with pytest.raises(KeyError):
            look("c")
    assert "2" in repr(view) and "tally" in repr(view)
    assert tally.diff_items(RUN) == {"a": encode([[2]]), "b": encode([[1]])}
    assert tally.diff_items(OTHER_RUN) == {}


def test_texts_of_what_is_there() -> None:
    texts = applied(
        made(Texts), entry("a", 1, 1), entry("silent", 1, 1), entry("z", 1, 1), entry("z", 2, kind=0x81)
    )
    assert list(texts.texts(RUN)) == [("a", "a!")]
    assert list(texts.texts(RUN, 0)) == []


def test_entries_are_told() -> None:
    tally = made()
    assert tally.describe(entry("a", 1, 1, "x")) == {"op": "put", "key": "a", "value": [1, "x"]}
    assert tally.describe(entry(7, 1, kind=0x81)) == {"op": "delete", "key": 7}
    with pytest.raises(KeyError):
        tally.decode_value("a", (1, None, 1, None, None))


@pytest.mark.parametrize("payload", [b"", b"\x90", encode([1, "a", 1, 1]), encode([RUN, 1.5, 1, 1]), b"\xc1"])
def test_a_payload_that_is_not_its_own_is_refused(payload: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, IndexError)):
        made().apply_wal_entry(WalEntry(0x80, 1, bytes(16), payload, 0))


def test_operations_of_plug_ins() -> None:
    engine = MiniEngine(Tally)
    tally: Any = engine.primitives.named("tally")
    committer = engine.committer
    assert committer.write(RUN, tally.put(0x80, "a", 1, "x")) == 1 == committer.cv
    engine.agree()
    assert tally.latest(RUN, "a")[1] == encode([1, "x"])
    assert committer.write(RUN, tally.remove(0x81, "absent")) is False
    assert committer.cv == 1
    tx = engine.transaction()
    assert tx.write(tally.put(0x82, "b", 2)) is not None
    assert tx.write(tally.remove(0x81, "b")) is True
    assert tx.write(tally.remove(0x81, "b")) is False
    assert tx.write(tally.remove(0x81, "a")) is True
    info = tx.commit()
    assert (info.cv, info.entries, info.results) == (2, 3, (2, True, False, True))
    engine.agree()
    assert tally.latest(RUN, "a") is None and tally.latest(RUN, "b") is None
    assert [one["op"] for one in engine.described()] == ["put", "put", "delete", "delete"]
    assert committer.write(RUN, tally.remove(0x81, "b")) is False
