"""What the benchmarks of the engine write and look for, made anew from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, count, cycle
from pathlib import Path
from typing import Any

SEED = 7
KEYS = 10_000
WORDS, DOCUMENT_WORDS = 20_000, 40
PATH = "$.steps[3].args.query"
VALUE = "v" * 64
EVENT = {"tool": "search", "query": "what is known", "n": 3}


def open_engine(mode: str, path: Path | None = None, **options: Any) -> Any:
    """A database of ours that takes no snapshot by itself: what is timed is the operation."""
    from devstate.engine.database import Database
    from devstate.engine.snapshotting import SnapshotPolicy

    options.setdefault("snapshots", SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1))
    return Database.open(path if mode != "memory" else None, durability=mode, **options)


def some_keys() -> Iterator[str]:
    """10,000 keys, over and over."""
    return cycle([f"key-{number:06d}" for number in range(KEYS)])


def fresh_keys(prefix: str) -> Iterator[str]:
    """Keys that were never used."""
    return (f"{prefix}-{number:08d}" for number in count())


def document() -> dict[str, Any]:
    """A plan of an agent, about 1 KB as JSON text."""
    rng = random.Random(SEED)
    return {
        "title": "look into the failing import",
        "status": "active",
        "owner": None,
        "tags": ["plan", "import", "tests"],
        "steps": [
            {
                "do": rng.choice(("search", "read", "write", "run")),
                "done": number < 4,
                "args": {"query": f"part {number} of the question", "limit": rng.randrange(100)},
                "cost": round(rng.random(), 4),
            }
            for number in range(9)
        ],
    }


def random_values(size: int, kinds: int = 997) -> Iterator[str]:
    """Texts of `size` bytes that do not compress, over and over."""
    rng = random.Random(SEED)
    return cycle([rng.randbytes(size // 2 + 1).hex()[:size] for _ in range(kinds)])


def load(database: Any, records: int, size: int, *, batch: int = 500) -> Any:
    """A run with `records` values of `size` bytes in KV, written in transactions of `batch`."""
    run = database.run(name="load")
    values, written = random_values(size), 0
    while written < records:
        with run.transaction() as transaction:
            for number in range(written, min(records, written + batch)):
                transaction.kv.put(f"key-{number:08d}", next(values))
        written += batch
    return run


def load_peer(database: Any, records: int, size: int, *, batch: int = 500) -> None:
    """The same in the peer, a commit for each batch."""
    values, written = random_values(size), 0
    while written < records:
        stop = min(records, written + batch)
        database.kv.put_many({f"key-{number:08d}": next(values) for number in range(written, stop)})
        written = stop


class Texts:
    """Documents of words that follow Zipf's law, and queries."""

    def __init__(self, documents: int) -> None:
        self._rng = random.Random(SEED)
        self._words = [f"word{rank}" for rank in range(1, WORDS + 1)]
        self._weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))
        drawn = [self._draw(DOCUMENT_WORDS) for _ in range(documents)]
        self.documents = [" ".join(words) for words in drawn]
        self.present = sorted({word for words in drawn for word in words})

    def evenly(self) -> str:
        """Two different words, each of those that occur as likely as any other."""
        return " ".join(self._rng.sample(self.present, 2))

    def as_written(self) -> str:
        """Two different words, drawn as those of the documents: mostly very frequent ones."""
        while True:
            one, other = self._draw(2)
            if one != other:
                return f"{one} {other}"

    def _draw(self, number: int) -> list[str]:
        return self._rng.choices(self._words, cum_weights=self._weights, k=number)


def everywhere(documents: int) -> tuple[list[str], str]:
    """Documents that nearly all hold the same three words, and the query for them: most of them score alike."""
    rng = random.Random(SEED)
    texts = Texts(documents).documents
    common = ("alpha", "beta", "gamma")
    made = [" ".join((*(w for w in common if rng.random() < 0.97), *text.split()[3:])) for text in texts]
    return made, " ".join(common)


def opposed(documents: int) -> tuple[list[str], str]:
    """Documents that all hold the same three words, where the more of one the less of another: no early end."""
    rng = random.Random(SEED)
    made: list[str] = []
    for text in Texts(documents).documents:
        one, third = rng.choice((1, 5)), rng.randint(1, 3)
        words = ["alpha"] * one + ["beta"] * (6 - one) + ["gamma"] * third
        made.append(" ".join((*words, *text.split()[len(words) :])))
    return made, "alpha beta gamma"


def file_system(folder: Path) -> str:
    """The file system that the folder is on, as far as the system says."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown file system"
    place = str(folder.resolve())
    best, kind = "", "unknown file system"
    for line in mounts.read_text("utf-8", "replace").splitlines():
        fields = line.split()
        inside = place == fields[1] or place.startswith(fields[1].rstrip("/") + "/")
        if inside and len(fields[1]) >= len(best):
            best, kind = fields[1], fields[2]
    return kind
