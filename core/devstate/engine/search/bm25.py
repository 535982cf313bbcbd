"""How much one term says for one document: Okapi BM25 with k1 = 1.2 and b = 0.75.

    idf(term)         = ln((N - df + 0.5) / (df + 0.5) + 1)
    weight(term, doc) = idf * (k1 + 1) * tf / (tf + k1 * (1 - b + b * length / average length))

N counts all documents, also empty ones. The weight of a term depends on the document by `tf` and length alone,
so both stand in one integer, a *count*, and each weight is computed once for all documents that share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TypeVar

__all__ = ["DocKey", "K", "count_of", "idf", "tf_of", "weigh"]

DocKey = str | int
"""What a document is known by. All keys of one index are of one kind: ties are settled by their order."""

K = TypeVar("K", str, int)

K1 = 1.2
B = 0.75

_LENGTH_BITS = 32
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1

# So many weights between two looks at the clock.
_BATCH = 4096


def count_of(tf: int, length: int) -> int:
    """`tf` occurrences in a document of `length` tokens, as one integer."""
    return tf << _LENGTH_BITS | length


def tf_of(count: int) -> int:
    """The occurrences in a `count_of`."""
    return count >> _LENGTH_BITS


def idf(documents: int, having: int) -> float:
    """The weight of a term that `having` of `documents` documents contain; above 0."""
    return math.log((documents - having + 0.5) / (having + 0.5) + 1.0)


def weigh(
    counts: Mapping[K, int], *, documents: int, length_sum: int, expired: Callable[[], bool]
) -> dict[K, float] | None:
    """The weight of one term in each document that has it (`counts`: document -> `count_of`).

    None where the time ran out.
    """
    factor = idf(documents, len(counts)) * (K1 + 1.0)
    average = length_sum / documents if documents else 0.0
    by_count: dict[int, float] = {}
    for count in set(counts.values()):
        tf = tf_of(count)
        length = count & _LENGTH_MASK
        by_count[count] = factor * tf / (tf + K1 * (1.0 - B + B * length / average))
    pairs = zip(counts, map(by_count.__getitem__, counts.values()), strict=True)
    weights: dict[K, float] = {}
    for _ in range(0, len(counts), _BATCH):
        if expired():
            return None
        weights.update(islice(pairs, _BATCH))
    return weights
