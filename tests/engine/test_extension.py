"""A kind of records that the engine was not built with: it does all that the others do, and no file knows of it."""

from __future__ import annotations

import ast
import re
import shutil
import struct
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import devstate.engine
from devstate.durable.simulated import SimulatedCrash, SimulatedFiles
from devstate.engine.database import Database
from devstate.engine.errors import (
    ConflictError,
    EngineError,
    RegistrationError,
    UnknownEntryType,
)
from devstate.engine.ext import MapPrimitive, Registry, builtin_registry
from devstate.engine.recovery_result import RecoveryOptions
from devstate.engine.snapshotting import SnapshotPolicy
from engine_crash.driving import opened as simulated
from engine_oracle.snapshots import read_snapshot
from ext.vector import DELETE, INSERT, UPDATE, VectorStore
from python_child import start_python

ENGINE = Path(devstate.engine.__file__).parent
NO_SNAPSHOTS = SnapshotPolicy(close_bytes=-1)
OPTIONS: dict[str, Any] = {"snapshots": NO_SNAPSHOTS, "segment_bytes": 1500}


def with_vectors() -> Registry:
    return builtin_registry().register(VectorStore)


def opened(path: Path | str | None, **options: Any) -> Database:
    return Database.open(path, **{"registry": with_vectors(), **OPTIONS, **options})


def without(path: Path, **options: Any) -> Database:
    return Database.open(path, **{**OPTIONS, **options})


def floats(*numbers: float) -> tuple[float, ...]:
    return struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers))


def types_in(path: Path) -> list[int]:
    """The types of all entries in the live segments, in order."""
    found: list[int] = []
    for segment in sorted((path / "wal").iterdir()):
        data, at = segment.read_bytes(), 0
        while at < len(data):
            found.append(data[at + 4])
            at += 4 + int.from_bytes(data[at : at + 4], "little")
    return found


# -- it does what the others do


@pytest.mark.parametrize("mode", ["memory", "buffered", "strict"])
def test_vectors_beside_the_other_kinds(tmp_path: Path, mode: str) -> None:
    path = None if mode == "memory" else tmp_path / "db"
    with opened(path, durability=mode) as db:
        run = db.run(name="r")
        vectors = run.ext("vector")
        vectors.put("east", [1.0, 0.0], {"word": "sun rise"})
        with run.transaction() as tx:
            mine = tx.ext("vector")
            mine.put("north", [0.0, 1.0])
            mine.put("east", [0.9, 0.1], {"word": "sunrise"})
            assert mine.get("east")["vector"] == floats(0.9, 0.1)
            assert mine.keys() == ["east", "north"]
            assert vectors.get("north") is None, "not before the commit"
            tx.kv.put("k", 1)
            tx.json.set("d", "$.x", [1])
        assert vectors.get("east") == {"vector": floats(0.9, 0.1), "metadata": {"word": "sunrise"}}
        assert [key for key, _ in vectors.nearest([1.0, 0.2])] == ["east", "north"]
        vectors.update("north", [0.1, 0.9])
        with pytest.raises(EngineError):
            vectors.update("south", [1.0, 1.0])
        assert vectors.delete("north") is True
        assert vectors.delete("north") is False
        with pytest.raises(ZeroDivisionError), run.transaction() as tx:
            tx.ext("vector").put("never", [1.0])
            raise ZeroDivisionError
        assert vectors.keys() == ["east"]
        view = db.replay_run(run.id)
        assert dict(view.primitive("vector")) == {"east": vectors.get("east")}
        assert [change.op for change in db.replay_run(run.id, step=3).changes] == [
            "insert",
            "update",
            "put",
            "set",
        ]
        assert [hit.ref.key for hit in db.search(run.id, "sunrise", primitives=["vector"]).hits] == ["east"]
    if path is not None:
        kinds = types_in(path)
        assert [kind for kind in kinds if kind in (INSERT, DELETE, UPDATE)] == [
            INSERT,
            INSERT,
            UPDATE,
            UPDATE,
            DELETE,
        ]


