"""Several processes on one database: `shared=True` writers that are killed at random, and readers beside them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import OS
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import DatabaseLocked, ReadOnlyError, RunNotActive
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.entries import read_clean
from engine_oracle.interpret import apply, digest, state_of
from engine_oracle.log import read_log
from engine_pair import live_state
from python_child import run_python, start_python

SEGMENT = 20_000
OFTEN = SnapshotPolicy(close_bytes=-1)

# Writes `count` transactions and prints the token and the commit of each once it is acknowledged; then it does
# what it is told: a line `digest` is answered with the digest, the end of the input closes the database.
WORKER = """
import random, sys
from devstate.engine.database import Database
from devstate.engine.snapshotting import SnapshotPolicy
path, name, run, count, mode = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
dice = random.Random(name)
db = Database.open(path, shared=True, durability=mode, segment_bytes=SEGMENT, snapshots=SnapshotPolicy(close_bytes=-1))
own = db.begin_run(name=name)
print("run", own, flush=True)
shared = db.handle(run)
def work(tx, token):
    tx.kv.put(token, token)
    for _ in range(dice.randint(0, 3)):
        what, key = dice.randrange(7), dice.choice("ab")
        if what == 0: tx.kv.put(key, tx.kv.get(key, 0) + 1)
        elif what == 1: tx.json.set("d", "$." + key + "." + name.replace("/", "_"), token)
        elif what == 2: tx.events.append(key, token)
        elif what == 3: tx.state.set(key, token)
        elif what == 4: tx.traces.record("query", key, span_id=dice.choice("xyz"), start=1)
        elif what == 5: tx.kv.delete(key + "/gone")
        else: tx.state.transition_or_init("n" + key, 0, lambda value: value + 1)
for number in range(count):
    token = f"{name}/{number}"
    cv = None
    if dice.random() < 0.3:
        cv = db.kv.put(own, token, token)
    else:
        for attempt in range(10000):
            try:
                with db.transaction(dice.choice((run, own))) as tx:
                    work(tx, token)
                cv = tx.commit_info.cv
                break
            except Exception as error:
                if not getattr(error, "retryable", False): raise
    print(token, cv, flush=True)
    if dice.random() < 0.02: db.snapshot()
print("done", flush=True)
for line in sys.stdin:
    db.refresh()
    print("digest", db.digest(), flush=True)
db.close()
print("closed", flush=True)
""".replace("SEGMENT", str(SEGMENT))


class Worker:
    """A process with WORKER, its output read by a thread."""

    def __init__(self, path: Path, name: str, run: str, count: int, mode: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.process = start_python(WORKER, str(path), name, run, str(count), mode)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.lines.append(line.rstrip("\n"))

    def wait_for(self, word: str, seconds: float = 100) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [line for line in list(self.lines) if line.startswith(word)]
            if found:
                return found[-1]
            if self.process.poll() is not None:
                self._thread.join(10)
                assert self.process.stderr is not None
                said = self.process.stderr.read()
                assert [line for line in self.lines if line.startswith(word)], (
                    f"{self.name} ended: {said[-2000:]}"
                )
            time.sleep(0.005)
        raise AssertionError(f"{self.name} does not say {word!r}")

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.finish()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.wait_for("closed")
        self.finish()

    def finish(self) -> None:
        self.process.wait(30)
        self._thread.join(30)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def acknowledged(self) -> list[tuple[str, int]]:
        told = [line.split(" ") for line in self.lines if "/" in line]
        return [(token, int(cv)) for token, cv in told]


class OnlyReading:
    """The operating system's files, without anything that changes or locks one."""

    FORBIDDEN = frozenset(
        ("write", "pwrite", "ftruncate", "fsync", "fdatasync", "fsync_dir", "fchmod", "fchown", "replace", "link",
         "unlink", "mkdir", "rmdir", "flock")
    )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        if name in self.FORBIDDEN:
            raise AssertionError(f"a reader calls {name}")
        if name == "open":
            return self._open
        return getattr(OS, name)

    def _open(self, path: str, flags: int, *args: Any, **kwargs: Any) -> int:
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC), path
        return OS.open(path, flags, *args, **kwargs)


