"""Search through the database: what it finds, by an index or without, and that an index follows what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.engine import Database, RecoveryOptions, RunId
from devstate.engine.errors import RunNotFound
from devstate.errors import UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


def fill(database: Database, name: str, tags: tuple[str, ...] = ()) -> RunId:
    with database.run(name=name, tags=tags) as run:
        run.kv.put("note", "the harbour gate is closed")
        run.kv.put("short", "harbour secrets", ttl=0.000001)
        run.json.create("plan", {"goal": "open the harbour gate", "steps": ["ask"]})
        run.events.append("tool_call", {"tool": "search", "words": "lighthouse"})
        run.state.set("phase", "waiting at the gate")
        run.traces.record("thought", "the gate is heavy", attrs={"weight": 3})
    return run.id


def found(database: Database, run: RunId | None, query: str, **options: object) -> list[tuple[str, object]]:
    answer = database.search(run, query, **options)  # type: ignore[arg-type]
    return [(hit.ref.primitive, hit.ref.key) for hit in answer.hits]


def test_every_kind_is_found_and_resolved(path: Path) -> None:
    with Database.open(path) as database:
        run = fill(database, "night watch")
        assert set(found(database, run, "gate")) >= {("kv", "note"), ("json", "plan"), ("state", "phase")}
        assert found(database, run, "lighthouse") == [("events", 0)]
        assert [kind for kind, _ in found(database, None, "watch")] == ["runs"]
        hit = database.search(run, "harbour gate", primitives=["json"]).hits[0]
        assert database.resolve(hit.ref) == {"goal": "open the harbour gate", "steps": ["ask"]}
        assert ("kv", "short") not in found(database, run, "harbour"), "what has expired is not shown"


def test_an_index_gives_what_a_scan_gives_and_follows_writes(path: Path) -> None:
    with Database.open(path) as database:
        run = fill(database, "one")
        database.begin_run(name="open")
        handle = database.run(name="busy")
        for number in range(300):
            handle.kv.put(f"k{number}", f"word{number % 7} common {'rare' if number == 42 else ''}")
        scans = {query: found(database, handle.id, query) for query in ("common word3", "rare", "word1")}
        database.index_run(handle.id)
        answer = database.search(handle.id, "rare")
        assert answer.stats.index_used["kv"]
        assert {query: found(database, handle.id, query) for query in scans} == scans
        handle.kv.put("k42", "plain")
        handle.kv.put("new", "rare indeed")
        handle.kv.delete("k1")
        assert found(database, handle.id, "rare") == [("kv", "new")]
        assert ("kv", "k1") not in found(database, handle.id, "word1", k=300)
        assert found(database, run, "lighthouse") == [("events", 0)]


def test_filters_choose_runs_by_tags_and_records_by_time(path: Path) -> None:
    times = iter(range(1_000_000, 10**10, 1_000_000))
    with Database.open(path, now=lambda: next(times)) as database:
        first = fill(database, "first", ("night",))
        second = fill(database, "second", ("day",))
        runs = {hit.ref.run for hit in database.search(None, "gate", tags_any=["night"], k=50).hits}
        assert runs == {first}
        start = database.run_metadata(second).created_at
        late = database.search(None, "gate", time_range=(start, 10**10), k=50)
        assert {hit.ref.run for hit in late.hits} == {second}


def test_what_cannot_be_searched_for_is_refused(path: Path) -> None:
    with Database.open(path) as database:
        run = fill(database, "one")
        with pytest.raises(UsageError):
            database.search(run, "!")
        with pytest.raises(UsageError):
            database.search(run, "gate", primitives=["nothing"])
        with pytest.raises(RunNotFound):
            database.search(RunId.new(), "gate")
        assert database.kv.search(run, "gate").hits[0].ref.key == "note"


def test_indexes_are_rebuilt_at_once_where_asked_for(path: Path) -> None:
    with Database.open(path) as database:
        run = fill(database, "one")
        before = found(database, run, "gate harbour")
    with Database.open(path) as database:
        assert not database.recovery.index_rebuilt
        assert not any(database.search(run, "gate").stats.index_used.values())
    with Database.open(path, recovery=RecoveryOptions(rebuild_indexes=True)) as database:
        assert database.recovery.index_rebuilt and database.search(run, "gate").stats.index_used["kv"]
        assert found(database, run, "gate harbour") == before
