"""A checker of recorded histories: was this snapshot isolation?

A history is a list of `Txn`. The versions of a key are numbers that its writers chose, above 0 and each used once;
0 is the key before anyone wrote it. The order of the versions of a key is that of their numbers, not of the commits:
so a commit order that contradicts the versions shows as a cycle.

    T1 -ww-> T2    T2 wrote the next version of a key after one of T1
    T1 -wr-> T2    T2 read a version of T1
    T1 -rw-> T2    T1 read a version whose next one T2 wrote

Found are: G0 (a cycle of ww), G1a (a read of what was rolled back), G1b (a read of what its writer wrote over),
G1c (a cycle of ww and wr), cycles with one rw ("lost update" where the key that was read is also the one written,
"read skew" where what was read is partly older and partly newer, otherwise "G-single"), fractured and non-repeatable
reads, reads that are not of the start, and commits that are not as they say. Cycles with two rw or more are write
skew, which snapshot isolation permits, as it permits to write over a version that one did not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

Key = Any


class Txn(NamedTuple):
    """`commit` is None for one that was rolled back; `reads`: (key, version seen); `writes`: (key, version)."""

    id: Any
    start: int
    commit: int | None
    reads: Sequence[tuple[Key, int]] = ()
    writes: Sequence[tuple[Key, int]] = ()


def by_commits(history: Sequence[Txn]) -> list[Txn]:
    """The same history with its versions numbered in the order of the commits, what was rolled back last.

    For stores in which writes without a read commit in any order, so that the versions have no order of their own.
    Versions must be different over all keys. G0 cannot be found any more: the commits say what came first.
    """
    numbers = {0: 0}
    for txn in sorted(history, key=lambda txn: (txn.commit is None, txn.commit or 0)):
        for _, version in txn.writes:
            numbers[version] = len(numbers)
    return [
        txn._replace(
            reads=[(key, numbers.get(version, -1)) for key, version in txn.reads],
            writes=[(key, numbers[version]) for key, version in txn.writes],
        )
        for txn in history
    ]


class Anomaly(NamedTuple):
    kind: str
    transactions: tuple[Any, ...]
    text: str


class _History:
    def __init__(self, history: Iterable[Txn]) -> None:
        self.all = list(history)
        self.committed = [txn for txn in self.all if txn.commit is not None]
        self.writer: dict[tuple[Key, int], Txn] = {}
        self.final: dict[tuple[Any, Key], int] = {}  # the last version of a key that a transaction wrote
        self.twice: list[Anomaly] = []
        for txn in self.all:
            for key, version in txn.writes:
                if (key, version) in self.writer or version <= 0:
                    other = self.writer.get((key, version), txn)
                    self.twice.append(Anomaly("bad version", (other.id, txn.id), f"{key!r} {version}"))
                self.writer[key, version] = txn
                self.final[txn.id, key] = version
        self.order: dict[Key, list[int]] = {}  # the installed versions of each key
        for (key, version), txn in sorted(self.writer.items(), key=lambda item: item[0][1]):
            if txn.commit is not None and self.final[txn.id, key] == version:
                self.order.setdefault(key, [0]).append(version)

    def own(self, txn: Txn, key: Key, version: int) -> bool:
        writer = self.writer.get((key, version))
        return writer is not None and writer.id == txn.id

    def outer_reads(self, txn: Txn) -> list[tuple[Key, int]]:
        """What was read of others: a read of one's own write says nothing of isolation."""
        return [(key, version) for key, version in txn.reads if not self.own(txn, key, version)]

    def next_writer(self, key: Key, version: int) -> Txn | None:
        later = [other for other in self.order.get(key, ()) if other > version]
        return self.writer[key, later[0]] if later else None

    def edges(self) -> dict[tuple[Any, Any], set[tuple[str, Key]]]:
        found: dict[tuple[Any, Any], set[tuple[str, Key]]] = {}

        def add(one: Any, other: Any, kind: str, key: Key) -> None:
            if one != other:
                found.setdefault((one, other), set()).add((kind, key))

        for key, versions in self.order.items():
            for before, after in pairwise(versions[1:]):
                add(self.writer[key, before].id, self.writer[key, after].id, "ww", key)
        for txn in self.committed:
            for key, version in self.outer_reads(txn):
                writer = self.writer.get((key, version))
                if writer is not None and writer.commit is not None:
                    add(writer.id, txn.id, "wr", key)
                following = self.next_writer(key, version)
                if following is not None:
                    add(txn.id, following.id, "rw", key)
        return found


def check_snapshot_isolation(history: Iterable[Txn]) -> list[Anomaly]:
    """All anomalies of a history, in the order of the list above; [] for one that snapshot isolation permits."""
    seen = _History(history)
    edges = seen.edges()
    return [
        *seen.twice,
        *_commits(seen),
        *_dirty_reads(seen),
        *_cycles(seen, edges),
        *_unsteady_reads(seen),
        *_not_of_the_start(seen),
    ]


