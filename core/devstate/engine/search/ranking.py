"""The best k documents of several weighted terms: exact, and without looking at those that cannot be among them.

Documents are looked at from the best of each term downwards. A document not met so far weighs for each term at
most what the next one in that term's order does, and the sum of these bounds is taken in the same order of terms
as every score; rounding keeps order, so no unseen document can score above the sum of the bounds. Once k
documents score above it, or as much with lesser keys, the answer is final (the threshold algorithm of Fagin,
Lotem and Naor; without the keys it would look at every document where most are alike, as they are for everyday
words).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from typing import Generic

import msgspec

from .bm25 import K

__all__ = ["Column", "Ranking", "column", "top"]

# Documents taken of one term before the next term has its turn.
_STEP = 32
# Documents between two looks at the clock.
_CHECK = 256


class Column(msgspec.Struct, Generic[K], frozen=True, gc=False):
    """One term: its weight in each document, the documents, and whether they stand heaviest first, equals by key."""

    weights: dict[K, float]
    keys: list[K]
    ordered: bool
    heaviest: float


class Ranking(msgspec.Struct, Generic[K], frozen=True):
    """The best documents as (score, key), best first, equals by key; how many were looked at; cut by time?"""

    hits: list[tuple[float, K]]
    scored: int
    cut: bool


def column(weights: dict[K, float], *, ordered: bool) -> Column[K]:
    """The column of these weights."""
    if ordered:
        keys = sorted(weights)
        keys.sort(key=weights.__getitem__, reverse=True)
        return Column(weights, keys, True, weights[keys[0]] if keys else 0.0)
    return Column(weights, list(weights), False, max(weights.values(), default=0.0))


def top(
    columns: Sequence[Column[K]],
    k: int,
    *,
    accept: Callable[[K], bool] | None,
    expired: Callable[[], bool],
) -> Ranking[K]:
    """The k best of the documents that `accept` lets in; a score is the sum of weights in the order of columns."""
    tables = [part.weights for part in columns]
    longest = max((len(part.keys) for part in columns), default=0)
    best: list[tuple[float, K]] = []  # (-score, key) of the k best so far, best first once there are k
    full, floor = False, 0.0  # whether there are k, and the score of the last of them
    seen: set[K] = set()
    checked = 0
    cut = expired()
    at = 0
    while not cut and at < longest:
        for part in columns:
            for key in part.keys[at : at + _STEP]:
                if key in seen:
                    continue
                seen.add(key)
                # `accept` costs more than a score: of k and more, those alone that beat one of them are asked about.
                if not full and accept is not None and not accept(key):
                    continue
                score = 0.0  # as `_sum` adds
                for table in tables:
                    score += table.get(key, 0.0)
                if not full:
                    best.append((-score, key))
                    if len(best) == k:
                        full = True
                        best.sort()
                elif score < floor or (score == floor and key > best[-1][1]):
                    continue
                elif accept is None or accept(key):
                    best.pop()
                    insort(best, (-score, key))
                if full:
                    floor = -best[-1][0]
        at += _STEP
        if full and _settled(columns, at, floor, best[-1][1]):
            break
        if len(seen) - checked >= _CHECK:
            checked = len(seen)
            cut = expired()
    best.sort()
    return Ranking([(-score, key) for score, key in best], len(seen), cut)


def _settled(columns: Sequence[Column[K]], at: int, score: float, last: K) -> bool:
    """Whether every document that is in no column before `at` comes behind the key `last` of this score."""
    left = [part for part in columns if at < len(part.keys)]
    fronts = [part.weights[part.keys[at]] if part.ordered else part.heaviest for part in left]
    bound = _sum(fronts)
    if bound != score:
        return bound < score
    # With the weights of all fronts it has this very score, but stands behind each front, so it has a greater key.
    if not (all(part.ordered for part in left) and any(part.keys[at] > last for part in left)):
        return False
    # With the next lighter weight anywhere its score must be less, which rounding might have hidden.
    return all(
        _sum((*fronts[:place], _lighter(part, at), *fronts[place + 1 :])) < score
        for place, part in enumerate(left)
    )


def _lighter(part: Column[K], at: int) -> float:
    """The heaviest weight in the column below that of the document at `at`; 0 where there is none."""
    weights = part.weights
    start = bisect_right(part.keys, -weights[part.keys[at]], lo=at, key=lambda key: -weights[key])
    return weights[part.keys[start]] if start < len(part.keys) else 0.0


def _sum(weights: Iterable[float]) -> float:
    """Added up one by one: newer Pythons correct the rounding of `sum`, and each bound relies on plain addition."""
    total = 0.0
    for weight in weights:
        total += weight
    return total
