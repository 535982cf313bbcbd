"""One ranking out of those of several primitives, whose BM25 scores cannot be compared with each other.

Reciprocal rank: a document at rank r (from 1) of its primitive scores 1 / (60 + r). Equals stand in the order of
(primitive type id, run, key), numbers before texts.

With `recency`, the moment "now" in microseconds since the epoch that the caller gives, each score is multiplied by

    1 + 1 / (1 + age)        age = max(0, now - commit time) in days

which is 2 for the newest, 1.5 for a day ago, and comes near 1 with age; a document without a time keeps its score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from .bm25 import DocKey
from .source import Source

__all__ = ["Fused", "depth", "fuse"]

_RANK_OFFSET = 60
_DAY_US = 86_400_000_000


class Fused(msgspec.Struct, frozen=True):
    """A document in the common ranking, with what it was in its own."""

    score: float
    source: Source
    key: DocKey
    bm25: float
    primitive_rank: int
    recency: float


def depth(k: int, *, recency: int | None) -> int:
    """How many of each primitive's best can be among the k best of all.

    Without recency k. With it a factor is at most 2, and from rank 2k + 61 on 2 / (60 + rank) is less than what
    each of the first k of the same primitive have at least.
    """
    return k if recency is None else 2 * k + _RANK_OFFSET


def fuse(
    rankings: Iterable[tuple[Source, Sequence[tuple[float, DocKey]]]], k: int, *, recency: int | None
) -> list[Fused]:
    """The k best of all rankings, each (source, its (BM25 score, key) best first)."""
    all_of_them: list[Fused] = []
    for source, hits in rankings:
        for rank, (bm25, key) in enumerate(hits, 1):
            factor = 1.0 if recency is None else _recency(source, key, recency)
            all_of_them.append(Fused(factor / (_RANK_OFFSET + rank), source, key, bm25, rank, factor))
    all_of_them.sort(key=_order)
    return all_of_them[:k]


def _recency(source: Source, key: DocKey, now_us: int) -> float:
    time = None if source.time_of is None else source.time_of(key)
    return 1.0 if time is None else 1.0 + 1.0 / (1.0 + max(0, now_us - time) / _DAY_US)


def _order(one: Fused) -> tuple[float, int, str, bool, DocKey]:
    return (-one.score, one.source.type_id, one.source.run, isinstance(one.key, str), one.key)