def test_conflicts_of_vectors() -> None:
    from engine_pair import OtherThread

    other = OtherThread()
    with opened(None) as db:
        run = db.run(name="r")
        run.ext("vector").put("v", [1.0])
        tx = other.do(run.transaction)
        assert other.do(lambda: tx.ext("vector").get("v"))["vector"] == (1.0,)
        other.do(lambda: tx.ext("vector").put("w", [2.0]))
        run.ext("vector").put("v", [3.0])
        assert other.do(lambda: tx.ext("vector").get("v"))["vector"] == (1.0,), "as it was at the start"
        with pytest.raises(ConflictError) as caught:
            other.do(tx.commit)
        assert caught.value.primitive == "vector"
        assert run.ext("vector").keys() == ["v"]
    other.close()


WRITER = """
import os, sys
from engine_crash.driving import opened as simulated
from ext.vector import VectorStore
from devstate.engine.database import Database
from devstate.engine.ext import builtin_registry
db = Database.open(sys.argv[1], registry=builtin_registry().register(VectorStore), segment_bytes=1500)
run = db.run(name="r")
print(run.id, flush=True)
for number in range(40):
    with run.transaction() as tx:
        tx.ext("vector").put(f"v{number % 7}", [number, 1.0], {"n": number})
        tx.kv.put(f"k{number % 5}", number)
        tx.json.set("d", f"$.n{number % 3}", number)
        if number % 4 == 3: tx.ext("vector").delete(f"v{(number + 2) % 7}")
    if number in (15, 25, 33): db.snapshot()
print(db.digest(), flush=True)
sys.stdin.read()
"""


def test_killed_and_recovered(tmp_path: Path) -> None:
    path = tmp_path / "db"
    process = start_python(WRITER, str(path))
    assert process.stdout is not None
    run, digest = process.stdout.readline().strip(), process.stdout.readline().strip()
    process.kill()
    process.communicate(timeout=20)
    with opened(path) as db:
        assert db.digest() == digest
        assert db.recovery.snapshot_used is not None
        assert db.degraded == ()
        handle = db.handle(run)
        view = db.replay_run(run)
        assert dict(view.primitive("vector")) == {
            key: handle.ext("vector").get(key) for key in [*view.primitive("vector")]
        }
        # Back in time, by steps and by commits.
        for step in (1, 10, 30):
            past = db.replay_run(run, step=step)
            then = db.view_at(past.cv).run(run)
            assert then.digest() == past.digest()
            assert dict(then.primitive("vector")) == dict(past.primitive("vector"))
        cursor = db.timeline(run)
        cursor.seek(5)
        assert cursor.view.digest() == db.replay_run(run, step=5).digest()


def test_differences_of_vectors() -> None:
    with opened(None) as db:
        one, other = db.run(name="one"), db.run(name="other")
        for run, numbers in ((one, (1.0, 2.0)), (other, (1.0, 3.0))):
            run.ext("vector").put("same", [1.0])
            run.ext("vector").put("v", list(numbers))
        one.ext("vector").put("gone", [1.0])
        other.ext("vector").put("new", [1.0])
        found = db.diff_runs(one.id, other.id, primitives=["vector"])
        assert [entry.key for entry in found.added] == ["new"]
        assert [entry.key for entry in found.removed] == ["gone"]
        assert [entry.key for entry in found.modified] == ["v"]


# -- part of the property and crash suites, for this kind as for those of the engine


def _kv(db: Any, key: str, number: int | None) -> None:
    db.kv.delete(key) if number is None else db.kv.put(key, number)


def _state(db: Any, key: str, number: int | None) -> None:
    db.state.delete(key) if number is None else db.state.set(key, number)


def _json(db: Any, key: str, number: int | None) -> None:
    db.json.delete(key) if number is None else db.json.set(key, "$", number)