def follow(path: Path, done: threading.Event, seen: dict[int, str], failures: list[BaseException]) -> None:
    """Note the state at every commit that a reader gets to see."""
    try:
        with Database.open(path, read_only=True, files=OnlyReading()) as db:
            last = 0
            while True:
                ended = done.is_set()
                cv = db.refresh()
                assert cv >= last, "a reader went back"
                if cv > last:
                    seen[cv] = digest(live_state(db))
                last = cv
                if ended:
                    return
                time.sleep(0.01)
    except BaseException as error:
        failures.append(error)


def crowd(path: Path, *, processes: int, commits: int, kills: int, mode: str, seed: int) -> None:
    dice = random.Random(seed)
    with Database.open(path, shared=True, snapshots=OFTEN, segment_bytes=SEGMENT) as db:
        run = db.begin_run(name="of all", owned=False)
    done, seen, failures = threading.Event(), {}, []
    reader = threading.Thread(target=follow, args=(path, done, seen, failures), daemon=True)
    reader.start()
    workers = [Worker(path, f"w{number}", run, commits, mode) for number in range(processes)]
    killed: list[Worker] = []
    for number in range(kills):
        victim = dice.randrange(processes)
        worker = workers[victim]
        enough = len(worker.lines) + dice.randint(1, max(2, commits // 3))
        end = time.monotonic() + 20
        while len(worker.lines) < enough and "done" not in worker.lines and time.monotonic() < end:
            time.sleep(0.001)
        worker.kill()
        killed.append(worker)
        workers[victim] = Worker(path, f"again{number}", run, commits, mode)
    for worker in workers:
        worker.wait_for("done")
    with pytest.raises(DatabaseLocked):
        Database.open(path)
    digests = set()
    for worker in workers:
        worker.say("digest")
    for worker in workers:
        digests.add(worker.wait_for("digest"))
    assert len(digests) == 1, "the processes hold different states"
    done.set()
    reader.join(60)
    assert not reader.is_alive()
    if failures:
        raise failures[0]
    # The owners of the runs that were killed are gone, and everybody sees it.
    with Database.open(path, shared=True, snapshots=OFTEN) as db:
        assert f"digest {db.digest()}" in digests
        gone = {line.split(" ")[1] for worker in killed for line in worker.lines if line.startswith("run ")}
        assert gone == {told.run_id for told in db.orphaned_runs()}
        assert read_clean(path) is None
        for worker in workers[1:]:
            worker.close()
        assert read_clean(path) is None, "somebody has it open"
        workers[0].close()
        assert read_clean(path) is None
        last = db.last_cv
    assert read_clean(path) is not None
    state, _ = state_of(path)
    whole = read_log(path)
    assert whole.verdict == "clean"
    assert [one["cv"] for one in whole.transactions] == list(range(1, last + 1))
    places: dict[str, list[int]] = {}
    for one in whole.transactions:
        for _, payload in one["entries"]:
            if isinstance(payload[1], str) and payload[1].partition("/")[2].isdigit():
                places.setdefault(payload[1], []).append(one["cv"])
    told = [pair for worker in (*workers, *killed) for pair in worker.acknowledged()]
    assert len(told) >= processes * commits
    for token, cv in told:
        assert places.get(token) == [cv], token
    # Whatever the reader saw was a prefix.
    at, prefix = 0, apply(())
    for cv in sorted(seen):
        prefix = apply(whole.transactions[at:cv], prefix)
        at = cv
        assert digest(prefix) == seen[cv], f"the reader saw something else at commit {cv}"
    assert len(seen) > 3
    assert max(seen) >= max(cv for _, cv in told)
    with Database.open(path) as db:
        assert f"digest {db.digest()}" in digests or db.last_cv > max(cv for _, cv in told)
        assert not db.recovery.tail_bytes_discarded
        assert digest(live_state(db)) == digest(apply(whole.transactions))
        assert state["cv"] == db.last_cv


@pytest.mark.timeout(200)
def test_eight_processes_with_kills(tmp_path: Path) -> None:
    crowd(tmp_path / "db", processes=8, commits=150, kills=6, mode="buffered", seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_eight_processes_with_a_thousand_commits_each(tmp_path: Path, mode: str) -> None:
    commits = 1000 if mode == "buffered" else 150
    crowd(tmp_path / "db", processes=8, commits=commits, kills=20, mode=mode, seed=2)


COUNTER = """
import sys
from devstate.engine.database import Database
with Database.open(sys.argv[1], shared=True) as db:
    for _ in range(int(sys.argv[3])):
        db.transact(sys.argv[2], lambda tx: tx.kv.put("n", tx.kv.get("n", 0) + 1), retries=100000)
        db.state.transition(sys.argv[2], "s", lambda value: value + 1, retries=100000)
"""


@pytest.mark.timeout(200)
def test_a_counter_of_four_processes_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with Database.open(path, shared=True) as db:
        run = db.begin_run(owned=False)
        db.state.init(run, "s", 0)
        started = [start_python(COUNTER, str(path), run, "60") for _ in range(4)]
        for process in started:
            _, said = process.communicate(timeout=100)
            assert process.returncode == 0, said
        assert db.kv.get(run, "n") == 240
        assert db.state.read(run, "s").value == 240
        assert db.state.read(run, "s").ver == 241


# -- several handles in one process stand for several processes: their locks exclude each other all the same


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


def shared(path: Path, **options: Any) -> Database:
    return Database.open(path, **{"shared": True, "snapshots": OFTEN, "segment_bytes": 2000, **options})


def reading(path: Path) -> Database:
    return Database.open(path, read_only=True, files=OnlyReading())


HOLDER = """
import sys
from devstate.engine.database import Database
db = Database.open(sys.argv[1], shared=sys.argv[2] == "shared")
print("open", flush=True)
sys.stdin.read()
db.close()
"""


@pytest.mark.parametrize("theirs", ["shared", "exclusive"])
def test_exclusive_and_shared_exclude_each_other(path: Path, theirs: str) -> None:
    process = start_python(HOLDER, str(path), theirs)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with pytest.raises(DatabaseLocked) as caught:
        Database.open(path)
    if theirs == "exclusive":
        assert caught.value.pid == process.pid
        assert str(process.pid) in str(caught.value)
        with pytest.raises(DatabaseLocked) as caught:
            Database.open(path, shared=True)
        assert caught.value.pid == process.pid
    else:
        Database.open(path, shared=True).close()
    Database.open(path, read_only=True).close()
    process.communicate(timeout=20)
    Database.open(path).close()


def test_a_lock_ends_with_its_process(path: Path) -> None:
    process = start_python(HOLDER, str(path), "exclusive")
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    process.kill()
    process.communicate(timeout=20)
    Database.open(path, shared=True).close()
    Database.open(path).close()


def test_each_sees_what_the_others_committed(path: Path) -> None:
    with shared(path) as one, shared(path) as other:
        run = one.begin_run(name="r", owned=False)
        for number in range(40):
            writer, looker = (one, other) if number % 2 else (other, one)
            writer.kv.put(run, f"k{number}", number)
            assert looker.kv.get(run, f"k{number}") == number
            writer.events.append(run, "e", number)
            assert looker.events.len(run) == number + 1
            writer.json.set(run, "d", f"$.k{number}", number)
            assert looker.json.get(run, "d", f"$.k{number}") == number
            assert looker.state.get(run, "s", -1) == number - 1
            writer.state.set(run, "s", number)
        assert len(os.listdir(path / "wal")) > 3, "the log was never rotated"
        assert one.digest() == other.digest()
        assert one.replay_run(run).digest() == other.replay_run(run).digest()
        assert one.events.verify_chain(run) is None
    assert read_log(path).verdict == "clean"


@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_each_sees_what_the_others_committed_at_once(path: Path, mode: str) -> None:
    with shared(path, durability=mode) as one, shared(path, durability=mode) as other:
        run = one.begin_run(owned=False)
        one.kv.put(run, "k", 1)
        assert other.kv.get(run, "k") == 1
        assert other.refresh() == one.last_cv
        with other.transaction(run) as tx:
            assert tx.kv.get("k") == 1


def test_transactions_of_two_processes_conflict(path: Path) -> None:
    from devstate.engine.errors import ConflictError

    with shared(path) as one, shared(path) as other:
        run = one.begin_run(owned=False)
        one.kv.put(run, "k", 0)
        tx = other.transaction(run)
        assert tx.kv.get("k") == 0
        tx.kv.put("other", 1)
        one.kv.put(run, "k", 1)
        assert tx.kv.get("k") == 0, "an open transaction sees the state of its beginning"
        with pytest.raises(ConflictError):
            tx.commit()
        assert not one.kv.exists(run, "other")
        tx = other.transaction(run)
        tx.json.set("d", "$.a", 1)
        one.json.set(run, "d", "$.b", 2)
        with pytest.raises(ConflictError):
            tx.commit()  # the document came from somewhere else meanwhile
        tx = other.transaction(run)
        tx.json.set("d", "$.a", 1)
        one.json.set(run, "d", "$.c", 3)
        tx.commit()
        assert one.json.get(run, "d") == other.json.get(run, "d") == {"b": 2, "c": 3, "a": 1}


def test_the_sequence_of_transactions_goes_on_across_processes(path: Path) -> None:
    with shared(path) as one, shared(path) as other:
        run = one.begin_run(owned=False)
        for number in range(6):
            (one, other)[number % 2].kv.put(run, "k", number)
    sequences = [one["sequence"] for one in read_log(path).transactions] if _has_sequences(path) else []
    assert sequences == sorted(set(sequences))
    numbers = [int.from_bytes(tx_id[:8], "little") for tx_id in _tx_ids(path)]
    assert numbers == list(range(1, 8))


def _has_sequences(path: Path) -> bool:
    return "sequence" in read_log(path).transactions[0]


def _tx_ids(path: Path) -> list[bytes]:
    """The identifiers of the transactions of the first segments, in order, each once."""
    found: list[bytes] = []
    for segment in sorted((path / "wal").iterdir()):
        data, at = segment.read_bytes(), 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "little")
            tx_id = data[at + 6 : at + 22]
            if not found or found[-1] != tx_id:
                found.append(tx_id)
            at += 4 + length
    return found


@pytest.mark.parametrize("rest", [b"\0" * 7, b"\x3f\0\0\0\x10\x01torn", b"\xff" * 40, b"\xfe" * 5000])
def test_the_tail_of_a_killed_writer_is_cut_by_the_next(path: Path, rest: bytes) -> None:
    with shared(path, segment_bytes=1 << 20) as one, shared(path, segment_bytes=1 << 20) as other:
        run = one.begin_run(owned=False)
        one.kv.put(run, "k", 1)
        with reading(path) as reader:
            segment = sorted((path / "wal").iterdir())[-1]
            with open(segment, "ab") as file:
                file.write(rest)
            assert reader.refresh() == 2, "an unfinished end is not yet there"
            assert other.kv.get(run, "k") == 1
            assert segment.read_bytes().endswith(rest), "reading cuts nothing"
            assert other.kv.put(run, "k", 2) == 3
            assert one.kv.get(run, "k") == 2
            assert reader.refresh() == 3
            assert one.kv.put(run, "k", 3) == 4
            assert reader.kv.get(run, "k") == 3
            assert other.digest() == one.digest() == reader.digest()
    found = read_log(path)
    assert found.verdict == "clean"
    assert found.last_cv == 4
    with Database.open(path) as db:
        assert not db.recovery.tail_bytes_discarded


OWNER = """
import os, sys
from devstate.engine.database import Database
db = Database.open(sys.argv[1], shared=True)
print(db.begin_run(name="theirs"), flush=True)
sys.stdin.read()
os._exit(9)
"""


def test_the_run_of_a_killed_owner_is_orphaned_and_can_be_resumed(path: Path) -> None:
    with shared(path) as one, shared(path) as other:
        process = start_python(OWNER, str(path))
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        assert one.run_status(run) == "active"
        assert one.orphaned_runs() == []
        one.kv.put(run, "first", 1)  # a run of another living process takes writes
        process.kill()
        process.communicate(timeout=20)
        before = one.last_cv
        for db in (one, other):
            assert db.run_status(run) == "orphaned"
            assert [told.run_id for told in db.orphaned_runs()] == [run]
            with pytest.raises(RunNotActive):
                db.kv.put(run, "k", 0)
            with pytest.raises(RunNotActive), db.transaction(run) as tx:
                tx.kv.put("k", 0)
        assert one.last_cv == before, "nothing is written for it"
        one.resume_run(run)
        for db in (one, other):
            assert db.run_status(run) == "active"
        other.kv.put(run, "k", 1)
        with shared(path) as third:
            assert third.run_status(run) == "active"
        one.end_run(run)
        assert other.run_status(run) == "completed"


def test_a_run_without_an_owner_outlives_everybody(path: Path) -> None:
    code = (
        "import os, sys; from devstate.engine.database import Database; "
        "db = Database.open(sys.argv[1], shared=True); print(db.begin_run(owned=False), flush=True); os._exit(0)"
    )
    run = run_python(code, str(path)).strip()
    with shared(path) as db:
        assert db.run_status(run) == "active"
        db.kv.put(run, "k", 1)


def test_only_the_last_one_says_that_it_was_closed(path: Path) -> None:
    one, other = shared(path), shared(path)
    run = one.begin_run(owned=False)
    other.kv.put(run, "k", 1)
    one.close()
    assert read_clean(path) is None
    other.kv.put(run, "k", 2)
    other.close()
    mark = read_clean(path)
    assert mark is not None
    again = shared(path)
    assert read_clean(path) == mark, "opening alone writes nothing"
    again.kv.put(run, "k", 3)
    assert read_clean(path) is None
    again.close()
    assert read_clean(path) not in (None, mark)


def busy(db: Database, run: str, number: int) -> None:
    for step in range(25):
        db.kv.put(run, f"k{step % 5}", f"{number}/{step}" * 5)
        db.events.append(run, "e", step)
    db.snapshot()


@pytest.mark.parametrize("history", ["keep", "off"])
def test_readers_follow_the_log_wherever_it_goes(path: Path, history: str) -> None:
    """Segments move into history/, or are deleted: a reader that stood in one goes on from a snapshot."""
    policy = SnapshotPolicy(close_bytes=-1, keep=2)
    with shared(path, history=history, snapshots=policy) as one:
        run = one.begin_run(name="r", owned=False)
        with reading(path) as follower, reading(path) as late, shared(path, history=history) as other:
            tx = late.transaction(run)
            for number in range(6):
                busy(one, run, number)
                assert follower.refresh() == one.last_cv
                assert follower.digest() == one.digest()
            assert bool(os.listdir(path / "history")) is (history == "keep")
            assert min(os.listdir(path / "wal")) > f"{0:020d}.wal", "no segment went away"
            assert tx.kv.get("k0") is None, "an open transaction sees the state of its beginning"
            tx.rollback()
            assert late.refresh() == one.last_cv
            assert late.digest() == one.digest()
            assert late.kv.get(run, "k4") == follower.kv.get(run, "k4")
            if history == "keep":
                assert late.replay_run(run).digest() == one.replay_run(run).digest()
            assert other.kv.put(run, "more", 1) == one.refresh()
            assert other.digest() == one.digest()


def test_a_reader_writes_nothing(path: Path) -> None:
    with shared(path) as db:
        run = db.begin_run(owned=False)
        db.kv.put(run, "k", 1)
        with reading(path) as reader:
            for write in (
                lambda: reader.kv.put(run, "k", 2),
                lambda: reader.begin_run(),
                lambda: reader.end_run(run),
                reader.snapshot,
                lambda: reader.transact(run, lambda tx: tx.kv.put("k", 2)),
            ):
                with pytest.raises(ReadOnlyError):
                    write()
            assert reader.durability == "read_only"
            assert reader.kv.get(run, "k") == 1
            assert reader.replay_run(run).get_kv("k") == 1
            assert reader.view_at(1).runs()[0].run_id == run


def contents(path: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(path)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def test_a_reader_changes_no_byte(path: Path) -> None:
    with shared(path) as db:
        run = db.begin_run(owned=False)
        busy(db, run, 1)
    before = contents(path)
    with reading(path) as reader:
        reader.refresh()
        reader.replay_run(run)
        reader.diff_runs(run, run)
    assert contents(path) == before


def test_two_processes_may_make_the_database_at_the_same_time(path: Path) -> None:
    code = (
        "import sys; from devstate.engine.database import Database; sys.stdin.readline()\n"
        "with Database.open(sys.argv[1], shared=True) as db: db.kv.put(db.begin_run(), 'k', 1)"
    )
    started = [start_python(code, str(path)) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    with Database.open(path) as db:
        assert len(db.list_runs()) == 4
        assert db.last_cv == 8


def test_snapshots_of_one_process_while_another_writes(path: Path) -> None:
    with shared(path, durability=Durability.buffered(interval_ms=3_600_000)) as one, shared(path) as other:
        run = one.begin_run(owned=False)
        failures: list[BaseException] = []

        def write() -> None:
            try:
                for number in range(150):
                    other.kv.put(run, f"k{number % 9}", number)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        while thread.is_alive():
            one.snapshot()
        thread.join()
        assert not failures
        assert one.digest() == other.digest()
        expected = one.digest()
    with Database.open(path) as db:
        assert db.recovery.snapshot_used is not None
        assert db.digest() == expected


# -- who falls behind


AHEAD = """
import sys
from devstate.engine.database import Database
with Database.open(sys.argv[1], shared=True, history="off", segment_bytes=2000) as db:
    for line in sys.stdin:
        for number in range(60):
            db.kv.put(sys.argv[2], f"key {number}", line.strip() + "x" * 60)
            if number % 15 == 14:
                db.snapshot()
        print(db.last_cv, db.digest(), flush=True)
"""


def left_behind(db: Database, run: str, ahead: subprocess.Popen[str]) -> None:
    assert ahead.stdin is not None and ahead.stdout is not None
    for turn in ("read", "write", "transact", "search"):
        print(turn, file=ahead.stdin, flush=True)
        cv, told = ahead.stdout.readline().split()
        assert min(int(one.stem) for one in Path(str(db.path)).glob("wal/*.wal")) > 0
        if turn == "read":
            assert db.kv.get(run, "key 0") == turn + "x" * 60
        elif turn == "write":
            assert db.kv.put(run, "mine", 2) == int(cv) + 1
        elif turn == "transact":
            assert db.transact(run, lambda tx: tx.kv.get("key 59")) == turn + "x" * 60
        else:
            assert db.search(run, turn + "x" * 60).hits
        if turn != "write":
            assert (db.refresh(), db.digest()) == (int(cv), told)
    ahead.stdin.close()


@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_a_process_that_another_left_behind_goes_on_by_itself(path: Path, mode: str) -> None:
    """Without history the log in between is gone; the newest snapshot and the log behind it say the same."""
    with shared(path, durability=mode) as db:
        run = db.begin_run(owned=False)
        db.kv.put(run, "mine", 1)
        with start_python(AHEAD, str(path), run) as process:
            left_behind(db, run, process)
        assert process.returncode == 0
        db.end_run(run)
    with Database.open(path) as again:
        assert again.recovery.clean_close and again.kv.get(run, "mine") == 2
        assert again.run_status(run) == "completed"
