"""Single operations in each mode, and what the bytes themselves cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any
from zlib import crc32

import engine_data as data
import msgspec
import peer
from harness import Result
from timing import Timed, Way, add, in_turn

# What the table of the requirements asks for, in us: operation, mode -> (must, aim).
WANTED: dict[tuple[str, str], tuple[float | str | None, float | str | None]] = {
    ("KV put 64 B", "memory"): (3, 2),
    ("KV put 64 B", "buffered"): (7, 5),
    ("KV put 64 B", "strict"): ("1.2x the write", None),
    ("KV get", "memory"): (5, 1),
    ("KV get", "buffered"): (5, 1),
    ("JSON create 1 KB", "memory"): (1000, None),
    ("JSON create 1 KB", "buffered"): (1000, 6),
    ("JSON get at path", "memory"): (100, 1),
    ("JSON get at path", "buffered"): (100, 1),
    ("State read", "memory"): (5, 1),
    ("State read", "buffered"): (5, 1),
    ("Event append", "memory"): (10, None),
    ("Event append", "buffered"): (10, 5),
}
READS = ("KV get", "JSON get at path", "State read")


def measure(result: Result, folder: Path, quick: bool) -> None:
    """Rows of all operations in all modes, ours and the peer's, in the same rounds."""
    rounds = 2 if quick else 5
    for mode in ("memory", "buffered", "strict"):
        calls = (40 if quick else 1000) if mode == "strict" else (400 if quick else 20_000)
        place = folder / mode
        place.mkdir()
        with data.open_engine(mode, place / "ours") as ours:
            theirs = peer.open_peer(mode, place / "peer") if peer.available() else None
            try:
                _mode(result, mode, place, ours, theirs, rounds=rounds, calls=calls)
            finally:
                if theirs is not None:
                    theirs.close()


def _mode(result: Result, mode: str, place: Path, ours: Any, theirs: Any, *, rounds: int, calls: int) -> None:
    run = ours.run(name="bench")
    document = data.document()
    _prepare(run, theirs, document)
    pairs = operations(run, theirs, document)
    written = bytes_of_a_put(ours, run)
    size = len(msgspec.json.encode(document))
    for what, (mine, other) in pairs.items():
        ways = {"ours": mine} if other is None else {"ours": mine, "peer": other}
        strict = mode == "strict" and what not in READS
        with Baseline(mode, place, written) as baseline:
            if what == "KV put 64 B":
                ways["baseline"] = Way(baseline.call, repeat(()))
            found = in_turn(
                ways,
                rounds=rounds,
                calls=calls if strict or mode != "strict" else calls * 4,
                block=20 if strict else None,
            )
        must, aim = WANTED.get((what, mode), (None, None))
        note = None
        if what == "KV put 64 B":
            times = _times(found["ours"], found["baseline"])
            of = f"{baseline.name} of its {written} B" if written else baseline.name
            note = f"{times:.2f}x of {of}: {found['baseline'].median:.2f} us"
        elif what == "JSON create 1 KB":
            note = f"{size} B as JSON text"
        label = f"{what}, {mode}"
        add(result, label, found["ours"], peer=found.get("peer"), must=must, aim=aim, note=note)


def _times(ours: Timed, baseline: Timed) -> float:
    return ours.median / max(baseline.median, 1e-9)


def _prepare(run: Any, theirs: Any, document: dict[str, Any]) -> None:
    """What the reads read."""
    names = data.some_keys()
    with run.transaction() as transaction:
        for _ in range(data.KEYS):
            transaction.kv.put(next(names), data.VALUE)
        transaction.json.create("plan", document)
        transaction.state.init("phase", {"name": "act", "n": 1})
    if theirs is not None:
        for _ in range(data.KEYS // 500):
            theirs.kv.put_many({next(names): data.VALUE for _ in range(500)})
        theirs.json.set("plan", "$", document)


def operations(run: Any, theirs: Any, document: dict[str, Any]) -> dict[str, tuple[Way, Way | None]]:
    """Each operation: ours and, where it has it, the peer's."""

    def five(name: str) -> None:
        with run.transaction() as transaction:
            put = transaction.kv.put
            for number in range(5):
                put(f"{name}{number}", data.VALUE)

    def five_of_peer(name: str) -> None:
        theirs.kv.put_many([(f"{name}{number}", data.VALUE) for number in range(5)])

    def both(mine: Callable[..., Any], other: str, arguments: Callable[[], Iterator[tuple[Any, ...]]]) -> Any:
        if theirs is None:
            return Way(mine, arguments()), None
        found: Any = theirs
        for part in other.split("."):
            found = getattr(found, part)
        return Way(mine, arguments()), Way(found, arguments())

    whole = Way(run.json.create, ((key, document) for key in data.fresh_keys("plan")))
    theirs_whole = Way(
        lambda key: theirs.json.set(key, "$", document), ((key,) for key in data.fresh_keys("plan"))
    )
    return {
        "KV put 64 B": both(run.kv.put, "kv.put", lambda: ((key, data.VALUE) for key in data.some_keys())),
        "KV get": both(run.kv.get, "kv.get", lambda: ((key,) for key in data.some_keys())),
        "JSON create 1 KB": (whole, theirs_whole if theirs is not None else None),
        "JSON get at path": both(run.json.get, "json.get", lambda: repeat(("plan", data.PATH))),
        "JSON set at path": both(
            run.json.set, "json.set", lambda: (("plan", data.PATH, text) for text in data.random_values(24))
        ),
        "State read": (Way(run.state.read, repeat(("phase",))), None),
        "Event append": both(run.events.append, "events.append", lambda: repeat(("tool_call", data.EVENT))),
        "transaction of 5 puts": (
            Way(five, ((key,) for key in data.some_keys())),
            Way(five_of_peer, ((key,) for key in data.some_keys())) if theirs is not None else None,
        ),
    }


def bytes_of_a_put(database: Any, run: Any) -> int:
    """How many bytes the log grows by for the put that is measured; 0 where there is no log."""
    log = database.committer.log
    if log is None:
        return 0
    before = log.end
    run.kv.put(next(data.some_keys()), data.VALUE)
    return log.end - before


class Baseline:
    """The least that a mode must do for the same bytes: to encode and sum them, to write them, to sync them too."""

    def __init__(self, mode: str, place: Path, size: int) -> None:
        self.name = {
            "memory": "msgpack and crc32",
            "buffered": "one write",
            "strict": "one write and fdatasync",
        }[mode]
        self._mode = mode
        self._path = place / "baseline"
        self._bytes = os.urandom(size)
        self._fd = -1

    def __enter__(self) -> Baseline:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)
        self._path.unlink()

    @property
    def call(self) -> Callable[[], Any]:
        fd, content = self._fd, self._bytes
        if self._mode == "memory":
            return encode_and_sum
        if self._mode == "buffered":
            return lambda: os.write(fd, content)
        sync = getattr(os, "fdatasync", os.fsync)

        def written() -> None:
            os.write(fd, content)
            sync(fd)

        return written


_pack = msgspec.msgpack.Encoder().encode
_RUN, _KEY = bytes(16), "key-000001"


def encode_and_sum() -> int:
    """The floor of a put in memory: the value and the entry as msgpack, and a checksum of it."""
    value = _pack(data.VALUE)
    return crc32(_pack((_RUN, _KEY, 1, 1_700_000_000_000_000, msgspec.Raw(value))))
