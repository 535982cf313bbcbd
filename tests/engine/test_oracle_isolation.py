"""The checker of snapshot isolation: it finds each anomaly in a history made for it, and none in good ones."""

from __future__ import annotations

import random

import pytest

from engine_oracle.isolation import Txn, check_snapshot_isolation

BAD: dict[str, list[Txn]] = {
    "G0": [
        Txn("a", 0, 1, writes=[("x", 1), ("y", 2)]),
        Txn("b", 0, 2, writes=[("x", 2), ("y", 1)]),
    ],
    "G1a": [Txn("a", 0, None, writes=[("x", 1)]), Txn("b", 0, 1, reads=[("x", 1)], writes=[("y", 1)])],
    "G1b": [
        Txn("a", 0, 1, writes=[("x", 1), ("x", 2)]),
        Txn("b", 1, 2, reads=[("x", 1)], writes=[("y", 1)]),
    ],
    "G1c": [
        Txn("a", 0, 1, reads=[("y", 1)], writes=[("x", 1)]),
        Txn("b", 0, 2, reads=[("x", 1)], writes=[("y", 1)]),
    ],
    "lost update": [
        Txn("a", 0, 1, writes=[("x", 1)]),
        Txn("b", 1, 2, reads=[("x", 1)], writes=[("x", 2)]),
        Txn("c", 1, 3, reads=[("x", 1)], writes=[("x", 3)]),
    ],
    "read skew": [
        Txn("a", 0, 1, writes=[("x", 1), ("y", 1)]),
        Txn("b", 1, 2, writes=[("x", 2), ("y", 2)]),
        Txn("c", 1, 2, reads=[("x", 1), ("y", 2)]),
    ],
    "G-single": [
        Txn("a", 0, 1, writes=[("x", 1), ("y", 1)]),
        Txn("b", 1, 2, writes=[("x", 2), ("y", 2)]),
        Txn("c", 1, 3, reads=[("x", 1)], writes=[("y", 3)]),
    ],
    "fractured read": [
        Txn("a", 0, 1, writes=[("x", 1), ("y", 1)]),
        Txn("b", 1, 1, reads=[("x", 1), ("y", 0)]),
    ],
    "non-repeatable read": [
        Txn("a", 0, 1, writes=[("x", 1)]),
        Txn("b", 1, 2, writes=[("x", 2)]),
        Txn("c", 1, 2, reads=[("x", 1), ("x", 2)]),
    ],
    "not of the start": [
        Txn("a", 0, 1, writes=[("x", 1)]),
        Txn("b", 1, 2, reads=[("x", 0)], writes=[("y", 1)]),
    ],
    "invented read": [Txn("a", 0, 1, reads=[("x", 9)], writes=[("y", 1)])],
    "bad commit": [Txn("a", 0, 1, writes=[("x", 1)]), Txn("b", 0, 1, writes=[("y", 1)])],
    "bad version": [Txn("a", 0, 1, writes=[("x", 1)]), Txn("b", 1, 2, writes=[("x", 1)])],
}

GOOD: dict[str, list[Txn]] = {
    "one after the other": [
        Txn("a", 0, 1, reads=[("x", 0)], writes=[("x", 1)]),
        Txn("b", 1, 2, reads=[("x", 1)], writes=[("x", 2)]),
    ],
    "write skew": [
        Txn("a", 0, 1, reads=[("x", 0), ("y", 0)], writes=[("x", 1)]),
        Txn("b", 0, 2, reads=[("x", 0), ("y", 0)], writes=[("y", 1)]),
    ],
    "blind writes of the same key": [
        Txn("a", 0, 1, writes=[("x", 1)]),
        Txn("b", 0, 2, writes=[("x", 2)]),
        Txn("c", 1, 1, reads=[("x", 1)]),
    ],
    "a read of one's own write": [Txn("a", 0, 1, reads=[("x", 0), ("x", 1)], writes=[("x", 1)])],
    "an old reader among writers": [
        Txn("a", 0, 1, writes=[("x", 1), ("y", 1)]),
        Txn("b", 1, 2, reads=[("x", 1)], writes=[("x", 2), ("y", 2)]),
        Txn("c", 1, 1, reads=[("x", 1), ("y", 1), ("x", 1)]),
    ],
    "one that was rolled back": [
        Txn("a", 0, None, reads=[("x", 0)], writes=[("x", 1)]),
        Txn("b", 0, 0, reads=[("x", 0)]),
    ],
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_history_is_found(kind: str) -> None:
    assert kind in {anomaly.kind for anomaly in check_snapshot_isolation(BAD[kind])}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_passes(name: str) -> None:
    assert check_snapshot_isolation(GOOD[name]) == []


def test_a_lost_update_over_a_longer_way_is_found() -> None:
    history = [
        Txn("a", 0, 1, writes=[("x", 1)]),
        Txn("b", 1, 2, writes=[("x", 2)]),
        Txn("c", 2, 3, writes=[("x", 3)]),
        Txn("d", 1, 4, reads=[("x", 1)], writes=[("x", 4)]),
    ]
    assert [anomaly.kind for anomaly in check_snapshot_isolation(history)] == ["lost update"]


def simulate(dice: random.Random, validate: bool) -> list[Txn]:
    """Interleaved transactions over three keys; `validate`: a writer is rolled back where what it read has changed."""
    store: dict[str, list[tuple[int, int]]] = {key: [(0, 0)] for key in "xyz"}  # (commit, version)
    cv = version = 0
    history: list[Txn] = []
    open_: list[tuple[int, list[tuple[str, int]], list[str]]] = []
    while len(history) < 25:
        if len(open_) < 3 and dice.random() < 0.6:
            reads = [
                (key, max(held for held in store[key] if held[0] <= cv)[1]) for key in dice.sample("xyz", 2)
            ]
            open_.append((cv, reads, dice.sample("xyz", dice.randrange(3))))
        elif open_:
            start, reads, targets = open_.pop(dice.randrange(len(open_)))
            changed = bool(targets) and any(store[key][-1][1] != seen for key, seen in reads)
            writes: list[tuple[str, int]] = []
            commit: int | None = None if (validate and changed) else start
            for key in targets:
                version += 1
                writes.append((key, version))
            if writes and commit is not None:
                cv = commit = cv + 1
                for key, number in writes:
                    store[key].append((cv, number))
            history.append(Txn(len(history), start, commit, reads, writes))
    return history


@pytest.mark.parametrize("seed", range(20))
def test_simulated_histories_pass_with_validation(seed: int) -> None:
    assert check_snapshot_isolation(simulate(random.Random(seed), validate=True)) == []


def test_simulated_histories_without_validation_lose_updates() -> None:
    kinds = {
        anomaly.kind
        for seed in range(20)
        for anomaly in check_snapshot_isolation(simulate(random.Random(seed), validate=False))
    }
    assert kinds == {"lost update", "G-single"}