def _vector(db: Any, key: str, number: int | None) -> None:
    db.ext("vector").delete(key) if number is None else db.ext("vector").put(key, [float(number)])


WRITES: dict[str, Callable[[Any, str, int | None], None]] = {
    "kv": _kv,
    "state": _state,
    "json": _json,
    "vector": _vector,
}


def contents(view: Any, name: str) -> dict[str, Any]:
    found = dict(view.primitive(name))
    return {key: int(value["vector"][0]) for key, value in found.items()} if name == "vector" else found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 99))),
        st.tuples(st.just("both"), st.sampled_from("abc"), st.integers(0, 99)),
        st.tuples(st.sampled_from(["snapshot", "reopen", "crash"])),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("name", WRITES)
def test_a_map_is_a_map(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    write = WRITES[name]

    @settings(max_examples=12, deadline=None)
    @given(STEPS)
    def check(steps: list[tuple[Any, ...]]) -> None:
        folder = tmp_path_factory.mktemp("map")
        path, crashes = folder / "db", 0
        db = opened(path)
        run = db.begin_run(name="r", owned=False)
        model: dict[str, int] = {}
        past: list[dict[str, int]] = []
        for step in steps:
            if db.run_status(run) == "orphaned":
                db.resume_run(run)
                past.append(dict(model))
            handle = db.handle(run)
            if step[0] == "write":
                before = db.last_cv
                write(handle, step[1], step[2])
                if step[2] is None:
                    model.pop(step[1], None)
                else:
                    model[step[1]] = step[2]
                if db.last_cv != before:
                    past.append(dict(model))
            elif step[0] == "both":
                with handle.transaction() as tx:
                    write(tx, step[1], step[2])
                    write(tx, step[1] + "2", step[2])
                    write(tx, step[1], step[2] + 1)
                model |= {step[1]: step[2] + 1, step[1] + "2": step[2]}
                past.append(dict(model))
            elif step[0] == "snapshot":
                db.snapshot()
            else:
                digest = db.digest()
                if step[0] == "crash":
                    crashes += 1
                    shutil.copytree(path, folder / f"db{crashes}")
                    path = folder / f"db{crashes}"
                db.close()
                db = opened(path)
                assert db.digest() == digest
            assert contents(db.replay_run(run), name) == model
        for number, then in enumerate(past):
            assert contents(db.replay_run(run, step=number + 2), name) == then
        db.close()
        shutil.rmtree(folder)

    check()


def _session(files: SimulatedFiles, write: Callable[..., None], done: Callable[[Database], None]) -> None:
    with simulated(files, mode="strict", registry=with_vectors(), segment_bytes=400) as db:
        run = db.run(name="r")
        done(db)
        for number in range(4):
            write(run, "a", number)
            done(db)
            with run.transaction() as tx:
                write(tx, f"k{number}", number)
                write(tx, "b", number)
                tx.events.append("e", number)
            done(db)
            if number == 1:
                db.snapshot()
        write(run, "a", None)
        done(db)


@pytest.mark.parametrize("name", ["kv", "vector"])
def test_power_lost_at_many_calls(name: str) -> None:
    """Each disk that a cut leaves recovers to a prefix of the commits that holds all that was acknowledged."""
    with simulated(SimulatedFiles(), registry=with_vectors()) as db:
        digests = {0: db.digest()}
    whole = SimulatedFiles()
    _session(whole, WRITES[name], lambda db: digests.update({db.last_cv: db.digest()}))
    images = 0
    for calls in range(0, len(whole.calls), 3):
        files = SimulatedFiles(crash_after=calls)
        acknowledged = [0]
        with pytest.raises(SimulatedCrash):
            _session(files, WRITES[name], lambda db, told=acknowledged: told.append(db.last_cv))
        for image in islice(files.crash_images(), 12):
            images += 1
            with simulated(SimulatedFiles(image, pid=4243), registry=with_vectors()) as db:
                assert db.last_cv >= acknowledged[-1]
                assert db.digest() == digests[db.last_cv]
    assert images > 100


# -- without it


def made(path: Path) -> tuple[str, str]:
    with opened(path) as db:
        run = db.begin_run(name="r", owned=False)
        for number in range(30):
            with db.transaction(run) as tx:
                tx.ext("vector").put(f"v{number % 4}", [float(number)])
                tx.kv.put(f"k{number % 4}", number)
        return run, db.digest()


def files_of(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def test_without_the_plug_in_the_rest_is_readable_and_nothing_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run, digest = made(path)
    before = files_of(path)
    with without(path) as db:
        assert db.degraded == (INSERT, UPDATE)
        assert db.recovery.unknown_entries_skipped == 30
        assert db.kv.get(run, "k1") == 29
        db.kv.put(run, "more", 1)
        # A snapshot of what was not applied would be one without it.
        with pytest.raises(UnknownEntryType):
            db.snapshot()
        expected = dict(db.kv.items(run))
    assert before - {"CLEAN"} <= files_of(path)
    with opened(path) as db:
        assert db.degraded == ()
        handle = db.handle(run)
        assert handle.ext("vector").keys() == ["v0", "v1", "v2", "v3"]
        assert dict(handle.kv.items()) == expected
        assert db.digest() != digest


def test_a_snapshot_keeps_what_it_does_not_understand(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run, _ = made(path)
    with opened(path) as db:
        db.snapshot()
        digest = db.digest()
        vectors = dict(db.replay_run(run).primitive("vector"))
    first = _newest(path)
    for _ in range(3):
        with without(path) as db:
            assert db.degraded == (7,)
            assert db.recovery.unknown_entries_skipped == 0
            assert db.kv.get(run, "k1") == 29
            db.snapshot()
            assert not list((path / "snapshots").glob("*.bad"))
            taken = _newest(path)
            assert taken["opaque"] == first["opaque"]
            assert taken["counts"] == first["counts"]
    with opened(path) as db:
        assert db.degraded == ()
        assert db.digest() == digest
        assert dict(db.replay_run(run).primitive("vector")) == vectors


def _newest(path: Path) -> dict[str, Any]:
    found = read_snapshot(max((path / "snapshots").glob("snapshot_*.dat")))
    # The second reader knows six types; the seventh is opaque to it as well.
    return {"opaque": found["opaque"], "counts": found["counts"]}


def test_while_degraded_no_file_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run, _ = made(path)
    with opened(path) as db:
        db.snapshot()
    before = files_of(path) - {"CLEAN"}
    policy = SnapshotPolicy(keep=1, close_bytes=-1)
    with without(path, snapshots=policy, history="off") as db:
        for number in range(60):
            db.kv.put(run, f"k{number % 4}", number)
            if number % 20 == 19:
                db.snapshot()
    assert before <= files_of(path)
    with opened(path, snapshots=policy, history="off") as db:
        assert db.handle(run).ext("vector").keys() == ["v0", "v1", "v2", "v3"]
        db.snapshot()
        assert len(files_of(path)) < len(before) + 6


def test_strict_recovery_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "db"
    made(path)
    before = {name: (path / name).read_bytes() for name in files_of(path)}
    with pytest.raises(UnknownEntryType) as caught:
        without(path, recovery=RecoveryOptions.strict())
    assert INSERT in caught.value.types
    assert {name: (path / name).read_bytes() for name in files_of(path) if name in before} == before


# -- the registry


def kind(type_id: int, name: str, *entries: int) -> type[MapPrimitive]:
    return type("Kind", (MapPrimitive,), {"type_id": type_id, "name": name, "puts": entries})


@pytest.mark.parametrize(
    "refused",
    [
        kind(1, "another", 0x80),
        kind(0, "another", 0x80),
        kind(255, "another", 0x80),
        kind(256, "another", 0x80),
        kind(-1, "another", 0x80),
        kind(9, "kv", 0x80),
        kind(9, "another", 0x10),
        kind(9, "another", 0x63),
        kind(9, "another", 0x00),
        kind(9, "another", 0x02),
        kind(9, "another", 0x0F),
        kind(9, "another", 0x100),
        kind(9, "another", -1),
        kind(9, "another", 0x80, 0x80),
    ],
)
def test_what_a_registry_refuses(refused: type[MapPrimitive]) -> None:
    registry = builtin_registry()
    with pytest.raises(RegistrationError):
        registry.register(refused)
    # And nothing of it is left: the next one gets what it asked for.
    registry.register(kind(9, "another", 0x80, 0x81)).register(VectorStore)


def test_nothing_is_registered_after_open() -> None:
    registry = builtin_registry()
    Database.open(registry=registry).close()
    with pytest.raises(RegistrationError):
        registry.register(VectorStore)
    Database.open(registry=registry).close()


def test_a_handle_of_what_is_not_registered() -> None:
    with Database.open() as db:
        run = db.run(name="r")
        with pytest.raises(RegistrationError):
            run.ext("vector")
        with run.transaction() as tx, pytest.raises(RegistrationError):
            tx.ext("vector")


# -- no file of the core knows a kind

CORE = (
    "batch", "commit", "framing", "recovery", "registry", "replay", "snapshot_file", "snapshot_reading",
    "snapshot_writing", "snapshotting", "transactions", "walk",
)  # fmt: skip
KINDS = {"kv", "json", "event", "events", "trace", "traces", "vector", "vectors"}
# What a caller of a transaction types: `tx.kv` for `tx.ext("kv")`. They are names for people, looked up by `ext`;
# and reads of a part of a record are told as conflicts of documents, the only kind that has parts.
# `trace` is the traceback that `__exit__` is given.
FOR_PEOPLE = {"transactions": {"kv", "json", "events", "traces", "trace"}}


@pytest.mark.parametrize("module", CORE)
def test_no_module_of_the_core_names_a_kind(module: str) -> None:
    tree = ast.parse((ENGINE / f"{module}.py").read_text("utf-8"))
    named: set[str] = set()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            found = getattr(node, field, None)
            if isinstance(found, str):
                named |= set(re.split(r"[_.]", found.lower())) & KINDS
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in KINDS:
            named.add(node.value)
    assert named <= FOR_PEOPLE.get(module, set())


@pytest.mark.parametrize("module", CORE)
def test_no_module_of_the_core_compares_an_entry_type_with_a_number(module: str) -> None:
    tree = ast.parse((ENGINE / f"{module}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            typed = any("type" in ast.unparse(side) or "kind" in ast.unparse(side) for side in sides)
            numbers = [
                one.value
                for side in sides
                for one in ast.walk(side)
                if isinstance(one, ast.Constant) and type(one.value) is int
            ]
            assert not (typed and any(0x10 <= number < 0xFF for number in numbers)), ast.unparse(node)


def test_the_plug_in_imports_nothing_of_the_engine_but_ext() -> None:
    tree = ast.parse((Path(__file__).parents[1] / "ext" / "vector.py").read_text("utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in modules if name and name.startswith("devstate")} == {"devstate.engine.ext"}


def test_a_registered_kind_changes_nothing_of_the_engine() -> None:
    before = {file: file.read_bytes() for file in ENGINE.rglob("*.py")}
    registry = builtin_registry()
    known = {primitive.name for primitive in registry.instances()}
    with Database.open(registry=registry.register(VectorStore)) as db:
        assert {primitive.name for primitive in db.primitives} == known | {"vector"}
    assert {primitive.name for primitive in builtin_registry().instances()} == known
    assert {file: file.read_bytes() for file in ENGINE.rglob("*.py")} == before
