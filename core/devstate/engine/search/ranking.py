"""The best k documents of several weighted terms: exact, and without looking at those that cannot be among them.

Documents are looked at from the best of each term downwards. A document not met so far weighs for each term at
most what the next one in that term's order does, and the sum of these bounds is taken in the same order of terms
as every score; rounding keeps order, so no unseen document can score above the sum of the bounds. Once k
documents score above it the answer is final (the threshold algorithm of Fagin, Lotem and Naor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappush, heapreplace
from typing import Generic

import msgspec

from .bm25 import K

__all__ = ["Column", "Ranking", "column", "top"]

# Documents taken of one term before the next term has its turn.
_STEP = 32
# Documents between two looks at the clock.
_CHECK = 256


class Column(msgspec.Struct, Generic[K], frozen=True, gc=False):
    """One term: its weight in each document, the documents, and whether they stand heaviest first."""

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
        keys = sorted(weights, key=weights.__getitem__, reverse=True)
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
    best: list[float] = []  # a heap of the k best scores so far
    found: list[tuple[float, K]] = []  # each document that was among the k best when it was met
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
                if accept is not None and not accept(key):
                    continue
                # Not `sum`: newer Pythons correct its rounding, and the bound relies on plain addition.
                score = 0.0
                for table in tables:
                    score += table.get(key, 0.0)
                if len(best) < k:
                    heappush(best, score)
                elif score >= best[0]:
                    heapreplace(best, score)
                else:
                    continue
                found.append((score, key))
        at += _STEP
        if len(best) == k and _bound(columns, at) < best[0]:
            break
        if len(seen) - checked >= _CHECK:
            checked = len(seen)
            cut = expired()
    found.sort(key=_best_first)
    return Ranking(found[:k], len(seen), cut)


def _bound(columns: Sequence[Column[K]], at: int) -> float:
    """No document that stands from `at` on in every column, or is in none of them, scores above this."""
    bound = 0.0
    for part in columns:
        if at < len(part.keys):
            bound += part.weights[part.keys[at]] if part.ordered else part.heaviest
    return bound


def _best_first(hit: tuple[float, K]) -> tuple[float, K]:
    return (-hit[0], hit[1])