def _commits(seen: _History) -> Iterator[Anomaly]:
    numbers: dict[int, Any] = {}
    for txn in seen.committed:
        assert txn.commit is not None
        if not txn.writes:
            continue  # a reader takes no number: its commit is the state that it read
        if txn.commit in numbers:
            yield Anomaly("bad commit", (numbers[txn.commit], txn.id), f"both are commit {txn.commit}")
        if txn.commit <= txn.start:
            yield Anomaly("bad commit", (txn.id,), f"commit {txn.commit} is not after start {txn.start}")
        numbers[txn.commit] = txn.id


def _dirty_reads(seen: _History) -> Iterator[Anomaly]:
    for txn in seen.all:
        for key, version in seen.outer_reads(txn):
            writer = seen.writer.get((key, version))
            if writer is None:
                if version != 0:  # also what `by_commits` does not know
                    yield Anomaly("invented read", (txn.id,), f"{key!r} {version}: no one wrote it")
            elif writer.commit is None:
                yield Anomaly("G1a", (writer.id, txn.id), f"{key!r} {version} was rolled back")
            elif seen.final[writer.id, key] != version:
                yield Anomaly("G1b", (writer.id, txn.id), f"{key!r} {version} was written over by its writer")


def _cycles(seen: _History, edges: Mapping[tuple[Any, Any], set[tuple[str, Key]]]) -> Iterator[Anomaly]:
    def graph(*kinds: str) -> dict[Any, list[Any]]:
        found: dict[Any, list[Any]] = {}
        for (one, other), labels in edges.items():
            if any(kind in kinds for kind, _ in labels):
                found.setdefault(one, []).append(other)
        return found

    writes, depends = graph("ww"), graph("ww", "wr")
    told: set[frozenset[Any]] = set()
    for kind, links in (("G0", writes), ("G1c", depends)):
        for (one, other), labels in edges.items():
            if not any(label in (("ww",) if kind == "G0" else ("ww", "wr")) for label, _ in labels):
                continue
            way = _way(links, other, one)
            if way is not None and frozenset(way) not in told:
                told.add(frozenset(way))
                yield Anomaly(kind, tuple(way), " -> ".join(map(str, [one, *way])))
    for (one, other), labels in edges.items():
        keys = {key for label, key in labels if label == "rw"}
        way = _way(depends, other, one) if keys else None
        if way is None:
            continue
        if any(seen.final.get((one, key), 0) > seen.final[other, key] for key in keys):
            kind = "lost update"  # it wrote a version of the key above the one that it did not see
        elif any(label == "wr" for label, _ in edges[way[-2], one]):
            kind = "read skew"  # it saw what came after that
        else:
            kind = "G-single"
        yield Anomaly(kind, tuple(way), f"{one} did not see {other}, on which it rests: {keys!r}")


def _way(links: Mapping[Any, Sequence[Any]], start: Any, end: Any) -> list[Any] | None:
    """The shortest way from one transaction to another, both included."""
    before: dict[Any, Any] = {start: None}
    queue = [start]
    for at in queue:
        if at == end:
            way = [at]
            while before[way[-1]] is not None:
                way.append(before[way[-1]])
            return way[::-1]
        for other in links.get(at, ()):
            if other not in before:
                before[other] = at
                queue.append(other)
    return None


def _unsteady_reads(seen: _History) -> Iterator[Anomaly]:
    for txn in seen.all:
        read: dict[Key, int] = {}
        for key, version in seen.outer_reads(txn):
            if read.setdefault(key, version) != version:
                yield Anomaly("non-repeatable read", (txn.id,), f"{key!r}: {read[key]}, then {version}")
        for key, version in read.items():
            writer = seen.writer.get((key, version))
            for other, _ in writer.writes if writer is not None else ():
                assert writer is not None
                if other in read and read[other] < seen.final[writer.id, other]:
                    text = f"{key!r} is of {writer.id}, and {other!r} is older than it"
                    yield Anomaly("fractured read", (writer.id, txn.id), text)


def _not_of_the_start(seen: _History) -> Iterator[Anomaly]:
    """Each read gives the version of the newest commit at or before the start."""
    commits: dict[Key, list[tuple[int, int]]] = {}
    for key, versions in seen.order.items():
        for version in versions[1:]:
            commit = seen.writer[key, version].commit
            assert commit is not None
            commits.setdefault(key, []).append((commit, version))
    for txn in seen.all:
        for key, version in seen.outer_reads(txn):
            there = [held for held in commits.get(key, ()) if held[0] <= txn.start]
            expected = max(there)[1] if there else 0
            if version != expected:
                text = f"{key!r}: {version} where {expected} was there at {txn.start}"
                yield Anomaly("not of the start", (txn.id,), text)
